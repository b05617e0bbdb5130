//! Task tokens and the texts between pages: sealed, not stored.
//!
//! A task token is the execution and the task under an authenticated key of this installation. Any node that has the
//! key can open it and nobody else can make one, so a task that waits for a year costs no row. It begins with the
//! number of its key, so that a newer key can be added while older tokens live.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use machine::TaskId;
use store::ExecutionKey;

const KEY_NUMBER: u8 = 1;
const NONCE_BYTES: usize = 12;

/// What a token names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TokenTarget {
    pub execution: ExecutionKey,
    pub task: TaskId,
}

pub(crate) struct Tokens {
    cipher: ChaCha20Poly1305,
}

/// What a sealed text is for: one for the other is not accepted.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Task,
    Page,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Task => b"task",
            Purpose::Page => b"page",
        }
    }
}

impl Tokens {
    /// Bytes of a key.
    pub const KEY_BYTES: usize = 32;

    pub fn new(key: &[u8; Tokens::KEY_BYTES]) -> Tokens {
        Tokens { cipher: ChaCha20Poly1305::new(&Key::from(*key)) }
    }

    /// `nonce` must not come twice with different content.
    pub fn seal_task(&self, target: TokenTarget, nonce: u128) -> String {
        let mut text = [0; 18];
        text[..2].copy_from_slice(&target.execution.shard.to_be_bytes());
        text[2..10].copy_from_slice(&target.execution.number.to_be_bytes());
        text[10..].copy_from_slice(&target.task.to_be_bytes());
        self.seal(Purpose::Task, &text, nonce)
    }

    pub fn open_task(&self, token: &str) -> Option<TokenTarget> {
        let text: [u8; 18] = self.open(Purpose::Task, token)?.try_into().ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let execution = ExecutionKey { shard: number(&text[..2]) as u16, number: number(&text[2..10]) };
        Some(TokenTarget { execution, task: number(&text[10..]) })
    }

    pub fn seal(&self, purpose: Purpose, text: &[u8], nonce: u128) -> String {
        let nonce: [u8; NONCE_BYTES] = nonce.to_be_bytes()[..NONCE_BYTES].try_into().expect("a u128 has 16 bytes");
        let payload = Payload { msg: text, aad: purpose.label() };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a short text can be sealed");
        let mut token = vec![KEY_NUMBER];
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&sealed);
        BASE64.encode(token)
    }

    pub fn open(&self, purpose: Purpose, token: &str) -> Option<Vec<u8>> {
        let token = BASE64.decode(token).ok()?;
        let (&KEY_NUMBER, rest) = token.split_first()? else { return None };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: purpose.label() };
        self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()
    }
}

/// What the fuzzer does with tokens, under a key of its own.
#[cfg(feature = "hostile")]
pub mod hostile {
    use store::ExecutionKey;

    use super::{Purpose, TokenTarget, Tokens};

    const KEY: [u8; Tokens::KEY_BYTES] = [7; Tokens::KEY_BYTES];

    /// Whether a text opens, as anything.
    pub fn open(token: &str) -> bool {
        let tokens = Tokens::new(&KEY);
        tokens.open_task(token).is_some() || tokens.open(Purpose::Page, token).is_some()
    }

    /// The one token that opens, as far as anybody has been told.
    pub fn seal() -> String {
        Tokens::new(&KEY).seal_task(TokenTarget { execution: ExecutionKey { shard: 0, number: 1 }, task: 5 }, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: TokenTarget = TokenTarget { execution: ExecutionKey { shard: 3, number: 77 }, task: 5 };

    #[test]
    fn a_token_opens_with_its_key_only() {
        let tokens = Tokens::new(&[7; 32]);
        let token = tokens.seal_task(TARGET, 1 << 100);
        assert_eq!(tokens.open_task(&token), Some(TARGET));
        assert_eq!(Tokens::new(&[8; 32]).open_task(&token), None);
    }

    #[test]
    fn a_changed_cut_or_foreign_token_does_not_open() {
        let tokens = Tokens::new(&[7; 32]);
        let token = tokens.seal_task(TARGET, 1 << 100);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(tokens.open_task(&changed).filter(|_| changed != token), None, "changed at {place}");
        }
        assert_eq!(tokens.open_task(&token[..token.len() - 4]), None);
        assert_eq!(tokens.open_task(""), None);
        let page = tokens.seal(Purpose::Page, &[0; 18], 5);
        assert_eq!(tokens.open_task(&page), None, "a paging token is no task token");
    }
}
