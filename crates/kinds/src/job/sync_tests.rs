//! Decisions on Jobs as a table: `check(job, pods, second, expected)`.
//!
//! A Job is written as its fields (`completions=3 parallelism=2 | succeeded=1 FailureTarget`), pods one a word group
//! (`a running, b failed@90`); the instant is a second of 1970 after 1,000 (the Job's world begins at 1,000).
//! What comes out is written in the order in which the shell does it.

use super::*;
use crate::job::pods::{End, Phase};
use k8s_openapi::api::batch::v1::{
    JobCondition, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
    UncountedTerminatedPods,
};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use std::fmt::Write as _;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000 + second).unwrap()
}

/// `FIELD=VALUE …` of the spec, then after `|` of the status.
fn job(text: &str) -> Job {
    let (spec_text, status_text) = text.split_once('|').unwrap_or((text, ""));
    let mut job = Job {
        metadata: ObjectMeta {
            name: Some("j".into()),
            namespace: Some("n".into()),
            uid: Some("job-uid".into()),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut spec = JobSpec { parallelism: Some(1), backoff_limit: Some(6), ..Default::default() };
    let mut pod = PodSpec { restart_policy: Some("Never".into()), ..Default::default() };
    for word in spec_text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "completions" => spec.completions = Some(value.parse().unwrap()),
            "parallelism" => spec.parallelism = Some(value.parse().unwrap()),
            "backoffLimit" => spec.backoff_limit = Some(value.parse().unwrap()),
            "deadline" => spec.active_deadline_seconds = Some(value.parse().unwrap()),
            "suspend" => spec.suspend = Some(true),
            "onFailure" => pod.restart_policy = Some("OnFailure".into()),
            "replaceFailed" => spec.pod_replacement_policy = Some("Failed".into()),
            "indexed" => spec.completion_mode = Some("Indexed".into()),
            "perIndex" => {
                spec.backoff_limit_per_index = Some(value.parse().unwrap());
                spec.backoff_limit = None;
            }
            "maxFailed" => spec.max_failed_indexes = Some(value.parse().unwrap()),
            "success" => {
                spec.success_policy = Some(SuccessPolicy { rules: value.split(';').map(success_rule).collect() })
            }
            "policy" => {
                spec.pod_failure_policy = Some(PodFailurePolicy { rules: value.split(';').map(failure_rule).collect() })
            }
            "managedBy" => spec.managed_by = Some(value.into()),
            "mode" => spec.completion_mode = Some(value.into()),
            "deleted" => job.metadata.deletion_timestamp = Some(Time(at(0))),
            other => panic!("no such field: {other}"),
        }
    }
    spec.template = PodTemplateSpec { spec: Some(pod), ..Default::default() };
    job.spec = Some(spec);
    let mut status = JobStatus::default();
    let mut listed = UncountedTerminatedPods::default();
    let mut conditions = Vec::new();
    for word in status_text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let uids = || Some(value.split(',').map(|name| format!("uid-{name}")).collect());
        match key {
            "start" => status.start_time = Some(Time(at(value.parse().unwrap()))),
            "active" => status.active = Some(value.parse().unwrap()),
            "succeeded" => status.succeeded = Some(value.parse().unwrap()),
            "failed" => status.failed = Some(value.parse().unwrap()),
            "ready" => status.ready = Some(value.parse().unwrap()),
            "terminating" => status.terminating = Some(value.parse().unwrap()),
            "done" => status.completed_indexes = Some(value.into()),
            "bad" => status.failed_indexes = Some(value.into()),
            "listed+" => listed.succeeded = uids(),
            "listed-" => listed.failed = uids(),
            kind => conditions.push(JobCondition {
                type_: kind.into(),
                status: if value == "False" { "False" } else { "True" }.into(),
                reason: Some(match kind {
                    "Suspended" => "JobSuspended".into(),
                    "SuccessCriteriaMet" => "CompletionsReached".into(),
                    _ => value.into(),
                }),
                message: Some(if kind == "Suspended" { "Job suspended" } else { "as before" }.into()),
                ..Default::default()
            }),
        }
    }
    if !status_text.is_empty() {
        status.uncounted_terminated_pods = Some(listed);
        status.ready = status.ready.or(Some(0));
        status.terminating = status.terminating.or(Some(0));
        status.conditions = Some(conditions);
        job.status = Some(status);
    }
    job
}

/// `INDEXES/COUNT`, either part may be missing.
fn success_rule(text: &str) -> SuccessPolicyRule {
    let (indexes, count) = text.split_once('/').unwrap_or((text, ""));
    let indexes = Some(indexes.to_owned()).filter(|text| !text.is_empty());
    SuccessPolicyRule { succeeded_indexes: indexes, succeeded_count: count.parse().ok() }
}

