//! Calls of the Step Functions API, with the two ways in which they fail: nobody answers, or the answer is an exception.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::http::Connection;

/// Rows of a page.
const PAGE: usize = 1_000;

pub enum Fault {
    /// The connection was refused or broke: what became of the call is unknown.
    NoAnswer,
    /// An exception's name, and its message.
    Refused(String, String),
}

impl Fault {
    pub fn is(&self, exception: &str) -> bool {
        matches!(self, Fault::Refused(name, _) if name == exception)
    }
}

impl From<Fault> for anyhow::Error {
    fn from(fault: Fault) -> anyhow::Error {
        match fault {
            Fault::NoAnswer => anyhow::anyhow!("nobody answers"),
            Fault::Refused(name, message) => anyhow::anyhow!("{name}: {message}"),
        }
    }
}

pub struct Api {
    connection: Connection,
    /// Told when a call was sent.
    sent: Box<dyn Fn() + Send>,
}

impl Api {
    pub fn new(address: SocketAddr) -> Api {
        Api { connection: Connection::new(address), sent: Box::new(|| ()) }
    }

    pub fn telling(address: SocketAddr, sent: impl Fn() + Send + 'static) -> Api {
        Api { connection: Connection::new(address), sent: Box::new(sent) }
    }

    pub fn impatient(address: SocketAddr, patience: Duration) -> Api {
        Api { connection: Connection::impatient(address, patience), sent: Box::new(|| ()) }
    }

    pub fn call(&mut self, operation: &str, parameters: &Value) -> Result<Value, Fault> {
        let target = format!("AWSStepFunctions.{operation}");
        let answer = self.connection.call(&target, &parameters.to_string(), &self.sent);
        let (status, body) = answer.map_err(|_| Fault::NoAnswer)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == "200" {
            return Ok(body);
        }
        let name = body["__type"].as_str().unwrap_or(&status);
        let name = name.rsplit('#').next().unwrap_or(name).to_owned();
        Err(Fault::Refused(name, body["message"].as_str().unwrap_or_default().to_owned()))
    }

    /// What a paged operation lists, page after page.
    pub fn all(&mut self, operation: &str, member: &str, parameters: Value) -> Result<Vec<Value>> {
        let (mut found, mut parameters) = (Vec::new(), parameters);
        parameters["maxResults"] = json!(PAGE);
        loop {
            let mut page = self.call(operation, &parameters)?;
            let Value::Array(rows) = page[member].take() else { bail!("{operation} has no {member}") };
            found.extend(rows);
            if page["nextToken"].is_null() {
                return Ok(found);
            }
            parameters["nextToken"] = page["nextToken"].take();
        }
    }
}
