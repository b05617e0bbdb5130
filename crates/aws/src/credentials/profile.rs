//! The shared files of the AWS tools: sections of settings, in a form of their own that is almost INI.

use std::collections::HashMap;

/// The settings of one profile in a shared file. Sections are `[name]` or `[profile name]`; indented lines belong to a
/// setting with parts of its own, and are left out.
pub(super) fn settings(text: &str, name: &str) -> HashMap<String, String> {
    let mut settings = HashMap::new();
    let mut inside = false;
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = content.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let section = section.trim();
            let called =
                section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(section);
            inside = called.trim() == name;
            continue;
        }
        let Some((key, value)) = content.split_once('=') else { continue };
        if inside && !line.starts_with([' ', '\t']) {
            let value = value.replace('\t', " ");
            let value = value.split(" #").next().and_then(|value| value.split(" ;").next()).unwrap_or_default();
            settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_profile_itself_is_read() {
        let text =
            "a = 0\n[profile x y]\na=1\n[ x ] # one\na = 2\n  b = 3\nc\n\tB = 4\nD\t=\t5 # five\n[profilex]\na = 6\n";
        let of = |name| {
            let mut found: Vec<_> = settings(text, name).into_iter().collect();
            found.sort();
            found
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(of("x"), [pair("a", "2"), pair("d", "5")]);
        assert_eq!(of("x y"), [pair("a", "1")]);
        assert_eq!(of("profilex"), [pair("a", "6")]);
        assert_eq!(of("none"), []);
    }
}
