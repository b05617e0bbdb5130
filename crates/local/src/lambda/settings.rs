//! What a function is on a laptop: a folder, and how what lies in it is run. What nobody says is read off the folder, so
//! that `--function NAME=FOLDER` is enough for most.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// AWS's own for functions that say nothing.
const TIMEOUT: Duration = Duration::from_secs(3);
const MEMORY_MB: u64 = 128;
/// AWS's longest.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(900);

/// A function as its owner describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Function {
    /// Where its code lies: `LAMBDA_TASK_ROOT`, and the directory in which it runs.
    pub folder: PathBuf,
    /// `MODULE.FUNCTION` for Python and Node.js; for others the executable in the folder, if it is not `bootstrap`.
    pub handler: Option<String>,
    /// One of AWS's names (`python3.13`, `nodejs22.x`, `provided.al2023`); `python`, `node` and `provided` do as well.
    pub runtime: Option<String>,
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take. AWS: 3 s if nobody says, 15 minutes at most.
    pub timeout: Option<Duration>,
    /// Told to the function, and not enforced.
    pub memory_mb: Option<u64>,
    /// Invocations at once; more are refused, as AWS does it with reserved concurrency.
    pub concurrency: Option<usize>,
    /// Qualifiers that mean this code, beside `$LATEST`.
    pub aliases: Vec<String>,
}

/// How a function's process is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub kind: Kind,
    pub program: PathBuf,
    /// For Python and Node.js, the bootstrap comes after these.
    pub arguments: Vec<OsString>,
    pub handler: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Python,
    Node,
    Provided,
}

/// Python where the folder does not bring its own.
pub const PYTHON: &str = "python3";

/// Files that tell what a folder holds, and the handler that they stand for by habit.
const HABITS: &[(&str, Kind, &str)] = &[
    ("bootstrap", Kind::Provided, "bootstrap"),
    ("lambda_function.py", Kind::Python, "lambda_function.lambda_handler"),
    ("app.py", Kind::Python, "app.lambda_handler"),
    ("handler.py", Kind::Python, "handler.handler"),
    ("index.mjs", Kind::Node, "index.handler"),
    ("index.js", Kind::Node, "index.handler"),
    ("index.cjs", Kind::Node, "index.handler"),
];

impl Function {
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    pub fn memory_mb(&self) -> u64 {
        self.memory_mb.unwrap_or(MEMORY_MB)
    }

    /// Refuse what cannot work, before anybody calls it.
    pub fn check(&self) -> Result<(), String> {
        if !self.folder.is_dir() {
            return Err(format!("{} is not a folder", self.folder.display()));
        }
        if self.timeout().is_zero() || self.timeout() > LONGEST_TIMEOUT {
            return Err(format!("its timeout must be from 1 to {} seconds", LONGEST_TIMEOUT.as_secs()));
        }
        self.launch().map(drop)
    }

    /// How the process is started, from what is said and what lies in the folder.
    pub fn launch(&self) -> Result<Launch, String> {
        let said = self.runtime.as_deref().map(kind_of).transpose()?;
        let habit = HABITS
            .iter()
            .find(|(file, kind, _)| said.is_none_or(|said| said == *kind) && self.folder.join(file).is_file());
        let by_handler = || self.handler.as_deref().and_then(|handler| kind_by_handler(&self.folder, handler));
        let Some(kind) = said.or_else(by_handler).or(habit.map(|(_, kind, _)| *kind)) else {
            return Err(format!(
                "nothing in {} tells its runtime; say it in the settings: [functions.NAME] runtime = \"python\", \
                 handler = \"MODULE.FUNCTION\"",
                self.folder.display()
            ));
        };
        let handler = self.handler.clone().or_else(|| habit.map(|(_, _, handler)| (*handler).to_owned()));
        let handler = handler.ok_or_else(|| {
            format!("nothing in {} tells its handler; say it: handler = \"MODULE.FUNCTION\"", self.folder.display())
        })?;
        let (program, arguments): (PathBuf, &[&str]) = match kind {
            Kind::Python => (python_of(&self.folder), &["-u"]),
            Kind::Node => ("node".into(), &[]),
            Kind::Provided => {
                let named = self.folder.join(&handler);
                (if named.is_file() { named } else { self.folder.join("bootstrap") }, &[])
            }
        };
        if kind == Kind::Provided && !program.is_file() {
            return Err(format!("there is neither {handler} nor bootstrap in {}", self.folder.display()));
        }
        Ok(Launch { kind, program, arguments: arguments.iter().map(OsString::from).collect(), handler })
    }
}

fn kind_of(runtime: &str) -> Result<Kind, String> {
    [("python", Kind::Python), ("node", Kind::Node), ("provided", Kind::Provided)]
        .into_iter()
        .find(|(name, _)| runtime.starts_with(name))
        .map(|(_, kind)| kind)
        .ok_or_else(|| {
            format!(
                "the runtime {runtime} is not known here; there are python, node, and provided for any executable that \
                 speaks the Lambda Runtime API"
            )
        })
}

/// The file that a handler's module is in tells the language.
fn kind_by_handler(folder: &Path, handler: &str) -> Option<Kind> {
    let module = handler.rsplit_once('.')?.0;
    let is_there = |file: String| folder.join(file).is_file();
    if is_there(format!("{}.py", module.replace('.', "/"))) || folder.join(module).join("__init__.py").is_file() {
        return Some(Kind::Python);
    }
    ["mjs", "js", "cjs"].iter().any(|ending| is_there(format!("{module}.{ending}"))).then_some(Kind::Node)
}

/// A virtual environment in the folder brings what the function imports.
fn python_of(folder: &Path) -> PathBuf {
    let own = folder.join(".venv/bin/python");
    if own.exists() { own } else { PYTHON.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(files: &[&str], runtime: Option<&str>, handler: Option<&str>) -> Result<(Kind, String), String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let function = Function {
            folder: dir.path().to_owned(),
            runtime: runtime.map(str::to_owned),
            handler: handler.map(str::to_owned),
            ..Function::default()
        };
        function.launch().map(|launch| (launch.kind, launch.handler))
    }

    #[test]
    fn a_folder_tells_how_it_is_run() {
        let is = |kind, handler: &str| Ok((kind, handler.to_owned()));
        assert_eq!(launch(&["lambda_function.py"], None, None), is(Kind::Python, "lambda_function.lambda_handler"));
        assert_eq!(launch(&["main.py", "index.js"], None, Some("main.go")), is(Kind::Python, "main.go"));
        assert_eq!(launch(&["index.js", "app.py"], Some("nodejs22.x"), None), is(Kind::Node, "index.handler"));
        assert_eq!(launch(&["bootstrap"], None, None), is(Kind::Provided, "bootstrap"));
        assert_eq!(launch(&["work"], Some("provided.al2023"), Some("work")), is(Kind::Provided, "work"));
        assert!(launch(&["main.rb"], None, None).unwrap_err().contains("nothing in"));
        assert!(launch(&["main.rb"], Some("ruby3.3"), None).unwrap_err().contains("ruby3.3 is not known"));
        assert!(launch(&[], Some("provided"), Some("x")).unwrap_err().contains("neither x nor bootstrap"));
    }
}
