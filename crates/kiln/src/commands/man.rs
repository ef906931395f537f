//! `kiln man`: the manual pages, made from what the command line knows of itself.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::output::{Exit, Problem};

/// Write the manual pages, one a verb
///
/// kiln man ~/.local/share/man/man1, then: man kiln-run
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to; made if it is missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes them.
pub fn run(arguments: &Arguments) -> Result<Exit, Problem> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(super::Arguments::command(), directory))
        .map_err(|error| {
            Problem::failed(format!("cannot write to {}", directory.display()))
                .because(error)
                .remedy("name a directory that may be written to")
        })?;
    Ok(Exit::Success)
}
