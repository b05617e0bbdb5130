//! The queue that callbacks arrive at: just enough of SQS for `sqs:sendMessage.waitForTaskToken`, inside the driver.
//!
//! The server is told of it by `AWS_ENDPOINT_URL_SQS`. It keeps the token of each execution by the number that the
//! execution was started with, so that the driver can return tokens in any order.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::http;

/// No message for so long means that the server has stopped sending them.
const SILENCE: Duration = Duration::from_secs(30);

/// The queue, shared by the driver's tasks.
#[derive(Clone)]
pub struct Queue(Rc<Inner>);

struct Inner {
    address: SocketAddr,
    tokens: RefCell<Vec<Option<String>>>,
    arrived: Cell<usize>,
    news: Notify,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    message_body: String,
}

#[derive(Deserialize)]
struct Message {
    n: usize,
    token: String,
}

impl Queue {
    /// Opens the queue at `listen` and answers its messages until the driver ends.
    pub async fn open(listen: SocketAddr) -> Result<Queue> {
        let listener = TcpListener::bind(listen).await.context("the queue's address")?;
        let inner = Inner {
            address: listener.local_addr()?,
            tokens: RefCell::default(),
            arrived: Cell::new(0),
            news: Notify::new(),
        };
        let queue = Queue(Rc::new(inner));
        let own = queue.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let queue = own.clone();
                tokio::task::spawn_local(async move {
                    http::answer_all(stream, async |target, body| queue.answer(target, body)).await
                });
            }
        });
        Ok(queue)
    }

    /// What the server's environment has to say.
    pub fn environment(&self) -> [(&'static str, String); 1] {
        [("AWS_ENDPOINT_URL_SQS", format!("http://{}", self.0.address))]
    }

    /// A state machine whose one task sends a message here and waits for its token.
    pub fn callback_machine(&self) -> Value {
        let url = format!("http://{}/000000000000/bench", self.0.address);
        json!({ "StartAt": "Call", "States": { "Call": {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
            "Parameters": { "QueueUrl": url, "MessageBody": { "n.$": "$.n", "token.$": "$$.Task.Token" } },
        } } })
    }

    /// Takes the token of the execution that was started with `{"n": number}`, waiting for it if need be.
    pub async fn token(&self, number: usize) -> Result<String> {
        loop {
            let news = self.0.news.notified();
            if let Some(token) = self.0.tokens.borrow_mut().get_mut(number).and_then(Option::take) {
                return Ok(token);
            }
            tokio::time::timeout(SILENCE, news).await.with_context(|| format!("no message of execution {number}"))?;
        }
    }

    /// Waits until so many messages have arrived since the queue was opened or emptied.
    pub async fn all(&self, total: usize) -> Result<()> {
        loop {
            let (news, seen) = (self.0.news.notified(), self.0.arrived.get());
            if seen >= total {
                return Ok(());
            }
            let silent = tokio::time::timeout(SILENCE, news).await.is_err();
            if silent && seen == self.0.arrived.get() {
                bail!("only {seen} of {total} messages arrived");
            }
        }
    }

    /// Forgets everything that arrived.
    pub fn empty(&self) {
        self.0.tokens.borrow_mut().clear();
        self.0.arrived.set(0);
    }

    fn answer(&self, target: &str, body: &[u8]) -> (u16, String) {
        match self.take(target, body) {
            Ok(answer) => (200, answer),
            Err(e) => (
                400,
                json!({ "__type": "com.amazonaws.sqs#InvalidMessageContents", "message": e.to_string() }).to_string(),
            ),
        }
    }

    fn take(&self, target: &str, body: &[u8]) -> Result<String> {
        if target != "AmazonSQS.SendMessage" {
            bail!("this queue only takes messages, not {target:?}");
        }
        let sent: SendMessage = serde_json::from_slice(body)?;
        let Message { n, token } = serde_json::from_str(&sent.message_body)?;
        let mut tokens = self.0.tokens.borrow_mut();
        if tokens.len() <= n {
            tokens.resize(n + 1, None);
        }
        // A message that is sent again after a crash replaces its token, and is not one more.
        if tokens[n].replace(token).is_none() {
            self.0.arrived.set(self.0.arrived.get() + 1);
        }
        self.0.news.notify_waiters();
        let mut digest = String::with_capacity(32);
        for byte in Md5::digest(sent.message_body.as_bytes()) {
            write!(digest, "{byte:02x}")?;
        }
        Ok(format!(r#"{{"MessageId":"00000000-0000-0000-0000-{n:012}","MD5OfMessageBody":"{digest}"}}"#))
    }
}
