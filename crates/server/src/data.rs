//! JSON texts that callers send to flow through states.

use asl::Payload;
use asl::parse::json::{self, Duplicates};

/// The document, or why it is none, in the words of AWS's parser.
pub fn parse(text: &str) -> Result<Payload, String> {
    Payload::parse(text).map_err(|error| match json::read(text, Duplicates::LastWins) {
        Err(mistake) => mistake.message,
        Ok(None) => {
            format!("No content to map due to end-of-input\n at [Source: (String)\"{text}\"; line: 1, column: 0]")
        }
        // A number or a text that Jackson knows to read and Rust cannot hold.
        Ok(Some(_)) => error.to_string(),
    })
}
