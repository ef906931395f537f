//! What would go wrong with manifests, told before anything is applied. Looks at the manifests and at nothing else: what is
//! on a server already is not known here, so what only may be missing is a warning.
//!
//! ```text
//! Manifest -> fields (misspelt, misplaced, types) -> object (defaults, Kubernetes' validation)      errors
//!          -> references · selectors · hosts · directories · images · security · scripts · variables · jobs · schedules              warnings
//! ```

mod lines;

mod fields;
mod identity;
mod object;
mod pods;

mod directories;
mod hosts;
mod images;
mod jobs;
mod references;
mod schedules;
mod scripts;
mod security;
mod selectors;
mod variables;
mod world;

pub use lines::Lines;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// One object as it stands in a file.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Which document of the file, from 1; empty ones do not count.
    pub document: usize,
    /// The object; of fields that stand twice the last one.
    pub object: Value,
    /// Where its parts stand.
    pub lines: Lines,
    /// Paths of the fields that stand twice.
    pub repeated: Vec<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A server refuses it.
    Error,
    /// A server takes it, and then it does not do what it should, or may not.
    Warning,
}

/// One thing that would go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// Which document of the file, from 1; 0 when the file could not be read.
    pub document: usize,
    /// The line in the file, from 1, as near as it is known.
    pub line: Option<usize>,
    /// `job.batch/pi`.
    pub object: String,
    /// The API path; empty when it is the object as a whole.
    pub field: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with its path.
    pub what: String,
    /// Why, or what it leads to.
    pub cause: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// A file that is neither YAML nor JSON.
    pub fn unreadable(file: &str, line: Option<usize>, cause: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            document: 0,
            line,
            object: String::new(),
            field: String::new(),
            severity: Severity::Error,
            what: "not valid YAML".to_owned(),
            cause: Some(cause.into()),
            remedy: Some("correct it there; YAML is indented with spaces, never with tabs".to_owned()),
        }
    }

    fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What the manifests are looked at with.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// Schedules are looked at from here on.
    pub now: Timestamp,
    /// The zone of CronJobs that name none.
    pub local: TimeZone,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Whether all files could be read: if not, nobody can say what is missing.
    pub is_complete: bool,
}

/// Everything that would go wrong with these manifests, in their order; of one manifest in the order of its lines.
pub fn findings(manifests: &[Manifest], circumstances: &Circumstances) -> Vec<Finding> {
    let mut findings = Vec::new();
    let objects: Vec<object::Object<'_>> = manifests
        .iter()
        .filter_map(|manifest| object::read(manifest, &circumstances.namespace, &mut findings))
        .collect();
    let world = world::World::of(&objects);
    world.repeated(&mut findings);
    if circumstances.is_complete {
        references::check(&objects, &world, &mut findings);
        selectors::check(&objects, &mut findings);
        hosts::check(&objects, &world, &mut findings);
        directories::check(&objects, &world, &mut findings);
    }
    for object in &objects {
        schedules::check(object, circumstances, &mut findings);
        jobs::check(object, &mut findings);
        if let Some(pod) = pods::of(object) {
            images::check(object, &pod, &mut findings);
            security::check(object, &pod, &world, &mut findings);
            scripts::check(object, &pod, &world, &mut findings);
            variables::check(object, &pod, &mut findings);
        }
    }
    let place = |finding: &Finding| {
        let manifest = manifests.iter().position(|it| it.file == finding.file && it.document == finding.document);
        (manifest, finding.line, finding.severity)
    };
    findings.sort_by_key(place);
    findings
}

#[cfg(test)]
mod tests;
