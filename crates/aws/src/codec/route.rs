//! Which operation of a REST service a request means: by its method, its path, and constants in its query.
//!
//! Models overlap: `/{Path+}`, `/{Path+}/settings` and `/` may be three operations. Routes are tried in the order of how
//! much they say.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::model::{Operation, Service};

/// Finds operations by method and path.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    method: String,
    parts: Vec<Part>,
    /// Query parameters that must be there, with their value where the template gives one.
    constant: Vec<(String, String)>,
    operation: String,
}

/// In order of how much a part says, which is the order in which routes are tried.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Literal(String),
    Label(String),
    Greedy(String),
}

/// An operation found, and its path labels.
pub(crate) struct Found<'a> {
    pub operation: &'a str,
    pub labels: Vec<(&'a str, String)>,
    /// Query parameters that belong to the route.
    pub constant: &'a [(String, String)],
}

impl Router {
    pub fn new(service: &Service) -> Router {
        let route = |operation: &Operation| {
            let (path, constant) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
            let part = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                None => Part::Literal(text.to_owned()),
                Some(label) => match label.strip_suffix('+') {
                    None => Part::Label(label.to_owned()),
                    Some(label) => Part::Greedy(label.to_owned()),
                },
            };
            Route {
                method: operation.method.clone(),
                parts: segments(path.trim_end_matches('/'))
                    .map(part)
                    .filter(|part| *part != Part::Literal("".into()))
                    .collect(),
                constant: form_urlencoded::parse(constant.as_bytes()).into_owned().collect(),
                operation: operation.name.clone(),
            }
        };
        let mut routes: Vec<Route> = service.operations().map(route).collect();
        // What says more comes first: of two ways that agree so far, the longer one.
        let order = |a: &Route, b: &Route| {
            let differing = a.parts.iter().zip(&b.parts).map(|(a, b)| a.cmp(b)).find(|order| order.is_ne());
            let longer = b.parts.len().cmp(&a.parts.len());
            differing.unwrap_or(longer).then(b.constant.len().cmp(&a.constant.len()))
        };
        routes.sort_by(order);
        Router { routes }
    }

    pub fn find(&self, method: &str, path: &str, query: &str) -> Option<Found<'_>> {
        let segments: Vec<&str> = segments(path).collect();
        let asked: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
        self.routes.iter().filter(|route| route.method.eq_ignore_ascii_case(method)).find_map(|route| {
            let has = |(name, value): &(String, String)| asked.iter().any(|(n, v)| n == name && v == value);
            if !route.constant.iter().all(has) {
                return None;
            }
            let labels = labels(&route.parts, &segments)?;
            Some(Found { operation: &route.operation, labels, constant: &route.constant })
        })
    }
}

/// Segments of a path. A slash at its end leaves an empty one, which [`labels`] overlooks.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn labels<'a>(parts: &'a [Part], segments: &[&str]) -> Option<Vec<(&'a str, String)>> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    let mut labels = Vec::new();
    let mut at = 0;
    for (index, part) in parts.iter().enumerate() {
        let segment = segments.get(at)?;
        match part {
            Part::Literal(text) if text == segment => at += 1,
            Part::Literal(_) => return None,
            Part::Label(_) if segment.is_empty() => return None,
            Part::Label(name) => {
                labels.push((name.as_str(), decoded(segment)?));
                at += 1;
            }
            Part::Greedy(name) => {
                let end = segments.len().checked_sub(parts.len() - index - 1).filter(|end| *end > at)?;
                let text = segments[at..end].join("/");
                if text.is_empty() {
                    return None;
                }
                labels.push((name.as_str(), decoded(&text)?));
                at = end;
            }
        }
    }
    let left = &segments[at..];
    (left.is_empty() || left == [""]).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn lambda_s_paths_are_told_apart() {
        let router = Router::new(&models().service("lambda").unwrap());
        let find = |method: &str, path: &str| {
            let found = router.find(method, path, "")?;
            Some(format!("{} {:?}", found.operation, found.labels))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            find("POST", "/2015-03-31/functions/a%2Fb%20c/invocations"),
            some(r#"Invoke [("FunctionName", "a/b c")]"#)
        );
        assert_eq!(find("GET", "/2015-03-31/functions"), some("ListFunctions []"));
        assert_eq!(find("GET", "/2015-03-31/functions/"), some("ListFunctions []"));
        assert_eq!(find("GET", "/2015-03-31/functions/f"), some(r#"GetFunction [("FunctionName", "f")]"#));
        for (method, path) in [
            ("POST", "/2015-03-31/functions//invocations"),
            ("POST", "/2015-03-31/functions/%ff/invocations"),
            ("PATCH", "/2015-03-31/functions"),
            ("GET", ""),
            ("GET", "/"),
        ] {
            assert_eq!(find(method, path), None, "{method} {path}");
        }
    }
}
