//! Screens as people see them, recorded: `tests/screens/NAME.txt`; `UPDATE_RECORDINGS=1` writes them anew.

use std::path::Path;
use std::process::Command;

use super::{stderr, stdout};

/// Command lines with what they print and how they end.
#[derive(Default)]
pub struct Screen {
    text: String,
    /// What differs from run to run, and what stands for it.
    masks: Vec<(String, String)>,
}

impl Screen {
    /// One on which these texts are replaced.
    pub fn masking(masks: &[(&str, &str)]) -> Self {
        let masks = masks.iter().map(|(text, mask)| ((*text).to_owned(), (*mask).to_owned())).collect();
        Self { text: String::new(), masks }
    }

    /// Runs a command to its end, and notes it; gives what it printed.
    pub fn run(&mut self, title: &str, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let (out, err) = (stdout(&output), stderr(&output));
        let code = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
        self.note(title, &format!("{out}{err}"));
        if code != "0" {
            self.text.push_str(&format!("[exit code {code}]\n"));
        }
        out
    }

    /// Notes text that came otherwise.
    pub fn note(&mut self, title: &str, text: &str) {
        let mut text = text.to_owned();
        for (from, to) in &self.masks {
            text = text.replace(from, to);
        }
        let blank = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{blank}$ {title}\n{}", steady(&text)));
    }

    /// Compares with what was recorded.
    #[track_caller]
    pub fn check(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_RECORDINGS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &self.text).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(recorded == self.text, "{name} looks different.\n--- recorded\n{recorded}\n--- seen\n{}", self.text);
    }
}

/// Numbers of processes and ports, sizes and times, which no two runs have in common.
fn steady(text: &str) -> String {
    let mut text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    for (before, mask) in
        [("process ", "PID"), ("127.0.0.1:", "PORT"), (" for ", "TIME"), (" in ", "TIME"), ("after ", "TIME")]
    {
        text = after(&text, before, mask);
    }
    UNITS.iter().fold(text, |text, unit| sizes(&text, unit))
}

const UNITS: [&str; 5] = [" B", " KiB", " MiB", " GiB", " TiB"];

/// Replaces `1.5 MiB`, where no letter follows.
fn sizes(text: &str, unit: &str) -> String {
    let mut steady = String::new();
    let mut parts = text.split(unit).peekable();
    while let Some(part) = parts.next() {
        let Some(next) = parts.peek() else {
            steady.push_str(part);
            break;
        };
        let before = part.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
        let is_size = before.len() < part.len() && !next.starts_with(|char: char| char.is_alphanumeric());
        steady.push_str(if is_size { before } else { part });
        steady.push_str(if is_size { "SIZE" } else { unit });
    }
    steady
}

/// Replaces the numbers that stand after a text; with a time's unit, if one follows.
fn after(text: &str, before: &str, mask: &str) -> String {
    let mut parts = text.split(before);
    let mut steady = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_of_number = |char: char| char.is_ascii_digit() || mask == "TIME" && ".hmsd".contains(char);
        let begins = part.starts_with(|char: char| char.is_ascii_digit());
        let rest = if begins { part.trim_start_matches(is_of_number) } else { part };
        steady.push_str(before);
        steady.push_str(if begins { mask } else { "" });
        steady.push_str(rest);
    }
    steady
}
