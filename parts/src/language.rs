//! JSONPath, and a definition from its text.

use std::hint::black_box;

use jsonpath::JsonPath;
use serde_json::{Value, json};

use crate::Work;

const FILTER: &str = "$.order.lines[?(@.qty > 10 && @.sku != 'A7')].sku";

fn order() -> Value {
    let lines: Vec<Value> = (0..20).map(|n| json!({ "sku": format!("A{n}"), "qty": n, "price": 9.5 })).collect();
    json!({ "order": { "id": "o-1", "customer": { "name": "Ada", "city": "London" }, "lines": lines } })
}

pub fn path_compiled() -> Work {
    Box::new(|| drop(black_box(JsonPath::parse(black_box(FILTER)))))
}

pub fn path_field() -> Work {
    evaluated("$.order.customer.name", 1)
}

pub fn path_filter() -> Work {
    evaluated(FILTER, 9)
}

fn evaluated(path: &str, matches: usize) -> Work {
    let (document, path) = (order(), JsonPath::parse(path).expect("a path"));
    let found = path.eval(&document).expect("it is there").into_value();
    assert_eq!(found.as_array().map_or(1, Vec::len), matches);
    Box::new(move || drop(black_box(path.eval(black_box(&document)))))
}

pub fn definition() -> Work {
    let text = crate::heart::passes();
    Box::new(move || drop(black_box(asl::load(black_box(&text)).expect("a definition"))))
}
