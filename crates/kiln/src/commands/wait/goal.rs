//! Decides whether an object is as somebody waits for it to be, will never be, or may yet become so. Pure.

use std::str::FromStr;

use serde_json::Value;

use crate::output::jsonpath::{self, Template};

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// A condition has this status.
    Condition { kind: String, status: String },
    /// A template finds one value, and it is this one; without a value, any.
    JsonPath { text: String, template: Template, value: Option<String> },
    /// The object is gone.
    Delete,
    /// The object is there.
    Create,
}

impl FromStr for Goal {
    type Err = String;
    /// `condition=NAME[=STATUS]`, `jsonpath=PATH[=VALUE]`, `delete` or `create`, as kubectl's --for.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text.eq_ignore_ascii_case("delete") => Ok(Goal::Delete),
            None if text.eq_ignore_ascii_case("create") => Ok(Goal::Create),
            Some(("condition", condition)) => {
                let (kind, status) = condition.split_once('=').unwrap_or((condition, "true"));
                if kind.is_empty() || status.is_empty() {
                    return Err("a condition is condition=NAME or condition=NAME=STATUS".into());
                }
                Ok(Goal::Condition { kind: kind.into(), status: status.into() })
            }
            Some(("jsonpath", rest)) => json_path(rest),
            _ => Err("what to wait for is condition=NAME[=STATUS], jsonpath=PATH[=VALUE], delete or create".into()),
        }
    }
}

/// `{.status.phase}=Running`. A filter in the path may hold `=` itself, so the path ends with its last brace.
fn json_path(text: &str) -> Result<Goal, String> {
    let (path, value) = match (text.rsplit_once("}="), text.contains('{')) {
        (Some((path, value)), true) => (format!("{path}}}"), Some(value)),
        (None, true) => (text.to_owned(), None),
        (_, false) => match text.split_once('=') {
            Some((path, value)) => (path.to_owned(), Some(value)),
            None => (text.to_owned(), None),
        },
    };
    // As kubectl: quotes around the value are the shell's affair, or nobody's.
    let value = value.map(|value| value.trim_matches(['\'', '"']));
    if value == Some("") {
        return Err("jsonpath wait value cannot be empty".into());
    }
    let template = jsonpath::relaxed(&path)?.parse()?;
    Ok(Goal::JsonPath { text: text.to_owned(), template, value: value.map(str::to_owned) })
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::Condition { kind, status } if status.eq_ignore_ascii_case("true") => f.write_str(kind),
            Goal::Condition { kind, status } => write!(f, "{kind}={status}"),
            Goal::JsonPath { text, .. } => write!(f, "jsonpath={text}"),
            Goal::Delete => f.write_str("delete"),
            Goal::Create => f.write_str("create"),
        }
    }
}

/// What has been seen of an object.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// It has not been there.
    NotYet,
    /// It is there.
    Here(&'a Value),
    /// It was there, and is not any more.
    Gone,
}

/// How the waiting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer nobody reports is a lost exit code"]
pub enum Answer {
    /// It may yet come.
    NotYet,
    /// The goal at this position has come true.
    Met(usize),
    /// None of them can come true any more.
    Never(Why),
}

/// Why it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was deleted.
    Deleted,
    /// It is a Job that has failed.
    Failed { reason: String, message: String },
    /// It is a Job or a pod that has ended, in this way.
    Ended(String),
    /// It is a suspended Job, which goes on when somebody resumes it.
    Suspended,
    /// The template does not fit the object.
    Unanswerable(String),
}

/// Conditions that only what happens to a Job before its end can make true.
const OF_A_JOBS_WAY: [&str; 5] = ["complete", "failed", "successcriteriamet", "failuretarget", "suspended"];
/// Conditions that a pod which has ended will not have again.
const OF_A_PODS_WAY: [&str; 5] =
    ["ready", "containersready", "initialized", "podscheduled", "podreadytostartcontainers"];

/// Looks at what has been seen. Of several goals that have come true the first counts. `through_suspension`: a suspended Job is
/// waited for as well.
pub fn judge(goals: &[Goal], seen: Seen<'_>, through_suspension: bool) -> Answer {
    if let Some(position) = goals.iter().position(|goal| is_met(goal, seen)) {
        return Answer::Met(position);
    }
    match seen {
        Seen::NotYet => Answer::NotYet,
        Seen::Gone => Answer::Never(Why::Deleted),
        Seen::Here(object) => {
            let misfit = goals.iter().find_map(|goal| misfit(goal, object));
            misfit.or_else(|| never(goals, object, through_suspension)).map_or(Answer::NotYet, Answer::Never)
        }
    }
}

