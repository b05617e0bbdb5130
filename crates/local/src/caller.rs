//! Who calls, and under which name the caller knows this server.

/// What a call inherits from its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account: String,
    /// The region that the caller signed for.
    pub region: String,
    /// The address under which the caller reached the server, without a slash at its end: queue URLs and the links in
    /// notifications begin with it.
    pub base_url: String,
    /// The caller's trace, in X-Ray's form (`X-Amzn-Trace-Id`).
    pub trace: Option<String>,
}
