//! `kiln check`: what would go wrong with manifests. Reads files and nothing else.

mod read;

use std::path::PathBuf;

use jiff::Timestamp;
use kinds::check::{Circumstances, Finding, Severity};
use meta::clock::Clock;
use serde_json::{Value, json};

use super::manifests::Files;
use crate::machine::SystemClock;
use crate::output::{self, Exit, Problem, paint};

/// Say what would go wrong with manifests, without a server
///
/// Exits with 0 if there are no errors, with 1 if there are (with --strict: or warnings), with 2 if a file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files, as with -f
    #[arg(value_name = "FILE")]
    more: Vec<PathBuf>,
    #[command(flatten)]
    files: Files,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Fail with warnings too
    #[arg(long)]
    strict: bool,
    /// Look at schedules from this moment on, e.g. 2026-03-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// json: for programs
    #[arg(short, long, value_name = "FORM", value_parser = ["json"])]
    output: Option<String>,
}

/// What was looked at, and what was found.
struct Report {
    findings: Vec<Finding>,
    n_objects: usize,
    n_files: usize,
}

/// Prints the findings.
pub fn run(mut arguments: Arguments) -> Result<Exit, Problem> {
    arguments.files.files.append(&mut arguments.more);
    super::objects::check_namespace(&arguments.namespace)?;
    let report = look(&arguments)?;
    match arguments.output {
        Some(_) => output::print(&output::json::indented(&report.as_json()))?,
        None => output::print(&report.text(paint::wanted()))?,
    }
    let (n_errors, n_warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let is_well = n_errors == 0 && (n_warnings == 0 || !arguments.strict);
    Ok(if is_well { Exit::Success } else { Exit::Failed })
}

fn look(arguments: &Arguments) -> Result<Report, Problem> {
    if arguments.files.files.is_empty() {
        return Err(Problem::usage("no file is given").remedy("name the manifests: kiln check -f FILE"));
    }
    let paths = arguments.files.paths()?;
    let (mut manifests, mut unreadable) = (Vec::new(), Vec::new());
    for path in &paths {
        let name = if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() };
        match read::manifests(&super::manifests::text(path)?, &name) {
            Ok(found) => manifests.extend(found),
            Err(finding) => unreadable.push(*finding),
        }
    }
    if manifests.is_empty() && unreadable.is_empty() {
        return Err(arguments.files.empty());
    }
    let circumstances = Circumstances {
        now: arguments.from.unwrap_or_else(|| SystemClock.now()),
        local: SystemClock.zone(),
        namespace: arguments.namespace.clone(),
        is_complete: unreadable.is_empty(),
    };
    let mut findings = unreadable;
    findings.extend(kinds::check::findings(&manifests, &circumstances));
    Ok(Report { findings, n_objects: manifests.len(), n_files: paths.len() })
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// A block for each finding, and a line that sums up.
    fn text(&self, is_coloured: bool) -> String {
        let mut text: String = self.findings.iter().map(|finding| block(finding, is_coloured) + "\n").collect();
        let (n_errors, n_warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let of = format!("{} in {}", number(self.n_objects, "object"), number(self.n_files, "file"));
        let found = format!("{}, {}", number(n_errors, "error"), number(n_warnings, "warning"));
        text.push_str(&format!("{of}: {found}\n"));
        text
    }

    fn as_json(&self) -> Value {
        json!({
            "findings": self.findings.iter().map(as_json).collect::<Vec<_>>(),
            "files": self.n_files,
            "objects": self.n_objects,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
        })
    }
}

/// Error, cause, what to do.
fn block(finding: &Finding, is_coloured: bool) -> String {
    let word = match finding.severity {
        Severity::Error => paint::error("error:".to_owned(), is_coloured),
        Severity::Warning => paint::warning("warning:".to_owned(), is_coloured),
    };
    let place = finding.line.map_or_else(|| finding.file.clone(), |line| format!("{}:{line}", finding.file));
    let object = if finding.object.is_empty() { String::new() } else { format!("{}: ", finding.object) };
    let mut text = format!("{word} {}\n", output::printable(&format!("{place}: {object}{}", finding.what)));
    for (word, part) in [("cause", &finding.cause), ("to do", &finding.remedy)] {
        if let Some(part) = part {
            text.push_str(&format!("{word}: {}\n", output::printable(part).replace('\n', "\n       ")));
        }
    }
    text
}

fn number(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "file": finding.file,
        "document": finding.document,
        "line": finding.line,
        "object": finding.object,
        "field": finding.field,
        "severity": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "what": finding.what,
        "cause": finding.cause,
        "remedy": finding.remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_block_for_each_finding_and_a_line_that_sums_up() {
        let report = |findings| Report { findings, n_objects: 1, n_files: 2 };
        let mut finding = Finding::unreadable("a.yaml", Some(3), "no\nway \u{1b}[2J");
        let expect = "error: a.yaml:3: not valid YAML\ncause: no\n       way ^[[2J\nto do: correct it there; YAML is indented with spaces, \
                      never with tabs\n\n1 object in 2 files: 1 error, 0 warnings\n";
        assert_eq!(report(vec![finding.clone()]).text(false), expect);
        finding.severity = Severity::Warning;
        let coloured = report(vec![finding]).text(true);
        assert!(coloured.starts_with("\u{1b}[33mwarning:\u{1b}[0m a.yaml:3: not valid YAML\n"), "{coloured:?}");
        assert!(coloured.ends_with("1 object in 2 files: 0 errors, 1 warning\n"), "{coloured:?}");
        assert_eq!(report(Vec::new()).text(true), "1 object in 2 files: 0 errors, 0 warnings\n");
    }
}
