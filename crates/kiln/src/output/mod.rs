//! What people and scripts see: exit codes, errors as error / cause / what to do. Results go to stdout, talk to stderr.

pub mod columns;
pub mod form;
pub mod json;
pub mod jsonpath;
pub mod paint;
pub mod progress;
pub mod sort;
mod stable;
pub mod table;
pub mod tabs;
pub mod wrap;
pub mod yaml;

use std::io::Write;
use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `run`: the Job is complete.
    Success,
    /// The Job failed or was deleted, and no single container decided it; what was asked for is not so.
    Failed,
    /// The command line or the manifest is wrong.
    Usage,
    /// A container's own exit code.
    Container(u8),
    /// `--timeout` passed.
    Timeout,
    /// kiln's own error.
    Internal,
    /// Detached by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Container(code) => code,
            Exit::Timeout => 124,
            Exit::Internal => 125,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// An error for a person: what happened, why, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// How the command ends because of it.
    pub exit: Exit,
    /// What went wrong, in a line.
    pub what: String,
    /// Why, when it is not the same thing.
    pub cause: Option<String>,
    /// What to do next.
    pub remedy: Option<String>,
}

impl Problem {
    /// A mistake in what the user gave.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), cause: None, remedy: None }
    }

    /// What was asked for is not so, or not there.
    pub fn failed(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), cause: None, remedy: None }
    }

    /// kiln's or the machine's failure.
    pub fn internal(what: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, what: what.into(), cause: None, remedy: None }
    }

    /// An end about which there is nothing more to say.
    pub fn silent(exit: Exit) -> Self {
        Self { exit, what: String::new(), cause: None, remedy: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The text for stderr.
    pub fn render(&self) -> String {
        if self.what.is_empty() {
            return String::new();
        }
        let mut text = format!("error: {}\n", self.what);
        if let Some(cause) = &self.cause {
            text.push_str(&format!("cause: {}\n", cause.replace('\n', "\n       ")));
        }
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("to do: {}\n", remedy.replace('\n', "\n       ")));
        }
        text
    }
}

/// Writes a result to stdout. A reader that has seen enough (`| head`) ends the command, and is no failure.
pub fn print(text: &str) -> Result<(), Problem> {
    write_bytes(text.as_bytes())
}

/// Tells what was done. Unlike [`print`], a reader that has gone does not end the command: what was asked for is done to its end.
pub fn tell(text: &str) -> Result<(), Problem> {
    match print(text) {
        Err(problem) if problem.exit == Exit::Success => Ok(()),
        result => result,
    }
}

/// [`print`] for bytes that need not be text.
pub fn write_bytes(bytes: &[u8]) -> Result<(), Problem> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Problem::silent(Exit::Success)),
        Err(error) => Err(Problem::internal("cannot write the result").because(error)),
    }
}

/// Text from a server without what would command a terminal, as kubectl shows it.
pub fn printable(text: &str) -> String {
    text.replace('\u{1b}', "^[").replace('\r', "\\r")
}

/// Prints a problem to stderr and gives its exit.
pub fn report(problem: &Problem) -> Exit {
    eprint!("{}", problem.render());
    problem.exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_error_cause_and_what_to_do() {
        let problem = Problem::usage("no such file: x.yaml").because("line 1\nline 2").remedy("write it");
        assert_eq!(problem.render(), "error: no such file: x.yaml\ncause: line 1\n       line 2\nto do: write it\n");
        assert_eq!(problem.exit.code(), 2);
    }

    #[test]
    fn what_is_silent_says_nothing() {
        assert_eq!(Problem::silent(Exit::Failed).render(), "");
    }

    #[test]
    fn terminals_take_no_orders_from_servers() {
        assert_eq!(printable("a\u{1b}[2Jb\r"), "a^[[2Jb\\r");
    }

    #[test]
    fn exit_codes_are_those_the_command_line_promises() {
        let codes = [
            Exit::Success,
            Exit::Failed,
            Exit::Usage,
            Exit::Container(42),
            Exit::Timeout,
            Exit::Internal,
            Exit::Interrupted,
        ]
        .map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 42, 124, 125, 130]);
    }
}
