use super::super::known::{Blocked, Obstacle};
use super::super::plan::Preparation;
use super::*;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn running() -> Known {
    Known { state: State::Running { attempt: 0, started_at: at(1) }, ..Known::default() }
}

fn ended(exit_code: i32) -> Known {
    let reason = if exit_code == 0 { "Completed" } else { "Error" };
    Known {
        state: State::Ended(Ended {
            attempt: 0,
            exit_code,
            reason: reason.into(),
            message: String::new(),
            started_at: Some(at(1)),
            finished_at: Some(at(2)),
        }),
        ..Known::default()
    }
}

fn looping() -> Known {
    let mut known = ended(1);
    known.crash_loop.restarts = 4;
    known
}

fn pod(policy: &str, init: &[&str], app: &[&str]) -> Pod {
    let list =
        |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({"name": name, "image": "busybox"})).collect() };
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {"restartPolicy": policy, "initContainers": list(init), "containers": list(app)},
    }))
    .unwrap()
}

fn status_of(pod: &Pod, list: &[(&str, Known)], intent: &Intent) -> PodStatus {
    let containers: BTreeMap<String, Known> =
        list.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect();
    let snapshot = Snapshot {
        pod,
        intent,
        preparation: &Preparation::Ready,
        containers: &containers,
        accepted_at: at(0),
        now: at(3),
    };
    status(&snapshot, &PodStatus::default(), addresses())
}

