//! Checksums of request bodies, which S3 wants (`x-amz-checksum-…`) and other services take.
//!
//! As SDKs do it: the algorithm that the caller names, CRC32 where the caller names none, and nothing where the caller
//! brings a checksum.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{CodecError, HttpRequest, Wrong, header};
use crate::model::{Operation, Service};

const PREFIX: &str = "x-amz-checksum-";

pub(super) fn add(service: &Service, operation: &Operation, request: &mut HttpRequest) -> Result<(), CodecError> {
    let member = operation.checksum_member.as_deref().and_then(|name| {
        let input = operation.input.as_ref()?;
        service.members(input).iter().find(|member| member.name == name)
    });
    let brought = |name: &http::HeaderName| name.as_str().starts_with(PREFIX);
    if (member.is_none() && !operation.checksum_required) || request.headers.keys().any(brought) {
        return Ok(());
    }
    let named = member.and_then(|member| member.target.wire.as_deref());
    let chosen = named.and_then(|name| request.headers.get(name)?.to_str().ok()).map(str::to_ascii_uppercase);
    let algorithm = chosen.unwrap_or_else(|| "CRC32".to_owned());
    let body = &request.body[..];
    let digest = match algorithm.as_str() {
        "CRC32" => STANDARD.encode(crc32fast::hash(body).to_be_bytes()),
        "SHA1" => STANDARD.encode(Sha1::digest(body)),
        "SHA256" => STANDARD.encode(Sha256::digest(body)),
        "SHA512" => STANDARD.encode(Sha512::digest(body)),
        // It has to come with the call; the service says so.
        _ => return Ok(()),
    };
    if let Some(named) = named {
        header(&mut request.headers, named, &algorithm)?;
    }
    header(&mut request.headers, &format!("{PREFIX}{}", algorithm.to_ascii_lowercase()), &digest)
        .map_err(|_| CodecError::new(Wrong::Unsendable))
}