/// `ACTION:CODE+CODE`, `ACTION:!CODE`, `ACTION:CONTAINER/CODE` or `ACTION:CONDITION[=STATUS]+CONDITION…`.
fn failure_rule(text: &str) -> PodFailurePolicyRule {
    let (action, what) = text.split_once(':').unwrap();
    let mut rule = PodFailurePolicyRule { action: action.into(), ..Default::default() };
    let (container, codes) = what.split_once('/').map_or((None, what), |(name, codes)| (Some(name.to_owned()), codes));
    let operator = if codes.starts_with('!') { "NotIn" } else { "In" };
    let codes: Result<Vec<i32>, _> = codes.trim_start_matches('!').split('+').map(str::parse).collect();
    match codes {
        Ok(values) => {
            let operator = operator.to_owned();
            rule.on_exit_codes =
                Some(PodFailurePolicyOnExitCodesRequirement { container_name: container, operator, values });
        }
        Err(_) => {
            let pattern = |text: &str| {
                let (kind, status) =
                    text.split_once('=').map_or((text, None), |(kind, status)| (kind, Some(status.into())));
                PodFailurePolicyOnPodConditionsPattern { type_: kind.into(), status }
            };
            rule.on_pod_conditions = Some(what.split('+').map(pattern).collect());
        }
    }
    rule
}

/// `NAME WORD…, NAME WORD…`: phase, `@SECOND` of its finish, `deleted`, `counted` (finalizer gone), `ready`, `restarts=N`;
/// `index=N`, `before=COUNTED`, `ignored=N`, `exit=CODE` (of container c; `exit=NAME:CODE` of another), `has=CONDITION` or
/// `has=CONDITION:STATUS`.
fn pods(text: &str) -> Vec<PodFacts> {
    let one = |text: &str| {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap();
        let mut pod = PodFacts {
            name: name.into(),
            uid: format!("uid-{name}"),
            labels: Default::default(),
            controller_uid: Some("job-uid".into()),
            tracked: true,
            deleted: false,
            phase: Phase::Pending,
            assigned: true,
            ready_since: None,
            restarts: 0,
            created_at: at(0),
            finished_at: at(0),
            index: None,
            index_failures: Default::default(),
            end: None,
        };
        for word in words {
            match word.split_once(['@', '=']).unwrap_or((word, "0")) {
                ("pending", _) => pod.phase = Phase::Pending,
                ("unknown", _) => pod.phase = Phase::Unknown,
                ("running", _) => pod.phase = Phase::Running,
                ("succeeded", t) => (pod.phase, pod.finished_at) = (Phase::Succeeded, at(t.parse().unwrap())),
                ("failed", t) => (pod.phase, pod.finished_at) = (Phase::Failed, at(t.parse().unwrap())),
                ("deleted", t) => (pod.deleted, pod.finished_at) = (true, at(t.parse().unwrap())),
                ("ready", t) => pod.ready_since = Some(at(t.parse().unwrap())),
                ("restarts", n) => pod.restarts = n.parse().unwrap(),
                ("index", n) => pod.index = Some(n.parse().unwrap()),
                ("before", n) => pod.index_failures.counted = n.parse().unwrap(),
                ("ignored", n) => pod.index_failures.ignored = n.parse().unwrap(),
                ("exit", code) => {
                    let (container, code) = code.split_once(':').unwrap_or(("c", code));
                    end(&mut pod).exit_codes.push((container.into(), code.parse().unwrap()));
                }
                ("has", kind) => {
                    let (kind, status) = kind.split_once(':').unwrap_or((kind, "True"));
                    end(&mut pod).conditions.push((kind.into(), status.into()));
                }
                ("created", t) => pod.created_at = at(t.parse().unwrap()),
                ("counted", _) => pod.tracked = false,
                ("unassigned", _) => pod.assigned = false,
                other => panic!("no such word: {other:?}"),
            }
        }
        pod
    };
    text.split(',').filter(|text| !text.trim().is_empty()).map(|text| one(text.trim())).collect()
}

fn end(pod: &mut PodFacts) -> &mut End {
    pod.end.get_or_insert_with(|| Box::new(End { exit_codes: Vec::new(), conditions: Vec::new() }))
}

