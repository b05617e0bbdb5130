//! The body of a request of the API.

/// A body is understood as a request, or refused with one of two exceptions: it is no request, or breaks a constraint.
pub fn request(bytes: &[u8]) {
    for (operation, refused) in server::hostile::decode_as_each(bytes) {
        if let Some(code) = refused {
            assert!(matches!(code, "SerializationException" | "ValidationException"), "{operation}: {code}");
        }
    }
}
