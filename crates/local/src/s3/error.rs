//! S3's errors, with AWS's codes and texts.

use super::Failure;
use crate::error::ServiceError;

/// Why a request is not carried out.
#[derive(Debug)]
pub struct Refused {
    pub code: &'static str,
    pub status: u16,
    pub message: String,
}

/// Codes, HTTP statuses and texts.
const TEXTS: &[(&str, u16, &str)] = &[
    (
        "BucketAlreadyOwnedByYou",
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    ("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"),
    ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"),
    ("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    ("InternalError", 500, "We encountered an internal error. Please try again."),
    ("InvalidBucketName", 400, "The specified bucket is not valid."),
    (
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    ("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    ("InvalidRange", 416, "The requested range is not satisfiable"),
    ("KeyTooLongError", 400, "Your key is too long"),
    ("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"),
    ("NoSuchBucket", 404, "The specified bucket does not exist"),
    ("NoSuchKey", 404, "The specified key does not exist."),
    (
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    ),
    ("NotImplemented", 501, "The laptop's S3 has objects, buckets and uploads in parts, and nothing else of S3."),
    ("NotModified", 304, ""),
    ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"),
];

/// The error of this code, with AWS's text.
pub fn refused(code: &'static str) -> Refused {
    let (_, status, message) = TEXTS.iter().find(|(known, ..)| *known == code).unwrap_or(&TEXTS[4]);
    Refused { code, status: *status, message: (*message).to_owned() }
}

/// A key that no file can have.
pub fn bad_key(why: &str) -> Refused {
    Refused { code: "InvalidArgument", status: 400, message: format!("The laptop's S3 keeps objects as files: {why}") }
}

/// What went wrong is logged, the caller learns only that it may try again.
fn internal(cause: impl std::fmt::Display) -> Refused {
    tracing::error!(%cause, "the laptop's S3 failed");
    refused("InternalError")
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        internal(error)
    }
}

impl From<ServiceError> for Refused {
    fn from(_: ServiceError) -> Self {
        // It was logged where it happened.
        refused("InternalError")
    }
}

impl From<Failure> for Refused {
    fn from(error: Failure) -> Self {
        tracing::debug!(%error, "the body of a request to S3 ended early");
        refused("IncompleteBody")
    }
}