/// How many, or which indexes: `#0 #3(2+1)` with the failures counted and ignored before.
fn which(pods: &[NewPod]) -> String {
    if pods.iter().all(|pod| pod.index.is_none()) {
        return pods.len().to_string();
    }
    let one = |pod: &NewPod| {
        let failures = pod.failures.filter(|failures| 0 < failures.all());
        let failures =
            failures.map_or(String::new(), |failures| format!("({}+{})", failures.counted, failures.ignored));
        format!("#{}{failures}", pod.index.unwrap())
    };
    pods.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn names(pods: &[PodRef]) -> String {
    pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn shown(settlement: &Settlement) -> String {
    let mut out = String::new();
    if let Some(status) = &settlement.status {
        let number = |n: Option<i32>| n.unwrap_or(0);
        write!(out, "; {} active", number(status.active)).unwrap();
        for (n, what) in [(status.ready, "ready"), (status.terminating, "terminating")] {
            if number(n) != 0 {
                write!(out, ", {} {what}", number(n)).unwrap();
            }
        }
        write!(out, ", {}+ {}-", number(status.succeeded), number(status.failed)).unwrap();
        let listed = status.uncounted_terminated_pods.as_ref().unwrap();
        for (uids, sign) in [(&listed.succeeded, '+'), (&listed.failed, '-')] {
            if let Some(uids) = uids {
                write!(out, ", lists{sign} {}", uids.join(" ").replace("uid-", "")).unwrap();
            }
        }
        for (indexes, what) in [(&status.completed_indexes, "done"), (&status.failed_indexes, "bad")] {
            if let Some(indexes) = indexes {
                write!(out, ", {what} [{indexes}]").unwrap();
            }
        }
        match &status.start_time {
            Some(start) => write!(out, ", start {}", start.0.as_second() - 1_000).unwrap(),
            None => out.push_str(", no start"),
        }
        for condition in status.conditions.iter().flatten() {
            let (reason, message) = (condition.reason.as_ref().unwrap(), condition.message.as_ref().unwrap());
            write!(out, ", {}={} {reason} ({message})", condition.type_, condition.status).unwrap();
        }
        if let Some(time) = &status.completion_time {
            write!(out, ", completed at {}", time.0.as_second() - 1_000).unwrap();
        }
    }
    if !settlement.untrack.is_empty() {
        write!(out, "; untrack {}", names(&settlement.untrack)).unwrap();
    }
    for event in &settlement.events {
        write!(out, "; {:?} {}: {}", event.severity, event.reason, event.message).unwrap();
    }
    if let Some(time) = settlement.wake_at {
        write!(out, "; wake at {}", time.as_second() - 1_000).unwrap();
    }
    out
}

fn decide(job: &Job, pods: &[PodFacts], memory: Option<Backoff>, second: i64, done: Done) -> String {
    let pods: Vec<&PodFacts> = pods.iter().collect();
    match sync(job, &pods, memory, at(second)) {
        Decision::LeaveAlone => "leave alone".into(),
        Decision::Refuse(event) => format!("refuse; {:?} {}: {}", event.severity, event.reason, event.message),
        Decision::Act(plan) => {
            let work = match &plan.work {
                PodWork::Nothing => "nothing".into(),
                PodWork::Create(pods) => format!("create {}", which(pods)),
                PodWork::Stop(pods) => format!("stop {}", names(pods)),
                PodWork::Kill(pods) => format!("kill {}", names(pods)),
            };
            let settlement = plan.then.settle(done);
            check_is_accepted(job, &settlement);
            work + &shown(&settlement)
        }
    }
}

/// The server takes the status that the decision writes.
#[track_caller]
fn check_is_accepted(old: &Job, settlement: &Settlement) {
    let Some(status) = &settlement.status else { return };
    let new = Job { status: Some(status.clone()), ..old.clone() };
    let json = |job: &Job| serde_json::to_value(job).unwrap();
    let refused = crate::job::status::validate_update(&json(&new), &json(old));
    assert!(refused.is_empty(), "the server refuses the status: {:?}", crate::testing::texts(&refused));
}

#[track_caller]
fn check(what: &str, job_text: &str, pods_text: &str, second: i64, expected: &str) {
    let memory = Some(Backoff::default());
    let mut pods = pods(pods_text);
    assert_eq!(decide(&job(job_text), &pods, memory, second, Done::Whole), expected, "{what}");
    pods.retain(|pod| !pod.is_settled());
    assert_eq!(decide(&job(job_text), &pods, memory, second, Done::Whole), expected, "{what}, by what is not settled");
}

#[test]
fn pods_are_created_up_to_parallelism_and_what_is_left_to_complete() {
    check("a new Job starts its clock and one pod", "completions=1", "", 5, "create 1; 1 active, 0+ 0-, start 5");
    check("three at a time", "completions=5 parallelism=3", "", 5, "create 3; 3 active, 0+ 0-, start 5");
    check("never more than are left", "completions=5 parallelism=3 | start=5 succeeded=4 active=1", "", 9, "create 1");
    check(
        "what runs counts",
        "completions=5 parallelism=3 | start=5 active=1",
        "a running",
        9,
        "create 2; 3 active, 0+ 0-, start 5",
    );
    check("nothing to do", "completions=5 parallelism=1 | start=5 active=1", "a running", 9, "nothing");
    check("parallelism 0 is a pause", "completions=5 parallelism=0 | start=5", "", 9, "nothing");
    check(
        "a finished pod is listed and replaced at once",
        "completions=5 parallelism=2 | start=5 active=2",
        "a succeeded@8, b running",
        9,
        "create 1; 2 active, 0+ 0-, lists+ a, start 5; untrack a",
    );
    check(
        "counted once its finalizer is gone",
        "completions=5 parallelism=2 | start=5 active=2 listed+=a",
        "a succeeded counted, b running, c pending",
        9,
        "nothing; 2 active, 1+ 0-, start 5",
    );
    check(
        "not counted while its finalizer stays",
        "completions=5 parallelism=1 | start=5 active=1 listed+=a",
        "a succeeded, b running",
        9,
        "nothing; untrack a",
    );
    check(
        "nor twice, listed and finished",
        "completions=2 parallelism=1 | start=5 active=1 listed+=a",
        "a succeeded",
        9,
        "create 1; untrack a",
    );
    check(
        "listed and no longer held is counted by the decision too",
        "completions=1 parallelism=1 | start=5 active=1 listed+=a",
        "a succeeded counted",
        9,
        "nothing; 0 active, 1+ 0-, start 5, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods)",
    );
    check(
        "a vanished pod that was listed counts",
        "completions=5 parallelism=1 | start=5 active=1 listed-=a",
        "b running",
        9,
        "nothing; 1 active, 0+ 1-, start 5",
    );
    check(
        "of two that are listed only the one whose finalizer is gone counts",
        "completions=5 parallelism=1 | start=5 active=1 listed-=a,b",
        "a failed, b failed counted, c running",
        9,
        "nothing; 1 active, 0+ 1-, lists- a, start 5; untrack a",
    );
    check(
        "so with successes",
        "completions=5 parallelism=1 | start=5 active=1 listed+=a,b",
        "a succeeded, b succeeded counted, c running",
        9,
        "nothing; 1 active, 1+ 0-, lists+ a, start 5; untrack a",
    );
    check(
        "ready pods are told",
        "completions=5 parallelism=2 | start=5 active=2",
        "a running ready, b running",
        9,
        "nothing; 2 active, 1 ready, 0+ 0-, start 5",
    );
    check("at most 500 a time", "completions=2000 parallelism=1000", "", 5, "create 500; 500 active, 0+ 0-, start 5");
    check(
        "completions raised while running",
        "completions=5 parallelism=3 | start=5 active=1 succeeded=1",
        "a running",
        9,
        "create 2; 3 active, 1+ 0-, start 5",
    );
}

#[test]
fn surplus_pods_are_stopped_least_advanced_first() {
    let running = "completions=9 parallelism=1 | start=5 active=3";
    check(
        "pending before running",
        running,
        "a running, b pending, c running",
        9,
        "stop b a; 1 active, 2 terminating, 0+ 0-, start 5",
    );
    check(
        "unassigned first of all",
        "completions=9 parallelism=2 | start=5 active=3",
        "a pending, b pending unassigned, c running",
        9,
        "stop b; 2 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "not ready before ready",
        running,
        "a running ready@1, b running, c running ready@2",
        9,
        "stop b c; 1 active, 1 ready, 2 terminating, 0+ 0-, start 5",
    );
    check(
        "more restarts first",
        "onFailure completions=9 parallelism=1 | start=5 active=2",
        "a running restarts=1, b running restarts=2",
        9,
        "stop b; 1 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "newer first",
        "completions=9 parallelism=1 | start=5 active=2",
        "a running created@3, b running created@4",
        9,
        "stop b; 1 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "unknown before running",
        "completions=9 parallelism=1 | start=5 active=2",
        "a running, b unknown",
        9,
        "stop b; 1 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "completions lowered to what succeeded stops the rest and succeeds",
        "completions=1 parallelism=2 | start=5 active=1 succeeded=1",
        "a running",
        9,
        "stop a; 0 active, 1 terminating, 1+ 0-, start 5, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods)",
    );
}

#[test]
fn a_job_completes_in_two_steps() {
    check(
        "first step with the last uid",
        "completions=1 | start=5 active=1",
        "a succeeded@8",
        9,
        "nothing; 0 active, 0+ 0-, lists+ a, start 5, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods); untrack a",
    );
    check(
        "second step once it is counted",
        "completions=1 | start=5 listed+=a SuccessCriteriaMet",
        "a succeeded counted",
        9,
        "nothing; 0 active, 1+ 0-, start 5, SuccessCriteriaMet=True CompletionsReached (as before), Complete=True CompletionsReached (as before), completed at 9; Normal Completed: Job completed",
    );
    check(
        "not while a finalizer stays",
        "completions=1 | start=5 listed+=a SuccessCriteriaMet",
        "a succeeded",
        9,
        "nothing; untrack a",
    );
    check(
        "not while a pod is terminating",
        "completions=1 | start=5 succeeded=1 terminating=1 SuccessCriteriaMet",
        "a succeeded counted, b running deleted counted",
        9,
        "nothing",
    );
    check(
        "more succeeded than asked for",
        "completions=1 | start=5 succeeded=2 SuccessCriteriaMet",
        "",
        9,
        "nothing; 0 active, 2+ 0-, start 5, SuccessCriteriaMet=True CompletionsReached (as before), Complete=True CompletionsReached (as before), completed at 9; \
         Warning TooManySucceededPods: Too many succeeded pods running after completion count reached; Normal Completed: Job completed",
    );
    check(
        "no completions asked for",
        "completions=0",
        "",
        9,
        "nothing; 0 active, 0+ 0-, start 9, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods)",
    );
    check(
        "lingering pods go once it succeeded, without failing",
        "completions=1 | start=5 succeeded=1 active=1 SuccessCriteriaMet",
        "a running",
        9,
        "kill a; 0 active, 1 terminating, 1+ 0-, start 5, SuccessCriteriaMet=True CompletionsReached (as before); untrack a",
    );
    check(
        "finished Jobs are left alone",
        "completions=1 | start=5 succeeded=1 SuccessCriteriaMet Complete",
        "",
        9,
        "leave alone",
    );
    check(
        "failed Jobs are left alone",
        "completions=1 | start=5 failed=1 FailureTarget=X Failed=X",
        "",
        9,
        "leave alone",
    );
}

#[test]
fn a_work_queue_ends_when_one_succeeded_and_none_is_active() {
    check("starts parallelism pods", "parallelism=3", "", 5, "create 3; 3 active, 0+ 0-, start 5");
    check(
        "after a success none is replaced",
        "parallelism=3 | start=5 active=3",
        "a succeeded@8, b running, c running",
        9,
        "nothing; 2 active, 0+ 0-, lists+ a, start 5; untrack a",
    );
    check(
        "a later failure is not replaced either",
        "parallelism=2 | start=5 succeeded=1 active=1",
        "a failed@8",
        9,
        "nothing; 0 active, 1+ 0-, lists- a, start 5, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods); untrack a",
    );
    check(
        "before a success failures are replaced",
        "parallelism=2 | start=5 active=2",
        "a failed@-20, b running",
        9,
        "create 1; 2 active, 0+ 0-, lists- a, start 5; untrack a",
    );
}

#[test]
fn failures_wait_and_at_last_fail_the_job() {
    check(
        "the first failure waits ten seconds from its finish",
        "completions=1 | start=5 active=1",
        "a failed@8",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "what still runs stays told while waiting",
        "completions=5 parallelism=2 | start=5 active=2",
        "a failed@8, b running ready",
        9,
        "nothing; 1 active, 1 ready, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "the wait is over on the second",
        "completions=1 | start=5 active=1",
        "a failed@8",
        18,
        "create 1; 1 active, 0+ 0-, lists- a, start 5; untrack a",
    );
    check(
        "a later success ends the wait",
        "completions=5 parallelism=2 | start=5 active=2",
        "a failed@7, b succeeded@8",
        9,
        "create 2; 2 active, 0+ 0-, lists+ b, lists- a, start 5; untrack a b",
    );
    check(
        "an earlier success does not",
        "completions=5 parallelism=2 | start=5 active=2",
        "a failed@8, b succeeded@7",
        9,
        "nothing; 0 active, 0+ 0-, lists+ b, lists- a, start 5; untrack a b; wake at 18",
    );
    check(
        "two failures at once wait twenty seconds",
        "completions=5 parallelism=2 | start=5 active=2",
        "a failed@7, b failed@8",
        9,
        "nothing; 0 active, 0+ 0-, lists- a b, start 5; untrack a b; wake at 28",
    );
    check(
        "backoffLimit 0 fails at the first failure",
        "backoffLimit=0 completions=1 | start=5 active=1",
        "a failed@8",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a",
    );
    check(
        "backoffLimit 1 fails at the second",
        "backoffLimit=1 completions=1 | start=5 active=1 failed=1",
        "a failed@8",
        9,
        "nothing; 0 active, 0+ 1-, lists- a, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a",
    );
    check(
        "one that is listed and one that is new are two",
        "backoffLimit=1 completions=1 | start=5 active=1 listed-=a",
        "a failed@2 counted, b failed@8",
        9,
        "nothing; 0 active, 0+ 1-, lists- b, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack b",
    );
    check(
        "one that is listed and still held is one",
        "backoffLimit=1 completions=1 | start=5 active=1 listed-=a",
        "a failed@-20",
        9,
        "create 1; untrack a",
    );
    check(
        "what still runs is killed and counts as failed",
        "backoffLimit=0 completions=3 parallelism=2 | start=5 active=2",
        "a failed@8, b running",
        9,
        "kill b; 0 active, 1 terminating, 0+ 0-, lists- a b, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a b",
    );
    check(
        "what succeeded meanwhile still counts as that",
        "backoffLimit=0 completions=3 parallelism=2 | start=5 active=2",
        "a failed@8, b succeeded@8",
        9,
        "nothing; 0 active, 0+ 0-, lists+ b, lists- a, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a b",
    );
    check(
        "Failed waits for what is terminating",
        "completions=1 | start=5 listed-=a,b FailureTarget=BackoffLimitExceeded",
        "a failed counted, b running deleted counted",
        9,
        "nothing; 0 active, 1 terminating, 0+ 2-, start 5, FailureTarget=True BackoffLimitExceeded (as before)",
    );
    check(
        "then says so",
        "completions=1 | start=5 failed=2 FailureTarget=BackoffLimitExceeded",
        "a failed counted",
        9,
        "nothing; 0 active, 0+ 2-, start 5, FailureTarget=True BackoffLimitExceeded (as before), Failed=True BackoffLimitExceeded (as before); Warning BackoffLimitExceeded: as before",
    );
    check(
        "FailureTarget stands though the limit was raised",
        "backoffLimit=99 completions=1 | start=5 failed=2 active=1 FailureTarget=DeadlineExceeded",
        "a running",
        9,
        "kill a; 0 active, 1 terminating, 0+ 2-, lists- a, start 5, FailureTarget=True DeadlineExceeded (as before); untrack a",
    );
    check(
        "SuccessCriteriaMet stands though more failed",
        "backoffLimit=0 completions=1 | start=5 succeeded=1 SuccessCriteriaMet",
        "a failed@8",
        9,
        "nothing; 0 active, 1+ 0-, lists- a, start 5, SuccessCriteriaMet=True CompletionsReached (as before); untrack a",
    );
}

#[test]
fn restarts_in_place_are_bounded_under_on_failure() {
    let past = "kill a b; 0 active, 2 terminating, 0+ 0-, lists- a b, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a b";
    check(
        "the sum over pods reaches the limit",
        "onFailure backoffLimit=3 completions=2 parallelism=2 | start=5 active=2",
        "a running restarts=1, b running restarts=2",
        9,
        past,
    );
    check(
        "below it nothing happens",
        "onFailure backoffLimit=4 completions=2 parallelism=2 | start=5 active=2",
        "a running restarts=1, b running restarts=2",
        9,
        "nothing",
    );
    check(
        "limit 0 allows no restart",
        "onFailure backoffLimit=0 completions=2 parallelism=2 | start=5 active=2",
        "a running restarts=1, b pending",
        9,
        past,
    );
    check(
        "limit 0 without a restart goes on",
        "onFailure backoffLimit=0 completions=2 parallelism=2 | start=5 active=2",
        "a running, b pending",
        9,
        "nothing",
    );
    check(
        "restarts of finished pods do not count",
        "onFailure backoffLimit=2 completions=2 parallelism=1 | start=5 succeeded=1 active=1",
        "a succeeded counted restarts=5, b running",
        9,
        "nothing",
    );
    check(
        "restarts do not matter under Never",
        "backoffLimit=0 completions=2 parallelism=2 | start=5 active=2",
        "a running restarts=9, b running",
        9,
        "nothing",
    );
}

#[test]
fn the_deadline_counts_from_the_start() {
    check("a wake-up is set", "deadline=30 completions=1", "", 5, "create 1; 1 active, 0+ 0-, start 5; wake at 35");
    check("one second early", "deadline=30 completions=1 | start=5 active=1", "a running", 34, "nothing; wake at 35");
    check(
        "on the second",
        "deadline=30 completions=1 | start=5 active=1",
        "a running",
        35,
        "kill a; 0 active, 1 terminating, 0+ 0-, lists- a, start 5, FailureTarget=True DeadlineExceeded (Job was active longer than specified deadline); untrack a",
    );
    check(
        "waiting for back-off counts too",
        "deadline=12 completions=1 | start=0 active=1",
        "a failed@8",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 0; untrack a; wake at 12",
    );
    check(
        "too many failures are the better reason",
        "deadline=30 backoffLimit=0 completions=1 | start=5 active=1",
        "a failed@8",
        99,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True BackoffLimitExceeded (Job has reached the specified backoff limit); untrack a",
    );
    check("not while suspended", "suspend deadline=30 completions=1 | Suspended", "", 99, "nothing");
    let suspended = "stop a; 0 active, 1 terminating, 0+ 0-, no start, Suspended=True JobSuspended (Job suspended); Normal Suspended: Job suspended";
    let late = "suspend deadline=30 completions=1 | start=5 active=1";
    check("suspended in time nothing wakes it", late, "a running", 34, suspended);
    check("nor does it fail if the deadline passed unseen", late, "a running", 99, suspended);
    check(
        "a deadline of zero",
        "deadline=0 completions=1",
        "",
        5,
        "nothing; 0 active, 0+ 0-, start 5, FailureTarget=True DeadlineExceeded (Job was active longer than specified deadline)",
    );
}

#[test]
fn suspending_stops_pods_without_failing_them() {
    check(
        "from the start",
        "suspend completions=1",
        "",
        5,
        "nothing; 0 active, 0+ 0-, no start, Suspended=True JobSuspended (Job suspended); Normal Suspended: Job suspended",
    );
    check(
        "while running",
        "suspend completions=3 parallelism=2 | start=5 active=2",
        "a running, b running",
        9,
        "stop a b; 0 active, 2 terminating, 0+ 0-, no start, Suspended=True JobSuspended (Job suspended); Normal Suspended: Job suspended",
    );
    check("stays so", "suspend completions=3 | Suspended", "", 9, "nothing");
    check(
        "resumed",
        "completions=3 parallelism=2 | Suspended",
        "",
        20,
        "create 2; 2 active, 0+ 0-, start 20, Suspended=False JobResumed (Job resumed); Normal Resumed: Job resumed",
    );
    check(
        "resumed, though somebody left a start standing",
        "completions=3 parallelism=2 | start=5 Suspended",
        "",
        20,
        "create 2; 2 active, 0+ 0-, start 20, Suspended=False JobResumed (Job resumed); Normal Resumed: Job resumed",
    );
    check(
        "a pod that finished meanwhile still counts",
        "suspend completions=3 | start=5 active=1",
        "a succeeded@8",
        9,
        "nothing; 0 active, 0+ 0-, lists+ a, no start, Suspended=True JobSuspended (Job suspended); untrack a; Normal Suspended: Job suspended",
    );
    check(
        "completion is still seen",
        "suspend completions=1 | Suspended",
        "a succeeded@8",
        9,
        "nothing; 0 active, 0+ 0-, lists+ a, no start, Suspended=True JobSuspended (Job suspended), SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods); untrack a",
    );
    check(
        "its end has a start, for the server asks for one",
        "suspend completions=1 | listed+=a Suspended SuccessCriteriaMet",
        "a succeeded counted",
        9,
        "nothing; 0 active, 1+ 0-, start 9, Suspended=True JobSuspended (Job suspended), SuccessCriteriaMet=True CompletionsReached (as before), Complete=True CompletionsReached (as before), completed at 9; Normal Completed: Job completed",
    );
    check(
        "so has a bad one",
        "suspend completions=1 | failed=7 Suspended FailureTarget=X",
        "",
        9,
        "nothing; 0 active, 0+ 7-, start 9, Suspended=True JobSuspended (Job suspended), FailureTarget=True X (as before), Failed=True X (as before); Warning X: as before",
    );
    check(
        "where nothing was wanted nothing has started",
        "suspend completions=0 | SuccessCriteriaMet",
        "",
        9,
        "nothing; 0 active, 0+ 0-, no start, SuccessCriteriaMet=True CompletionsReached (as before), Complete=True CompletionsReached (as before), completed at 9; Normal Completed: Job completed",
    );
    check(
        "stopped pods that go do not fail",
        "suspend completions=3 | terminating=1 Suspended",
        "a running deleted@8 counted",
        9,
        "nothing",
    );
}

#[test]
fn deleted_pods_fail_unless_only_failed_ones_are_replaced() {
    check(
        "a deleted pod counts as failed and is replaced after the wait",
        "completions=1 | start=5 active=1",
        "a running deleted@8",
        9,
        "nothing; 0 active, 1 terminating, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "under Failed it holds its place",
        "replaceFailed completions=1 | start=5 active=1",
        "a running deleted@8",
        30,
        "nothing; 0 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "until it is terminal",
        "replaceFailed completions=1 | start=5 terminating=1",
        "a failed@8 deleted",
        30,
        "create 1; 1 active, 0+ 0-, lists- a, start 5; untrack a",
    );
    check(
        "a deleted pod that succeeded succeeded",
        "completions=2 | start=5 active=1",
        "a succeeded@8 deleted",
        9,
        "create 1; 1 active, 0+ 0-, lists+ a, start 5; untrack a",
    );
}

#[test]
fn jobs_that_are_not_ours_or_going_away() {
    check("managed elsewhere", "managedBy=acme.io/queue completions=1", "", 5, "leave alone");
    check(
        "managed by us by name",
        "managedBy=kubernetes.io/job-controller completions=1",
        "",
        5,
        "create 1; 1 active, 0+ 0-, start 5",
    );
    check(
        "an unknown mode",
        "mode=Sideways completions=1",
        "",
        5,
        "refuse; Warning UnknownCompletionMode: Skipped Job sync because completion mode is unknown",
    );
    check("being deleted makes no pods", "deleted completions=2 | start=5", "", 9, "nothing");
    check("nor is it suspended any more", "deleted suspend completions=2 | start=5", "", 9, "nothing");
    check(
        "being deleted lets every pod go",
        "deleted completions=2 parallelism=2 | start=5 active=2",
        "a running, b failed@8",
        9,
        "nothing; 1 active, 0+ 0-, lists- b, start 5; untrack a b",
    );
}

#[test]
fn half_done_work_is_told_as_it_went() {
    let none = Some(Backoff::default());
    let new = job("completions=5 parallelism=3");
    assert_eq!(decide(&new, &[], none, 5, Done::Part(vec![0])), "create 3; 1 active, 0+ 0-, start 5");
    let failing = job("backoffLimit=0 completions=3 parallelism=3 | start=5 active=3");
    let three = pods("a failed@8, b running, c running");
    assert_eq!(
        decide(&failing, &three, none, 9, Done::Part(vec![1])),
        "kill b c; 1 active, 1 terminating, 0+ 0-, lists- a, start 5; untrack a",
        "not declared failed before every pod was deleted"
    );
    let surplus = job("completions=9 parallelism=1 | start=5 active=3");
    assert_eq!(
        decide(&surplus, &pods("a running, b running ready, c pending"), none, 9, Done::Part(vec![])),
        "stop c a; 3 active, 1 ready, 0+ 0-, start 5"
    );
}

#[test]
fn lost_memory_is_rebuilt_from_the_pods_that_are_still_there() {
    let waiting = job("completions=1 | start=5 failed=2");
    let both = pods("a failed@10 counted, b failed@30 counted");
    assert_eq!(decide(&waiting, &both, None, 31, Done::Whole), "nothing; wake at 50");
    assert_eq!(
        decide(&waiting, &pods("a succeeded@40 counted, b failed@30 counted"), None, 41, Done::Whole),
        "create 1; 1 active, 0+ 2-, start 5"
    );
    assert_eq!(
        decide(&waiting, &pods("a failed@10 counted, b failed@30 counted deleted@30"), None, 31, Done::Whole),
        "create 1; 1 active, 0+ 2-, start 5",
        "one that was deleted tells nothing"
    );
}

#[test]
fn five_hundred_uids_are_listed_at_a_time() {
    let many: Vec<PodFacts> = (0..700).flat_map(|i| pods(&format!("p{i} succeeded@8"))).collect();
    let refs: Vec<&PodFacts> = many.iter().collect();
    let job = job("completions=1000 parallelism=700 | start=5 active=700");
    let Decision::Act(plan) = sync(&job, &refs, None, at(9)) else { panic!("acts") };
    assert_eq!(plan.work, PodWork::Create(vec![NewPod::default(); 300]));
    let settlement = plan.then.settle(Done::Whole);
    let listed = settlement.status.unwrap().uncounted_terminated_pods.unwrap().succeeded.unwrap();
    assert_eq!((listed.len(), settlement.untrack.len()), (500, 500));
}

#[test]
fn five_hundred_pods_are_made_or_stopped_at_a_time() {
    let many: Vec<PodFacts> = (0..700).flat_map(|i| pods(&format!("p{i} running"))).collect();
    let refs: Vec<&PodFacts> = many.iter().collect();
    for (fields, pods, expect) in [
        ("parallelism=700", &[][..], "create 500"),
        ("parallelism=0", &refs[..], "stop 500"),
        ("suspend parallelism=700", &refs[..], "stop 500"),
    ] {
        let job = job(&format!("completions=1000 {fields} | start=5"));
        let Decision::Act(plan) = sync(&job, pods, None, at(9)) else { panic!("acts") };
        let work = match plan.work {
            PodWork::Create(pods) => format!("create {}", which(&pods)),
            PodWork::Stop(pods) => format!("stop {}", pods.len()),
            other => format!("{other:?}"),
        };
        assert_eq!(work, expect, "{fields}");
    }
}

#[test]
fn creations_start_slowly() {
    assert_eq!(slow_start(10).collect::<Vec<_>>(), [1, 2, 4, 3]);
    assert_eq!(slow_start(0).count(), 0);
}

#[path = "indexed_tests.rs"]
mod indexed;
