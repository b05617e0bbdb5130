//! Checksums of request bodies, which S3 wants (`x-amz-checksum-…`) and other services take.
//!
//! As SDKs do it: the algorithm that the caller names, CRC32 where the caller names none, and nothing where the caller
//! brings a checksum.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_32_ISCSI, CRC_64_NVME, Crc, Table};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{CodecError, HttpRequest, Wrong, header};
use crate::model::{Operation, Service};

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

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
        "CRC32C" => STANDARD.encode(CRC32C.checksum(body).to_be_bytes()),
        "CRC64NVME" => STANDARD.encode(CRC64NVME.checksum(body).to_be_bytes()),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Dialect;
    use crate::codec::encode_request;

    /// The check values of the algorithms' catalogue, for the digits from 1 to 9.
    #[test]
    fn the_algorithm_that_is_named_is_used() {
        let service = crate::models().service("s3").unwrap();
        let operation = service.operation("PutObject").unwrap();
        let sent = |algorithm: Option<&str>| {
            let params = json!({"Bucket": "b", "Key": "k", "Body": "123456789", "ChecksumAlgorithm": algorithm});
            let request = encode_request(&service, operation, params, Dialect::StateMachine).unwrap();
            let headers = request.headers.iter().filter(|(name, _)| name.as_str().contains("checksum"));
            let told = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            told.collect::<Vec<_>>().join("\n")
        };
        let story =
            [None, Some("CRC32"), Some("CRC32C"), Some("CRC64NVME"), Some("SHA1"), Some("SHA256"), Some("XXHASH3")];
        insta::assert_snapshot!(story.map(sent).join("\n"), @r"
        x-amz-sdk-checksum-algorithm: CRC32
        x-amz-checksum-crc32: y/Q5Jg==
        x-amz-sdk-checksum-algorithm: CRC32
        x-amz-checksum-crc32: y/Q5Jg==
        x-amz-sdk-checksum-algorithm: CRC32C
        x-amz-checksum-crc32c: 4waSgw==
        x-amz-sdk-checksum-algorithm: CRC64NVME
        x-amz-checksum-crc64nvme: rosUhgp5mIg=
        x-amz-sdk-checksum-algorithm: SHA1
        x-amz-checksum-sha1: 98O8HYCOBHMq32eZZczDTKeuNEE=
        x-amz-sdk-checksum-algorithm: SHA256
        x-amz-checksum-sha256: FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=
        x-amz-sdk-checksum-algorithm: XXHASH3
        ");
    }
}