fn is_met(goal: &Goal, seen: Seen<'_>) -> bool {
    match (goal, seen) {
        (Goal::Delete, Seen::Gone) | (Goal::Create, Seen::Here(_)) => true,
        (Goal::Condition { kind, status }, Seen::Here(object)) => condition(object, kind)
            .is_some_and(|condition| condition["status"].as_str().unwrap_or_default().eq_ignore_ascii_case(status)),
        (Goal::JsonPath { template, value, .. }, Seen::Here(object)) => {
            let found = template.values(object).unwrap_or_default();
            match (found.as_slice(), value) {
                ([_, ..], None) => true,
                ([found], Some(value)) => jsonpath::text(found) == *value,
                _ => false,
            }
        }
        (Goal::Condition { .. } | Goal::JsonPath { .. } | Goal::Delete | Goal::Create, _) => false,
    }
}

/// What is wrong with a template where it meets the object. kubectl does not wait for that to change either.
fn misfit(goal: &Goal, object: &Value) -> Option<Why> {
    let Goal::JsonPath { template, .. } = goal else { return None };
    template.values(object).err().map(Why::Unanswerable)
}

/// A condition that speaks of the present generation, where it says of which it speaks.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"].as_str().unwrap_or_default().eq_ignore_ascii_case(kind))?;
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
    let of = [&found["observedGeneration"], &object["status"]["observedGeneration"]];
    let is_old = of.into_iter().find_map(Value::as_i64).is_some_and(|observed| observed < generation);
    (!is_old).then_some(found)
}

fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

