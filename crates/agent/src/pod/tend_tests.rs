use super::super::plan::{Intent, Preparation, Why, plan};
use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn pod(container: Value) -> Pod {
    let mut spec = json!({"name": "a"});
    spec.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 30, "containers": [spec]}}))
    .unwrap()
}

fn running() -> Known {
    Known { state: State::Running { attempt: 0, started_at: at(0) }, ..Known::default() }
}

#[track_caller]
fn check(pod: &Pod, known: &Known, intent: &Intent, now: i64, steps: &[Step], wake_at: Option<i64>) {
    let containers = BTreeMap::from([("a".to_owned(), known.clone())]);
    let plan = plan(&Snapshot {
        pod,
        intent,
        preparation: &Preparation::Ready,
        containers: &containers,
        accepted_at: at(0),
        now: at(now),
    });
    assert_eq!(plan.steps, steps);
    assert_eq!(plan.wake_at, wake_at.map(at));
}

fn deleted() -> Intent {
    Intent::Stop(Why::PastDeadline)
}

fn stop(killing: Killing, grace_seconds: u64) -> Step {
    Step::Stop { container: "a".into(), killing, grace_seconds }
}

fn pre_stop(killing: Killing, ends_at: i64) -> Step {
    Step::PreStop { container: "a".into(), killing, ends_at: at(ends_at) }
}

fn with_hook() -> Pod {
    pod(json!({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}))
}

#[test]
fn a_post_start_hook_comes_first_and_once() {
    let pod = pod(json!({"lifecycle": {"postStart": {"sleep": {"seconds": 1}}}, "livenessProbe": {}}));
    let with = |post_start| Known { post_start, ..running() };
    let hook = Step::PostStart { container: "a".into() };
    let probe = Step::Probe { container: "a".into(), kind: Kind::Liveness };
    check(&pod, &running(), &Intent::Run, 1, std::slice::from_ref(&hook), None);
    check(&pod, &with(PostStart::Due { since: Some(at(0)) }), &Intent::Run, 1, &[hook], None);
    check(&pod, &with(PostStart::Running), &Intent::Run, 1, &[], None);
    check(&pod, &with(PostStart::Done), &Intent::Run, 1, &[probe], None);
    let failed = with(PostStart::Failed("no".into()));
    check(&pod, &failed, &Intent::Run, 1, &[stop(Killing::PostStart, 30)], None);
    assert!(!has_begun(&pod.spec.as_ref().unwrap().containers[0], &failed));
}

#[test]
fn probes_are_asked_when_they_are_due() {
    let pod = pod(json!({"livenessProbe": {"initialDelaySeconds": 5}, "readinessProbe": {}}));
    let ready = Step::Probe { container: "a".into(), kind: Kind::Readiness };
    check(&pod, &running(), &Intent::Run, 1, &[ready], Some(5));
}

#[test]
fn until_the_end_only_readiness_is_asked() {
    let pod = pod(json!({"livenessProbe": {}, "readinessProbe": {}}));
    let mut known = running();
    known.stopping = Some(30);
    let ready = Step::Probe { container: "a".into(), kind: Kind::Readiness };
    let mut going = pod.clone();
    going.metadata.deletion_grace_period_seconds = Some(30);
    check(&going, &known, &Intent::Stop(Why::Deleted), 1, &[ready], None);
    check(&pod, &known, &Intent::Stop(Why::PastDeadline), 1, &[], None);
}

#[test]
fn a_container_without_a_hook_is_stopped_at_once_and_once() {
    let pod = pod(json!({}));
    let asked = |grace| Known { stopping: Some(grace), ..running() };
    check(&pod, &running(), &deleted(), 10, &[stop(Killing::Stopped, 30)], None);
    check(&pod, &asked(30), &deleted(), 10, &[], None);
    check(&pod, &asked(60), &deleted(), 10, &[stop(Killing::Stopped, 30)], None);
}

#[test]
fn a_pre_stop_hook_comes_before_the_stop_and_counts() {
    let pod = with_hook();
    let with = |pre_stop| Known { pre_stop, killing: Some(Killing::Stopped), ..running() };
    let begun = |is_running, ends_at| PreStop::Begun { is_running, since: at(10), ends_at: at(ends_at) };
    check(&pod, &running(), &deleted(), 10, &[pre_stop(Killing::Stopped, 40)], None);
    check(&pod, &with(begun(true, 40)), &deleted(), 20, &[], Some(40));
    // A server that came meanwhile runs it again, within the same grace.
    check(&pod, &with(begun(false, 40)), &deleted(), 20, &[pre_stop(Killing::Stopped, 40)], Some(40));
    // Less time than before.
    check(&pod, &with(begun(true, 100)), &deleted(), 20, &[pre_stop(Killing::Stopped, 50)], Some(50));
    // No time is left.
    check(&pod, &with(begun(true, 40)), &deleted(), 40, &[stop(Killing::Stopped, 2)], None);
    let over = with(PreStop::Over { ends_at: at(40) });
    check(&pod, &over, &deleted(), 25, &[stop(Killing::Stopped, 15)], None);
    let asked = Known { stopping: Some(15), ..over };
    check(&pod, &asked, &deleted(), 27, &[], None);
}

#[test]
fn there_is_no_hook_without_time_for_it() {
    let mut pod = with_hook();
    let spec = pod.spec.as_mut().unwrap();
    spec.termination_grace_period_seconds = Some(0);
    let known = Known { post_start: PostStart::Done, killing: Some(Killing::Liveness), ..running() };
    check(&pod, &known, &Intent::Run, 10, &[stop(Killing::Liveness, 2)], None);
}

#[test]
fn probes_that_fail_end_the_run_within_their_own_grace() {
    let with = |kind: &str, grace: Option<i64>| {
        pod(json!({kind: {"failureThreshold": 1, "terminationGracePeriodSeconds": grace}}))
    };
    for (kind, field, killing) in
        [(Kind::Liveness, "livenessProbe", Killing::Liveness), (Kind::Startup, "startupProbe", Killing::Startup)]
    {
        for (grace, expect) in [(None, 30), (Some(7), 7), (Some(1), 2)] {
            let pod = with(field, grace);
            let mut known = running();
            let probe = kind.of(&pod.spec.as_ref().unwrap().containers[0]).unwrap().clone();
            known.health.answered(kind, &probe, Some(false));
            check(&pod, &known, &Intent::Run, 10, &[stop(killing, expect)], None);
            known.stopping = Some(expect);
            check(&pod, &known, &Intent::Run, 10, &[], None);
        }
    }
}

#[test]
fn what_is_told_when_a_container_is_killed() {
    let app = |policy: &str| {
        let mut pod = pod(json!({}));
        pod.spec.as_mut().unwrap().restart_policy = Some(policy.into());
        pod
    };
    let a = Container { name: "a".into(), ..Container::default() };
    for (policy, killing, text) in [
        ("Always", Killing::Stopped, "Stopping container a"),
        ("Always", Killing::PostStart, "FailedPostStartHook"),
        ("OnFailure", Killing::Liveness, "Container a failed liveness probe, will be restarted"),
        ("Always", Killing::Startup, "Container a failed startup probe, will be restarted"),
        ("Never", Killing::Liveness, "Container a failed liveness probe"),
    ] {
        assert_eq!(killing.message(&app(policy), &a), text);
    }
    let mut pod = app("Never");
    pod.spec.as_mut().unwrap().init_containers = Some(vec![a.clone()]);
    assert_eq!(Killing::Startup.message(&pod, &a), "Init container a failed startup probe");
}
