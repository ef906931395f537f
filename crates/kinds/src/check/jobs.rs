//! Jobs that do not end, or end otherwise than they read.

use super::Finding;
use super::object::Object;
use super::pods;
use super::scripts::is_shell;
use crate::at::At;
use jiff::SignedDuration;

/// Longer than this nobody waits for tries that fail.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// Tells of endless retries, and of counts that do not mean what they seem to.
pub(super) fn check(object: &Object<'_>, findings: &mut Vec<Finding>) {
    let Some(spec) = pods::job(object) else { return };
    if !spec.field("activeDeadlineSeconds").is_set() {
        retries(object, &spec, findings);
        restarts(object, &spec, findings);
        endless(object, &spec, findings);
    }
    counts(object, &spec, findings);
    shared_directories(object, &spec, findings);
}

fn retries(object: &Object<'_>, spec: &At<'_>, findings: &mut Vec<Finding>) {
    let is_restarted = spec.fields(&["template", "spec", "restartPolicy"]).text() == "OnFailure";
    let remedy = format!("add {}.activeDeadlineSeconds, or try fewer times", spec.path);
    for limit in ["backoffLimit", "backoffLimitPerIndex"].map(|limit| spec.field(limit)) {
        let Some(tries) = limit.int() else { continue };
        let waiting = waiting(tries, is_restarted);
        if PATIENCE < waiting {
            let what =
                format!("{tries} retries of what always fails take {}, and no deadline ends them", long(waiting));
            let longest = if is_restarted { "five" } else { "ten" };
            let cause = format!("it is tried again 10 s after a failure, then 20 s, and so on up to {longest} minutes");
            findings.push(object.warning(&limit.path, what).because(cause).remedy(&remedy));
        }
    }
    for rule in spec.fields(&["podFailurePolicy", "rules"]).items() {
        let codes = rule.field("onExitCodes");
        if rule.field("action").text() == "Ignore" && codes.is_set() {
            let what = "a pod that always ends so is tried again for ever";
            let cause = "failures that are ignored do not count towards backoffLimit, and no deadline ends the Job";
            findings.push(
                object
                    .warning(&rule.path, what)
                    .because(cause)
                    .remedy(format!("add {}.activeDeadlineSeconds, or use action: Count", spec.path)),
            );
        }
    }
}

/// Containers with a restart policy of their own (KEP-5307). Restarts count towards backoffLimit only in pods whose
/// restartPolicy is OnFailure.
fn restarts(object: &Object<'_>, spec: &At<'_>, findings: &mut Vec<Finding>) {
    let pod = spec.fields(&["template", "spec"]);
    let remedy = format!("add {}.activeDeadlineSeconds, or leave it out", spec.path);
    for container in pod.field("containers").items() {
        let (policy, rules) = (container.field("restartPolicy"), container.field("restartPolicyRules"));
        let uncounted = "restarts do not count towards backoffLimit in a pod with restartPolicy Never";
        let (at, what, cause) = match (policy.text(), pod.field("restartPolicy").text()) {
            ("Always", _) => (policy, "the Job never completes", "the container is started again whenever it ends"),
            ("OnFailure", "Never") => (policy, "a container that always fails is started again for ever", uncounted),
            ("Never", "Never") if 0 < rules.len() => {
                (rules, "a container that always ends so is started again for ever", uncounted)
            }
            _ => continue,
        };
        findings.push(object.warning(&at.path, what).because(cause).remedy(&remedy));
    }
}

/// What runs for ever in a container that the Job waits for.
const ENDLESS: [&str; 4] = ["tail -f ", "tail -F ", "sleep infinity", "sleep inf"];

fn endless(object: &Object<'_>, spec: &At<'_>, findings: &mut Vec<Finding>) {
    for container in spec.fields(&["template", "spec", "containers"]).items() {
        let words = ["command", "args"].map(|field| container.field(field));
        let words: Vec<&str> = words.iter().flat_map(At::items).map(|word| word.text()).collect();
        // A shell may end it by a signal, unless it is all that the shell does.
        let line = match words.as_slice() {
            [shell, option, script] if is_shell(shell) && option.starts_with('-') => script.trim().to_owned(),
            words => words.join(" "),
        };
        if ENDLESS.iter().any(|endless| line.starts_with(endless)) && !line.contains(['&', '|', '\n']) {
            let finding = object.warning(&container.path, "the Job never completes: this container does not end");
            let cause = format!("it runs {line:?}, and a Job waits for all its containers");
            findings.push(finding.because(cause).remedy(
                "make it a sidecar: one of initContainers, with restartPolicy: Always; sidecars end with the others",
            ));
        }
    }
}

