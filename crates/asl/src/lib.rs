//! The Amazon States Language: text in, a checked Program and diagnostics out.
