//! The definition of a state machine, as CreateStateMachine gets it.

use asl::{CheckOptions, MachineType, Syntax, check, load};

/// A check answers, points into the text, and has a program exactly where it found no error; such a program loads.
pub fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for (syntax, machine_type, placeholders) in
        [(Syntax::Json, MachineType::Standard, false), (Syntax::Yaml, MachineType::Express, true)]
    {
        let checked = check(text, &CheckOptions { machine_type, syntax, placeholders, ..CheckOptions::default() });
        assert!(checked.is_valid() || checked.program.is_none());
        for diagnostic in &checked.diagnostics {
            if let Some(span) = &diagnostic.span {
                assert!(text.get(span.clone()).is_some(), "{diagnostic:?}");
            }
        }
        if syntax == Syntax::Json && checked.program.is_some() {
            assert!(load(text).is_ok(), "what was accepted once must load again");
        }
    }
}
