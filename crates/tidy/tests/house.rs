//! The house keeps its habits.

use std::path::Path;

#[test]
fn the_house_keeps_its_habits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = tidy::violations(&root).unwrap();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{} places break a habit of the house:\n\n{}\n", told.len(), told.join("\n"));
}
