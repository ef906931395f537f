//! What a pod failure policy says of a failed pod (KEP-3329, K:pkg/controller/job/pod_failure_policy.go).

use crate::job::pods::{End, PodFacts};
use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};

/// What a failed pod means for its Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts towards the back-off limits.
    Count,
    /// It does not count, and is replaced.
    Ignore,
    /// Its index has failed, whatever the limit.
    FailIndex,
    /// The Job has failed, with this text.
    FailJob(String),
}

/// Judges a failed pod: the first rule that matches decides; where none does, it counts.
pub(super) fn judge(policy: Option<&PodFailurePolicy>, namespace: &str, pod: &PodFacts) -> Verdict {
    let (Some(policy), Some(end)) = (policy, pod.end.as_deref()) else {
        return Verdict::Count;
    };
    let verdicts = policy.rules.iter().enumerate().filter_map(|(index, rule)| {
        let what = matching(rule, end, namespace, &pod.name)?;
        match rule.action.as_str() {
            "Count" => Some(Verdict::Count),
            "Ignore" => Some(Verdict::Ignore),
            "FailIndex" => Some(Verdict::FailIndex),
            "FailJob" => Some(Verdict::FailJob(format!("{what} matching FailJob rule at index {index}"))),
            // An action of a later version: as if the rule were not there.
            _ => None,
        }
    });
    verdicts.into_iter().next().unwrap_or(Verdict::Count)
}

/// What of the pod matches the rule, as the condition's message begins.
fn matching(rule: &PodFailurePolicyRule, end: &End, namespace: &str, name: &str) -> Option<String> {
    if let Some(wanted) = &rule.on_exit_codes {
        let (container, code) = end.exit_codes.iter().find(|(container, code)| is_wanted(wanted, container, *code))?;
        return Some(format!("Container {container} for pod {namespace}/{name} failed with exit code {code}"));
    }
    let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
    let (kind, _) = end.conditions.iter().find(|found| patterns.iter().any(|pattern| holds(pattern, found)))?;
    Some(format!("Pod {namespace}/{name} has condition {kind}"))
}

fn is_wanted(wanted: &PodFailurePolicyOnExitCodesRequirement, container: &str, code: i32) -> bool {
    if code == 0 || wanted.container_name.as_deref().is_some_and(|name| name != container) {
        return false;
    }
    match wanted.operator.as_str() {
        "In" => wanted.values.contains(&code),
        "NotIn" => !wanted.values.contains(&code),
        _ => false,
    }
}

fn holds(pattern: &PodFailurePolicyOnPodConditionsPattern, (kind, status): &(String, String)) -> bool {
    pattern.type_ == *kind && pattern.status.as_deref().unwrap_or("True") == status
}
