//! Counts the instructions of each part under callgrind and compares them with what is kept in the repository, so that a
//! change that makes one worse is seen in its diff. A clock cannot do that: it measures the machine's other work too.
//!
//!     parts check FILE     compares, and fails where a part has become worse (or better, which is to be kept too)
//!     parts write FILE     counts anew
//!     parts run NAME N     does a part N times: what callgrind looks at

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use parts::{PARTS, find};

/// Counts differ by chance (hash seeds, addresses) by less than this.
const TOLERANCE: f64 = 0.03;

/// A part is done so often, and so often again: the difference is free of what was made before.
const FEW: u64 = 20;
const MANY: u64 = 120;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", name, times] => run(name, times.parse()?).map(|()| ExitCode::SUCCESS),
        ["write", file] => {
            std::fs::write(file, page(&count_all()?)).context(file.to_owned())?;
            Ok(ExitCode::SUCCESS)
        }
        ["check", file] => check(&std::fs::read_to_string(file).context(file.to_owned())?),
        _ => bail!("parts check FILE | parts write FILE | parts run NAME N"),
    }
}

fn run(name: &str, times: u64) -> Result<()> {
    let part = find(name).with_context(|| format!("no part is called {name:?}"))?;
    let mut work = (part.make)();
    for _ in 0..times {
        work();
    }
    Ok(())
}

fn check(kept: &str) -> Result<ExitCode> {
    let kept = read(kept)?;
    let mut differ = 0;
    println!("{:<44}{:>12}{:>12}  change", "part", "kept", "now");
    for (name, now) in count_all()? {
        let before = kept.get(name).copied();
        let change = before.map(|before| now as f64 / before as f64 - 1.0);
        let is_within = change.is_some_and(|change| change.abs() <= TOLERANCE);
        differ += usize::from(!is_within);
        let before = before.map_or("–".to_owned(), |before| before.to_string());
        let change = change.map_or("new".to_owned(), |change| format!("{:+.1} %", change * 100.0));
        println!("{name:<44}{before:>12}{now:>12}  {change}{}", if is_within { "" } else { "  <-" });
    }
    if differ > 0 {
        println!(
            "{differ} parts differ by more than {:.0} %: `make instructions KEEP=1` keeps them.",
            TOLERANCE * 100.0
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn count_all() -> Result<Vec<(&'static str, u64)>> {
    PARTS.iter().filter(|part| part.counted).map(|part| Ok((part.name, count(part.name)?))).collect()
}

/// Instructions of doing a part once.
fn count(name: &str) -> Result<u64> {
    let (few, many) = (callgrind(name, FEW)?, callgrind(name, MANY)?);
    Ok(many.saturating_sub(few) / (MANY - FEW))
}

fn callgrind(name: &str, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", name, &times.to_string()])
        .output()
        .context("valgrind (Debian: apt-get install valgrind)")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} under callgrind:\n{told}");
    let count = told.lines().find_map(|line| line.split_once("Collected :")).context("callgrind counted nothing")?;
    Ok(count.1.trim().parse()?)
}

fn page(counts: &[(&str, u64)]) -> String {
    let mut text = "# Instructions of each part, in user space. Made by `make instructions KEEP=1`, compared by `make instructions`.\n".to_owned();
    for (name, count) in counts {
        text += &format!("{name:<44}{count:>12}\n");
    }
    text
}

fn read(page: &str) -> Result<BTreeMap<&str, u64>> {
    let rows = page.lines().filter(|line| !line.starts_with('#'));
    let row = |line| {
        let (name, count): (&str, &str) = str::rsplit_once(line, ' ').context("a line without a count")?;
        Ok((name.trim_end(), count.parse()?))
    };
    rows.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_was_written() {
        let counts = [("turn, 10 Pass states", 41_234), ("log", 7)];
        assert_eq!(read(&page(&counts)).unwrap(), BTreeMap::from(counts));
    }
}
