//! `$(…)` where nobody puts a value in its place: Kubernetes knows variables, and is no shell.

use super::Finding;
use super::object::Object;
use super::pods::{Container, Pod};
use super::scripts::is_shell;
use std::collections::BTreeSet;

/// Tells of `$(date)` in values of variables, and in commands that no shell reads.
pub(super) fn check(object: &Object<'_>, pod: &Pod<'_>, findings: &mut Vec<Finding>) {
    for container in pod.containers() {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let is_open = container.at.field("envFrom").len() != 0;
        for variable in container.at.field("env").items() {
            let value = variable.field("value");
            for reference in references(value.text()) {
                if !known.contains(reference) && !may_be_known(reference, is_open) {
                    findings.push(unfilled(object, &value.path, reference));
                }
            }
            known.insert(variable.field("name").text());
        }
        if has_shell(&container) {
            continue;
        }
        for word in ["command", "args"].into_iter().flat_map(|field| container.words(field)) {
            let mut commands = references(word.text());
            commands.retain(|reference| is_command(reference) && !known.contains(reference));
            findings.extend(commands.iter().map(|name| unfilled(object, &word.path, name)));
        }
    }
}

/// Whether a shell is meant to run it. Other languages have a use for `$(…)` themselves.
fn is_command(text: &str) -> bool {
    let program = text.split_whitespace().next().unwrap_or_default();
    ["cat", "date", "env", "hostname", "id", "ls", "nproc", "pwd", "seq", "uname", "whoami"].contains(&program)
}

/// A program that is not named may be a shell.
fn has_shell(container: &Container<'_>) -> bool {
    container.words("command").first().is_none_or(|program| is_shell(program.text()))
}

/// What the image, a ConfigMap, a Service or the Job controller may have set.
fn may_be_known(name: &str, is_open: bool) -> bool {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let is_services = name.contains("_SERVICE_") || name.contains("_PORT");
    is_name && (is_open || is_services || matches!(name, "JOB_COMPLETION_INDEX"))
}

/// The texts between `$(` and `)`; `$$(` stands for itself.
fn references(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('$') {
            rest = escaped;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            found.push(name);
            rest = after;
        }
    }
    found
}

fn unfilled(object: &Object<'_>, path: &str, name: &str) -> Finding {
    let finding = object.warning(path, format!("$({name}) stays as it is"));
    let cause = "only $(NAME) of a variable set before it is replaced; no shell reads this";
    finding.because(cause).remedy(
        "set the variable before it, or do it in a script: command: [\"sh\", \"-c\", \"…\"]; $$( says that it is meant",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_what_kubernetes_would_replace() {
        for (text, expect) in [
            ("a$(B)c$(D)", vec!["B", "D"]),
            ("$$(B)", vec![]),
            ("$$$(B)", vec!["B"]),
            ("$B ${B} $(", vec![]),
            ("batch-$(date +%Y)", vec!["date +%Y"]),
        ] {
            assert_eq!(references(text), expect, "{text}");
        }
    }
}
