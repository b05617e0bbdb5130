//! The names by which a function may be called: its name, part of its ARN, or all of it, each with a qualifier or without.

/// Whom a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The account that an ARN names.
    pub account: Option<String>,
    /// The region that an ARN names.
    pub region: Option<String>,
    pub function: String,
    pub qualifier: Option<String>,
}

/// Read a name; none if it is not one.
pub fn parse(given: &str) -> Option<Name> {
    let parts: Vec<&str> = given.split(':').collect();
    let (region, account, rest) = match parts.as_slice() {
        ["arn", _, "lambda", region, account, "function", rest @ ..] => (Some(*region), Some(*account), rest),
        [account, "function", rest @ ..] => (None, Some(*account), rest),
        rest => (None, None, rest),
    };
    let (function, qualifier) = match rest {
        [function] => (*function, None),
        [function, qualifier] => (*function, Some(*qualifier)),
        _ => return None,
    };
    let good = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$'))
    };
    if !good(function) || qualifier.is_some_and(|qualifier| !good(qualifier)) {
        return None;
    }
    Some(Name {
        account: account.map(str::to_owned),
        region: region.map(str::to_owned),
        function: function.to_owned(),
        qualifier: qualifier.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (given, function, qualifier, account) in [
            ("f", "f", None, None),
            ("f:$LATEST", "f", Some("$LATEST"), None),
            ("000000000000:function:f", "f", None, Some("000000000000")),
            ("arn:aws:lambda:eu-west-1:000000000000:function:f:live", "f", Some("live"), Some("000000000000")),
        ] {
            let name = parse(given).unwrap();
            assert_eq!((name.function.as_str(), name.qualifier.as_deref()), (function, qualifier));
            assert_eq!(name.account.as_deref(), account);
        }
        for given in ["", "a:b:c", "../f", "arn:aws:sqs:eu-west-1:000000000000:f"] {
            assert_eq!(parse(given), None, "{given}");
        }
    }
}
