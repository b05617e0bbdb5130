//! Task tokens and paging tokens: any text, and a true token that somebody has changed.

use engine::hostile::{open, seal};

/// A text that this installation did not seal does not open, and a sealed one that was changed in any place does not.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let sealed = seal();
    assert!(open(&sealed));
    // The fuzzer sees what a text is compared with, and so has found this one.
    assert!(text == sealed || !open(text), "forged: {text}");
    // The bytes say where something else is put.
    let mut changed = sealed.clone().into_bytes();
    for pair in bytes.chunks_exact(2) {
        let at = usize::from(pair[0]) % changed.len();
        changed[at] = pair[1] & 0x7f;
    }
    let changed = String::from_utf8(changed).expect("ASCII");
    assert!(changed == sealed || !open(&changed), "changed: {changed} was {sealed}");
}