/// How long the waits between so many tries are together. A Job doubles its wait up to ten minutes, a container that is
/// restarted in its pod up to five.
fn waiting(tries: i64, is_restarted: bool) -> SignedDuration {
    let longest: i64 = if is_restarted { 300 } else { 600 };
    let growing: Vec<i64> =
        std::iter::successors(Some(10), |wait| Some(wait * 2)).take_while(|wait| *wait < longest).collect();
    let n_growing = i64::try_from(growing.len()).unwrap_or(0).min(tries).max(0);
    let first: i64 = growing.iter().take(usize::try_from(n_growing).unwrap_or(0)).sum();
    SignedDuration::from_secs((tries - n_growing).max(0).saturating_mul(longest).saturating_add(first))
}

/// `3 days`, `41 years`: more than a day.
fn long(time: SignedDuration) -> String {
    let days = time.as_hours() / 24;
    match days {
        ..2 => format!("{} hours", time.as_hours()),
        2..730 => format!("{days} days"),
        _ => format!("{} years", days / 365),
    }
}

fn counts(object: &Object<'_>, spec: &At<'_>, findings: &mut Vec<Finding>) {
    let (parallelism, completions) = (spec.field("parallelism"), spec.field("completions"));
    match (parallelism.int(), completions.int()) {
        (Some(at_once), Some(wanted)) if 0 < wanted && wanted < at_once => {
            let finding = object.warning(&parallelism.path, format!("never more than {wanted} pods run at once"));
            findings.push(
                finding
                    .because(format!("completions is {wanted}: no more pods are made than still have to succeed"))
                    .remedy(format!("write parallelism: {wanted}, or more completions")),
            );
        }
        // A Job without completions of which one pod has succeeded makes no more.
        (Some(at_once), None) if 1 < at_once => {
            let finding = object.warning(&parallelism.path, "without completions the first success ends the Job");
            findings.push(
                finding
                    .because(format!(
                        "{at_once} pods are taken to share one queue of work: when one succeeds no more are made"
                    ))
                    .remedy(
                        "write completions: N for N pods that have to succeed; leave it out for a queue of work only",
                    ),
            );
        }
        _ => {}
    }
}

/// Directories that are called shared, of pods that do not share them.
fn shared_directories(object: &Object<'_>, spec: &At<'_>, findings: &mut Vec<Finding>) {
    let is_many = ["completions", "parallelism"].iter().any(|count| spec.field(count).int().is_some_and(|n| 1 < n));
    let pod = spec.fields(&["template", "spec"]);
    let lists = ["initContainers", "containers"].map(|list| pod.field(list));
    let n_mounting = |name: &str| {
        let containers = lists.iter().flat_map(At::items);
        let mounts = |container: &At<'_>| {
            container.field("volumeMounts").items().any(|mount| mount.field("name").text() == name)
        };
        containers.filter(mounts).count()
    };
    for volume in pod.field("volumes").items().filter(|volume| is_many && volume.field("emptyDir").is_set()) {
        let name = volume.field("name").text();
        // Containers of one pod do share it.
        if name.contains("shared") && n_mounting(name) < 2 {
            let what = format!("the pods do not share {name:?}");
            let cause = "each pod has an emptyDir of its own, which is gone with the pod";
            let finding = object.warning(&volume.field("emptyDir").path, what).because(cause);
            findings.push(finding.remedy("keep what has to outlive the pods in a PersistentVolumeClaim"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_add_up() {
        for (tries, is_restarted, seconds) in [
            (0, false, 0),
            (1, false, 10),
            (6, false, 630),
            (8, false, 1_830),
            (5, true, 310),
            (7, true, 910),
            (-1, true, 0),
        ] {
            assert_eq!(waiting(tries, is_restarted).as_secs(), seconds, "{tries}");
        }
        assert_eq!(long(waiting(2_147_483_647, true)), "20428 years");
        assert_eq!(long(waiting(200, false)), "32 hours");
        assert_eq!(long(waiting(1_000, false)), "6 days");
    }
}
