//! What it means when another OCI runtime could not do what it was told, in the words of the built-in one.

use super::super::protocol::Failure;
use serde::Deserialize;

/// A line of the log that runtimes write with `--log-format json`.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    msg: String,
}

/// Reads the log of a runtime that has failed to do `what`. A program that is not there or cannot be executed counts as a run
/// (127, 126); everything else as a container that could not be made.
pub fn failure(log: &str, what: &str) -> Failure {
    let mut lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let is_error = |line: &Line| matches!(line.level.as_str(), "error" | "fatal");
    let said = lines.find(is_error).map(|line| line.msg);
    // What is no JSON is said as it is; the end of it counts.
    let said = said.or_else(|| log.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned));
    let Some(said) = said else {
        return Failure::Create(format!("the container's runtime failed to {what} it and does not say why"));
    };
    let Some(at) = said.find("exec: \"") else {
        return Failure::Create(said);
    };
    let message = said[at..].to_owned();
    let is_missing =
        ["not found", "no such file or directory", "not a directory"].iter().any(|text| message.contains(text));
    Failure::Start { message, exit_code: if is_missing { 127 } else { 126 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &str, expect: Failure) {
        assert_eq!(failure(log, "create"), expect);
    }

    #[test]
    fn a_program_that_cannot_be_executed_is_told_as_the_built_in_runtime_does() {
        let line = |text: &str| {
            let msg = format!("runc create failed: unable to start container process: {text}");
            serde_json::json!({"level": "error", "msg": msg, "time": "2026-01-01T00:00:00Z"}).to_string()
        };
        for (message, exit_code) in [
            ("exec: \"nosuch\": executable file not found in $PATH", 127),
            ("exec: \"/nosuch\": stat /nosuch: no such file or directory", 127),
            ("exec: \"/etc/passwd\": permission denied", 126),
        ] {
            check(&line(message), Failure::Start { message: message.into(), exit_code });
        }
        let text = "error during container init: unable to apply caps: operation not permitted";
        check(&line(text), Failure::Create(format!("runc create failed: unable to start container process: {text}")));
    }

    #[test]
    fn the_last_error_counts_and_warnings_do_not() {
        let log = r#"{"level":"error","msg":"first"}
{"level":"error","msg":"second"}
{"level":"warning","msg":"cgroup is not empty"}
"#;
        check(log, Failure::Create("second".into()));
        check("plain words\n\n", Failure::Create("plain words".into()));
        check("", Failure::Create("the container's runtime failed to create it and does not say why".into()));
    }
}
