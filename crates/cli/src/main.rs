//! The one binary. Each subcommand is a file; `house.rs` puts engine, connectors, laptop services and server together,
//! for `serve` over a data directory and for `run` in memory.

mod backup;
mod check;
mod client;
mod files;
mod history;
mod house;
mod logging;
mod machines;
mod progress;
mod run;
mod serve;
mod settings;
mod sound;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// A request is many small allocations on one thread that are freed on another: see docs/decisions/0007-the-allocator.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A durable workflow engine that runs Amazon States Language and speaks the AWS Step Functions API.
///
/// Start a server and use it with any AWS SDK or the AWS CLI:
///
///   stepwell serve --laptop
///   aws stepfunctions list-state-machines --endpoint-url http://127.0.0.1:8083
///
/// Or run one execution without a server:
///
///   stepwell run machine.asl.json --input '{"name": "Ada"}'
///
/// Every setting may be a flag, an environment variable or a line of the settings file, in that order of strength.
#[derive(Parser)]
#[command(name = "stepwell", version, max_term_width = 110, verbatim_doc_comment)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Backup(backup::Backup),
    Check(check::Check),
    Run(run::Run),
    History(history::History),
    /// Print a completion script for a shell
    ///
    /// For example: stepwell completion bash > ~/.local/share/bash-completion/completions/stepwell
    Completion {
        shell: clap_complete::Shell,
    },
}

/// What a subcommand says when it cannot do its work.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(serve) => serve.execute(),
        Command::Backup(backup) => backup.execute(),
        Command::Check(check) => check.execute(),
        Command::Run(run) => run.execute(),
        Command::History(history) => history.execute(),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "stepwell", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("stepwell: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("  because {error}");
            cause = error.source();
        }
        ExitCode::from(2)
    })
}

/// A runtime for the subcommands that wait.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
