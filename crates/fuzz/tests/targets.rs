//! Each target for a bounded time: `KILN_FUZZ_SECONDS` (2), from `KILN_FUZZ_SEED` (1); or one input: `KILN_FUZZ_INPUT=FILE`.
#![allow(missing_docs, reason = "a test binary")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fuzz::drive::{Options, drive};
use std::path::Path;
use std::time::Duration;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn run(name: &str) {
    let target = fuzz::target(name).unwrap();
    if let Some(file) = std::env::var_os("KILN_FUZZ_INPUT") {
        target.run(&std::fs::read(file).unwrap());
        return;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(dir).unwrap();
    let time = Duration::from_secs(number("KILN_FUZZ_SECONDS", 2));
    drive(target, Options { time, seed: number("KILN_FUZZ_SEED", 1) }, dir);
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_target_is_run() {
            let mut listed = vec![$(stringify!($name)),*];
            let mut there: Vec<&str> = fuzz::targets().map(|target| target.name).collect();
            listed.sort_unstable();
            there.sort_unstable();
            assert_eq!(listed, there);
        }
    };
}

targets! {
    quantity duration label_selector field_selector label_selector_object json_patch merge_patch strategic_patch fields_v1
    schema kinds check schedule
    path query accept continue_token yaml protobuf to_protobuf request
    image_archive root_archive image_reference dns_question log_file supervisor_frame
}