#[track_caller]
fn check_phase(policy: &str, init: &[(&str, Known)], app: &[(&str, Known)], intent: &Intent, expect: &str) {
    let names = |list: &[(&'static str, Known)]| list.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let init: Vec<(&'static str, Known)> = init.iter().map(|(_, known)| ("i", known.clone())).collect();
    let app: Vec<(&'static str, Known)> =
        app.iter().zip(["a", "b", "c"]).map(|((_, known), name)| (name, known.clone())).collect();
    let pod = pod(policy, &names(&init), &names(&app));
    let all: Vec<_> = init.into_iter().chain(app).collect();
    assert_eq!(status_of(&pod, &all, intent).phase.as_deref(), Some(expect));
}

#[test]
fn phases_of_a_pod_that_lives() {
    let fresh = Known::default;
    for (policy, init, app, expect) in [
        ("Never", None, vec![fresh()], "Pending"),
        ("Never", None, vec![running()], "Running"),
        ("Never", None, vec![running(), fresh()], "Pending"),
        ("Never", None, vec![running(), ended(1)], "Running"),
        ("Never", None, vec![ended(0), ended(0)], "Succeeded"),
        ("Never", None, vec![ended(0), ended(1)], "Failed"),
        ("OnFailure", None, vec![ended(0)], "Succeeded"),
        ("OnFailure", None, vec![ended(1)], "Running"),
        ("OnFailure", None, vec![looping()], "Running"),
        ("Always", None, vec![ended(0)], "Running"),
        ("Never", Some(running()), vec![fresh()], "Pending"),
        ("Never", Some(ended(1)), vec![fresh()], "Failed"),
        ("OnFailure", Some(ended(1)), vec![fresh()], "Pending"),
        ("Always", Some(ended(0)), vec![running()], "Running"),
    ] {
        let init: Vec<(&str, Known)> = init.into_iter().map(|known| ("i", known)).collect();
        let app: Vec<(&str, Known)> = app.into_iter().map(|known| ("a", known)).collect();
        check_phase(policy, &init, &app, &Intent::Run, expect);
    }
}

#[test]
fn phases_of_a_pod_that_is_stopped() {
    let fresh = Known::default;
    for (why, app, expect) in [
        (Why::Deleted, vec![running()], "Running"),
        (Why::Deleted, vec![ended(143)], "Failed"),
        (Why::Deleted, vec![ended(0)], "Succeeded"),
        (Why::Deleted, vec![ended(0), ended(143)], "Failed"),
        (Why::Deleted, vec![fresh()], "Failed"),
        (Why::PastDeadline, vec![running()], "Running"),
        (Why::PastDeadline, vec![ended(0)], "Failed"),
        (Why::Refused("x".into()), vec![fresh()], "Failed"),
        (Why::Evicted("x".into()), vec![ended(0)], "Failed"),
    ] {
        let app: Vec<(&str, Known)> = app.into_iter().map(|known| ("a", known)).collect();
        check_phase("Always", &[], &app, &Intent::Stop(why), expect);
    }
}

#[test]
fn a_terminal_phase_is_final() {
    let mut pod = pod("Never", &[], &["a"]);
    pod.status = serde_json::from_value(json!({"phase": "Failed"})).unwrap();
    let status = status_of(&pod, &[("a", ended(0))], &Intent::Stop(Why::AlreadyOver));
    assert_eq!(status.phase.as_deref(), Some("Failed"));
}

/// The parts of a status that the tests below are about.
fn glance(status: &PodStatus) -> Value {
    let container = status.container_statuses.as_ref().map(|list| {
        let first = &list[0];
        json!({"ready": first.ready, "restarts": first.restart_count, "state": first.state, "last": first.last_state})
    });
    let conditions: Vec<String> = status
        .conditions
        .iter()
        .flatten()
        .map(|condition| {
            let reason = condition.reason.as_deref().unwrap_or("-");
            format!("{}={} {reason}", condition.type_, condition.status)
        })
        .collect();
    json!({"container": container, "conditions": conditions})
}

#[test]
fn a_pod_that_runs_is_ready() {
    let status = status_of(&pod("Never", &[], &["a"]), &[("a", running())], &Intent::Run);
    assert_eq!(
        glance(&status),
        json!({"container": {"ready": true, "restarts": 0,
                "state": {"running": {"startedAt": "1970-01-01T00:00:01Z"}}, "last": null},
            "conditions": ["PodReadyToStartContainers=True -", "Initialized=True -", "Ready=True -",
                "ContainersReady=True -", "PodScheduled=True -"]})
    );
}

#[test]
fn a_pod_that_succeeded_is_completed() {
    let status = status_of(&pod("Never", &[], &["a"]), &[("a", ended(0))], &Intent::Run);
    let seen = glance(&status);
    assert_eq!(
        seen["conditions"],
        json!([
            "PodReadyToStartContainers=False -",
            "Initialized=True PodCompleted",
            "Ready=False PodCompleted",
            "ContainersReady=False PodCompleted",
            "PodScheduled=True -"
        ])
    );
    assert_eq!(
        seen["container"]["state"]["terminated"],
        json!({"containerID": "kiln://u/a/0", "exitCode": 0, "finishedAt": "1970-01-01T00:00:02Z",
            "reason": "Completed", "startedAt": "1970-01-01T00:00:01Z"})
    );
}

#[test]
fn a_container_in_a_crash_loop_waits_with_the_kubelets_words() {
    let status = status_of(&pod("Always", &[], &["a"]), &[("a", looping())], &Intent::Run);
    let seen = glance(&status);
    assert_eq!(
        seen["container"]["state"]["waiting"],
        json!({"message": "back-off 1m20s restarting failed container=a pod=p_ns(u)", "reason": "CrashLoopBackOff"})
    );
    assert_eq!(seen["container"]["last"]["terminated"]["exitCode"], 1);
    assert_eq!(seen["conditions"][2], "Ready=False ContainersNotReady");
}

#[test]
fn waiting_reasons_of_containers_that_never_ran() {
    let reason = |init: &[&str], known: Known| {
        let status = status_of(&pod("Never", init, &["a"]), &[("a", known)], &Intent::Run);
        glance(&status)["container"]["state"]["waiting"].clone()
    };
    assert_eq!(reason(&[], Known::default()), json!({"reason": "ContainerCreating"}));
    assert_eq!(reason(&["i"], Known::default()), json!({"reason": "PodInitializing"}));
    let obstacle =
        Obstacle::Other { reason: "CreateContainerConfigError".into(), message: "secret \"s\" not found".into() };
    let blocked = Known { blocked: Some(Blocked::again(None, obstacle, at(0))), ..Known::default() };
    assert_eq!(
        reason(&[], blocked),
        json!({"message": "secret \"s\" not found", "reason": "CreateContainerConfigError"})
    );
}

#[test]
fn a_container_that_was_deleted_before_it_ran_could_not_be_located() {
    let status = status_of(&pod("Never", &[], &["a"]), &[("a", Known::default())], &Intent::Stop(Why::Deleted));
    assert_eq!(
        glance(&status)["container"]["state"]["terminated"],
        json!({"exitCode": 137, "message": "The container could not be located when the pod was terminated",
            "reason": "ContainerStatusUnknown"})
    );
}

#[test]
fn a_refused_pod_says_why() {
    let status = status_of(
        &pod("Never", &[], &["a"]),
        &[("a", Known::default())],
        &Intent::Stop(Why::Refused("spec.hostPID is not supported".into())),
    );
    assert_eq!(status.message.as_deref(), Some("Pod was rejected: spec.hostPID is not supported"));
    assert_eq!(status.container_statuses, None);
}

#[test]
fn transition_times_move_only_with_the_truth() {
    let previous: PodStatus = serde_json::from_value(json!({"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:01Z"},
        {"type": "Initialized", "status": "False", "lastTransitionTime": "1970-01-01T00:00:01Z"},
    ]}))
    .unwrap();
    let pod = pod("Never", &[], &["a"]);
    let containers = [("a".to_owned(), running())].into();
    let snapshot = Snapshot {
        pod: &pod,
        intent: &Intent::Run,
        preparation: &Preparation::Ready,
        containers: &containers,
        accepted_at: at(0),
        now: at(9),
    };
    let conditions = status(&snapshot, &previous, addresses()).conditions.unwrap();
    let since = |name: &str| {
        let found = conditions.iter().find(|condition| condition.type_ == name).unwrap();
        found.last_transition_time.as_ref().map(|time| time.0)
    };
    assert_eq!(since("Ready"), Some(at(1)));
    assert_eq!(since("Initialized"), Some(at(9)));
}