fn never(goals: &[Goal], object: &Value, through_suspension: bool) -> Option<Why> {
    let all_among = |names: &[&str]| {
        goals.iter().all(|goal| match goal {
            Goal::Condition { kind, status } => {
                status.eq_ignore_ascii_case("true") && names.contains(&kind.to_lowercase().as_str())
            }
            Goal::JsonPath { .. } | Goal::Delete | Goal::Create => false,
        })
    };
    match object["kind"].as_str() {
        Some("Job") if all_among(&OF_A_JOBS_WAY) => {
            if let Some(failed) = condition(object, "Failed").filter(|condition| condition["status"] == "True") {
                let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
                return Some(Why::Failed { reason: text("reason"), message: text("message") });
            }
            if is_true(object, "Complete") {
                return Some(Why::Ended("it is complete".into()));
            }
            // Somebody who resumes it changes the spec first; the condition follows.
            let is_suspended =
                object.pointer("/spec/suspend") == Some(&Value::Bool(true)) && is_true(object, "Suspended");
            (is_suspended && !through_suspension).then_some(Why::Suspended)
        }
        Some("Pod") if all_among(&OF_A_PODS_WAY) => {
            let phase = object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
            matches!(phase, "Succeeded" | "Failed").then(|| Why::Ended(format!("its phase is {phase}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn goals(texts: &[&str]) -> Vec<Goal> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn job(conditions: &[(&str, &str)], suspend: bool) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status)| json!({ "type": kind, "status": status, "reason": "R", "message": "m" }))
            .collect();
        json!({ "kind": "Job", "spec": { "suspend": suspend }, "status": { "conditions": conditions } })
    }

    #[test]
    fn goals_are_written_as_for_kubectl() {
        let condition = |kind: &str, status: &str| Goal::Condition { kind: kind.into(), status: status.into() };
        assert_eq!("condition=Complete".parse(), Ok(condition("Complete", "true")));
        assert_eq!("condition=Suspended=False".parse(), Ok(condition("Suspended", "False")));
        assert_eq!("delete".parse(), Ok(Goal::Delete));
        assert_eq!("create".parse(), Ok(Goal::Create));
        for bad in
            ["", "complete", "condition=", "condition=Ready=", "jsonpath={.status", "jsonpath={.status}=", "deleted"]
        {
            assert!(bad.parse::<Goal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_may_be_waited_for_with_a_value_or_without() {
        let pod = json!({ "kind": "Pod", "status": { "phase": "Running", "n": 3, "conditions": [{ "type": "A" }, { "type": "B" }] } });
        for (wanted, is_met) in [
            ("jsonpath={.status.phase}=Running", true),
            ("jsonpath=.status.phase=Running", true),
            ("jsonpath={.status.phase}=Pending", false),
            ("jsonpath={.status.phase}", true),
            ("jsonpath={.status.none}", false),
            ("jsonpath={.status.n}=3", true),
            ("jsonpath={.status.phase}=\"Running\"", true),
            ("jsonpath={.status.phase}='Running'", true),
            ("jsonpath={.status.conditions[?(@.type==\"B\")].type}=B", true),
            ("jsonpath={.status.conditions[*].type}=A", false),
        ] {
            let expect = if is_met { Answer::Met(0) } else { Answer::NotYet };
            assert_eq!(judge(&goals(&[wanted]), Seen::Here(&pod), false), expect, "{wanted}");
        }
    }

    #[test]
    fn a_template_that_does_not_fit_ends_the_waiting() {
        let pod = json!({ "kind": "Pod", "status": { "phase": "Running", "conditions": [{ "type": "A" }] } });
        let answer = judge(&goals(&["jsonpath={.status.conditions[7].type}=A"]), Seen::Here(&pod), false);
        assert!(matches!(answer, Answer::Never(Why::Unanswerable(_))), "{answer:?}");
    }

    #[test]
    fn an_answer_comes_as_soon_as_it_is_known() {
        let failed = Why::Failed { reason: "R".into(), message: "m".into() };
        let ended = || Why::Ended("it is complete".into());
        let (complete, ends) =
            (["condition=complete"].as_slice(), ["condition=complete", "condition=failed"].as_slice());
        for (wanted, object, expect) in [
            (complete, job(&[], false), Answer::NotYet),
            (complete, job(&[("SuccessCriteriaMet", "True")], false), Answer::NotYet),
            (complete, job(&[("Complete", "True")], false), Answer::Met(0)),
            (complete, job(&[("Complete", "False")], false), Answer::NotYet),
            (complete, job(&[("FailureTarget", "True")], false), Answer::NotYet),
            (complete, job(&[("Failed", "True")], false), Answer::Never(failed.clone())),
            (ends, job(&[("Failed", "True")], false), Answer::Met(1)),
            (&["condition=failed"], job(&[("Complete", "True")], false), Answer::Never(ended())),
            (&["condition=suspended"], job(&[("Complete", "True")], false), Answer::Never(ended())),
            (&["condition=complete", "delete"], job(&[("Failed", "True")], false), Answer::NotYet),
            (&["condition=complete", "condition=acme.io/seen"], job(&[("Failed", "True")], false), Answer::NotYet),
            (&["condition=complete=false"], job(&[("Failed", "True")], false), Answer::NotYet),
            (complete, job(&[("Suspended", "True")], true), Answer::Never(Why::Suspended)),
            (complete, job(&[("Suspended", "True")], false), Answer::NotYet),
            (complete, job(&[], true), Answer::NotYet),
            (&["condition=Suspended"], job(&[("Suspended", "True")], true), Answer::Met(0)),
            (&["condition=Suspended=false"], job(&[("Suspended", "True")], true), Answer::NotYet),
            (&["create"], job(&[], false), Answer::Met(0)),
        ] {
            assert_eq!(judge(&goals(wanted), Seen::Here(&object), false), expect, "{wanted:?} {object}");
        }
        let suspended = job(&[("Suspended", "True")], true);
        assert_eq!(judge(&goals(complete), Seen::Here(&suspended), true), Answer::NotYet);
    }

    #[test]
    fn a_pod_that_has_ended_is_never_ready() {
        let pod = |phase: &str| json!({ "kind": "Pod", "status": { "phase": phase } });
        let ready = goals(&["condition=Ready"]);
        assert_eq!(judge(&ready, Seen::Here(&pod("Running")), false), Answer::NotYet);
        let never = Answer::Never(Why::Ended("its phase is Succeeded".into()));
        assert_eq!(judge(&ready, Seen::Here(&pod("Succeeded")), false), never);
    }

    #[test]
    fn what_is_gone_does_not_come_back() {
        assert_eq!(judge(&goals(&["delete"]), Seen::Gone, false), Answer::Met(0));
        assert_eq!(judge(&goals(&["condition=complete"]), Seen::Gone, false), Answer::Never(Why::Deleted));
        assert_eq!(judge(&goals(&["create"]), Seen::NotYet, false), Answer::NotYet);
    }

    #[test]
    fn a_condition_of_an_older_generation_does_not_count() {
        let mut object = json!({ "kind": "X", "metadata": { "generation": 2 }, "status": { "conditions": [
            { "type": "Ready", "status": "True", "observedGeneration": 1 }] } });
        let ready = goals(&["condition=Ready"]);
        assert_eq!(judge(&ready, Seen::Here(&object), false), Answer::NotYet);
        object["status"]["conditions"][0]["observedGeneration"] = json!(2);
        assert_eq!(judge(&ready, Seen::Here(&object), false), Answer::Met(0));
    }
}
