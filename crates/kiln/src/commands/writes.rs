//! What the verbs that change objects share: dry runs, the form of the result, and the lines that tell what was done.

use std::str::FromStr;

use serde_json::Value;

use super::objects;
use crate::output::form::{self, Form};
use crate::output::{self, Problem};

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DryRun {
    /// It is.
    #[default]
    No,
    /// Nothing is sent.
    Client,
    /// The server judges, and stores nothing.
    Server,
}

impl FromStr for DryRun {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(DryRun::No),
            "client" => Ok(DryRun::Client),
            "server" => Ok(DryRun::Server),
            _ => Err("it is none, client or server".into()),
        }
    }
}

impl DryRun {
    /// For the query of a request.
    pub fn query(self) -> (&'static str, &'static str) {
        ("dryRun", if self == DryRun::Server { "All" } else { "" })
    }

    /// What is appended to the line that tells what was done.
    pub fn note(self) -> &'static str {
        match self {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }
}

/// Options of a verb that changes objects.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Writing {
    /// none, client (nothing is sent) or server (judged, but not stored)
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client")]
    pub dry_run: DryRun,
    /// Form of the result: name, json, yaml, jsonpath=TEMPLATE, …
    #[arg(short, long, value_name = "FORM")]
    pub output: Option<Form>,
    /// With metadata.managedFields
    #[arg(long)]
    pub show_managed_fields: bool,
    /// Who is noted as having written the fields
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
}

/// Tells of one object after the other what was done. YAML documents are told apart.
pub struct Telling<'a> {
    writing: &'a Writing,
    n_told: usize,
}

impl Writing {
    /// Begins to tell.
    pub fn telling(&self) -> Telling<'_> {
        Telling { writing: self, n_told: 0 }
    }

    /// The field manager to send.
    pub fn manager<'a>(&'a self, default: &'a str) -> &'a str {
        self.field_manager.as_deref().unwrap_or(default)
    }
}

impl Telling<'_> {
    /// `job.batch/pi created`, or the object in the form that -o names.
    pub fn done(&mut self, object: Value, what: &str) -> Result<(), Problem> {
        let Some(form) = &self.writing.output else {
            return output::tell(&format!("{} {what}{}\n", objects::title(&object), self.writing.dry_run.note()));
        };
        let object = if self.writing.show_managed_fields { object } else { form::without_managed_fields(object) };
        let text = form::each(form, &[object], objects::title)
            .map_err(|cause| Problem::failed("the template does not fit the object").because(cause))?;
        let gap = if 0 < self.n_told && matches!(form, Form::Yaml) { "---\n" } else { "" };
        self.n_told += 1;
        output::tell(&format!("{gap}{text}"))
    }
}

/// Goes on after what fails, and ends as the first failure says.
#[derive(Debug, Default)]
pub struct Failures(Vec<Problem>);

impl Failures {
    /// Keeps a failure for the end.
    pub fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem)).ok()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all, in order; fails, as the first did, if there are any.
    pub fn end(mut self) -> Result<output::Exit, Problem> {
        let Some(last) = self.0.pop() else { return Ok(output::Exit::Success) };
        let exit = self.0.first().map_or(last.exit, |first| first.exit);
        for failure in self.0 {
            output::report(&failure);
        }
        Err(Problem { exit, ..last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_failures_end_as_the_first_and_are_told_in_order() {
        let mut failures = Failures::default();
        assert!(failures.is_empty());
        failures.keep::<()>(Err(Problem::usage("first")));
        failures.keep::<()>(Err(Problem::internal("second")));
        failures.keep::<()>(Err(Problem::failed("last")));
        let end = failures.end().unwrap_err();
        // The command's end tells the last one: the others have been told.
        assert_eq!((end.what.as_str(), end.exit.code()), ("last", 2));
        assert_eq!(Failures::default().end().unwrap(), output::Exit::Success);
    }
}
