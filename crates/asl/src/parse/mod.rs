//! Text → tree → [`Program`].
//!
//! `json` and `yaml` read a text into the [`tree`] that keeps the place of every value, `build` and `states` compile a
//! tree into a program. Nothing here judges a definition: that is `check`, which reads with the same readers.

pub mod build;
pub mod json;
pub mod operators;
mod states;
pub mod tree;
pub mod yaml;

use crate::Program;

/// Why a stored definition cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the definition is not JSON: {0}")]
    Json(String),
    #[error(transparent)]
    Build(#[from] build::BuildError),
}

/// Compiles a JSON definition that was checked when it was created, without judging it again.
pub fn load(text: &str) -> Result<Program, LoadError> {
    let root = json::read(text, json::Duplicates::LastWins).map_err(|error| LoadError::Json(error.message))?;
    let root = root.ok_or_else(|| LoadError::Json("it is empty".to_owned()))?;
    Ok(build::program(&root)?)
}
