//! `kiln image`: images on this machine.

use std::path::{Path, PathBuf};

use crate::output::{Exit, Problem};

/// Images on this machine.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// `--data-dir D` means `D/images`; else `KILN_IMAGE_DIR`, else that of the default data directory.
pub fn directory(data_dir: Option<&Path>) -> PathBuf {
    match (data_dir, std::env::var_os("KILN_IMAGE_DIR")) {
        (Some(data_dir), _) => data_dir.join("images"),
        (None, Some(directory)) => directory.into(),
        (None, None) => super::default_data_dir().join("images"),
    }
}

/// Does what the arguments say.
pub fn run(_arguments: &Arguments) -> Result<Exit, Problem> {
    todo!()
}
