//! What a namespace's labels ask of its pods (K:staging/src/k8s.io/pod-security-admission/api).

use meta::field::FieldError;
use meta::object;
use serde_json::Value;
use std::fmt;

/// How much pods may do. The later, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// Of which minor version of Kubernetes the rules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Minor(u32),
    /// Newer than any.
    Latest,
}

/// A level by the rules of a version: `restricted:latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    pub level: Level,
    pub version: Version,
}

/// What a namespace asks for. Beside what is enforced there is what only warns; what is audited asks nothing of anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub enforce: Rules,
    pub warn: Rules,
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            Version::Latest => write!(f, "{level}:latest"),
            Version::Minor(minor) => write!(f, "{level}:v1.{minor}"),
        }
    }
}

/// What the labels of pod security begin with.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// The policy of a namespace, and what is wrong with its labels. What cannot be read is enforced as the strictest, and
/// warned of not at all. A namespace without labels gets `baseline`; Kubernetes' own default is `privileged`.
pub(super) fn of_namespace(namespace: &Value) -> (Policy, Vec<FieldError>) {
    let mut errors = Vec::new();
    let mut rules = |mode: &str, default: Level, unreadable: Level| {
        let level_label = format!("{PREFIX}{mode}");
        let level = match object::label(namespace, &level_label) {
            None => default,
            Some("privileged") => Level::Privileged,
            Some("baseline") => Level::Baseline,
            Some("restricted") => Level::Restricted,
            Some(other) => {
                errors.push(wrong(&level_label, other, "must be one of privileged, baseline, restricted"));
                unreadable
            }
        };
        let version_label = format!("{PREFIX}{mode}-version");
        let version = match object::label(namespace, &version_label) {
            None => Version::Latest,
            Some(text) => parse_version(text).unwrap_or_else(|| {
                errors.push(wrong(&version_label, text, "must be \"latest\" or \"v1.x\""));
                Version::Latest
            }),
        };
        Rules { level, version }
    };
    let enforce = rules("enforce", Level::Baseline, Level::Restricted);
    rules("audit", Level::Privileged, Level::Privileged);
    let warn = rules("warn", Level::Privileged, Level::Privileged);
    (Policy { enforce, warn }, errors)
}

fn wrong(label: &str, value: &str, detail: &str) -> FieldError {
    FieldError::invalid(format!("metadata.labels[{label}]"), value, detail)
}

fn parse_version(text: &str) -> Option<Version> {
    if text == "latest" {
        return Some(Version::Latest);
    }
    let minor = text.strip_prefix("v1.")?;
    let is_plain = minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    minor.parse().ok().filter(|_| is_plain).map(Version::Minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    #[test]
    fn labels_are_read_and_mistakes_are_named() {
        let read = |labels: Value| {
            let (policy, errors) = of_namespace(&json!({"metadata": {"labels": labels}}));
            (policy.enforce.to_string(), policy.warn.to_string(), texts(&errors))
        };
        let enforce = "pod-security.kubernetes.io/enforce";
        let same = |left: &str, right: &str, errors: &[&str]| {
            (left.to_owned(), right.to_owned(), errors.iter().map(|error| (*error).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(read(json!({})), same("baseline:latest", "privileged:latest", &[]));
        assert_eq!(
            read(json!({enforce: "restricted", "pod-security.kubernetes.io/enforce-version": "v1.25",
                "pod-security.kubernetes.io/warn": "baseline"})),
            same("restricted:v1.25", "baseline:latest", &[])
        );
        assert_eq!(
            read(json!({enforce: "strict", "pod-security.kubernetes.io/warn-version": "v1.08",
                "pod-security.kubernetes.io/audit": "x"})),
            same(
                "restricted:latest",
                "privileged:latest",
                &[
                    "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one of privileged, baseline, restricted",
                    "metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"x\": must be one of privileged, baseline, restricted",
                    "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v1.08\": must be \"latest\" or \"v1.x\"",
                ]
            )
        );
    }
}