fn addresses() -> Addresses<'static> {
    Addresses { host: "10.0.0.1", pod: Some("10.9.0.2".into()) }
}

#[test]
fn phases_and_conditions_of_a_pod_with_a_sidecar() {
    let mut pod = pod("Never", &["s", "i"], &["a"]);
    let inits = pod.spec.as_mut().unwrap().init_containers.as_mut().unwrap();
    inits[0].restart_policy = Some("Always".into());
    let fresh = Known::default;
    let over = || Intent::Stop(Why::Deleted);
    for (s, i, a, intent, phase, initialized, ready) in [
        (fresh(), fresh(), fresh(), Intent::Run, "Pending", "False", "False"),
        (running(), fresh(), fresh(), Intent::Run, "Pending", "False", "False"),
        (running(), ended(0), fresh(), Intent::Run, "Pending", "True", "False"),
        (running(), ended(0), running(), Intent::Run, "Running", "True", "True"),
        (looping(), ended(0), running(), Intent::Run, "Running", "True", "False"),
        (running(), ended(0), ended(0), Intent::Run, "Running", "True", "False"),
        (running(), ended(0), ended(1), Intent::Run, "Running", "True", "False"),
        (ended(143), ended(0), ended(0), Intent::Run, "Succeeded", "True", "False"),
        (ended(1), ended(0), ended(1), Intent::Run, "Failed", "True", "False"),
        (running(), ended(1), fresh(), Intent::Run, "Pending", "False", "False"),
        (ended(143), ended(1), fresh(), Intent::Run, "Failed", "False", "False"),
        (running(), ended(0), ended(143), over(), "Running", "True", "False"),
        (ended(143), ended(0), ended(0), over(), "Succeeded", "True", "False"),
    ] {
        let list = [("s", s), ("i", i), ("a", a)];
        let status = status_of(&pod, &list, &intent);
        let conditions = status.conditions.unwrap();
        let holds = |name: &str| conditions.iter().find(|condition| condition.type_ == name).unwrap().status.clone();
        let seen = (status.phase.unwrap(), holds("Initialized"), holds("Ready"));
        assert_eq!(seen, (phase.into(), initialized.into(), ready.into()), "{list:?}");
    }
    let status = status_of(&pod, &[("s", running()), ("i", ended(0)), ("a", running())], &Intent::Run);
    let sidecar = &status.init_container_statuses.unwrap()[0];
    assert_eq!((sidecar.ready, sidecar.started), (true, Some(true)));
}

#[test]
fn a_patch_replaces_addresses_and_takes_back_what_is_not_said_any_more() {
    let stored = json!({
        "reason": "Evicted", "message": "gone", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
        "hostIPs": [{"ip": "192.0.2.1"}], "nominatedNodeName": "another",
        "conditions": [{"type": "DisruptionTarget", "status": "True"}],
    });
    let written: PodStatus = serde_json::from_value(stored.clone()).unwrap();
    let now = json!({
        "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}], "hostIPs": [{"ip": "192.0.2.2"}],
        "conditions": [{"type": "Ready", "status": "False"}],
    });
    let now: PodStatus = serde_json::from_value(now).unwrap();
    let mut status = stored;
    let schema = kinds::schema::lookup("io.k8s.api.core.v1.PodStatus");
    meta::patch::strategic::apply(&mut status, &patch(&written, &now).unwrap(), schema).unwrap();
    let conditions = status["conditions"].take();
    assert_eq!(conditions.as_array().map(Vec::len), Some(2), "{conditions}");
    assert_eq!(
        status,
        json!({
            "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}], "hostIPs": [{"ip": "192.0.2.2"}],
            "nominatedNodeName": "another", "conditions": null,
        })
    );
}
