use super::super::known::Obstacle;
use super::*;
use serde_json::{Value, json};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec})).unwrap()
}

fn one(policy: &str) -> Pod {
    pod(json!({"restartPolicy": policy, "containers": [{"name": "a"}]}))
}

fn running() -> Known {
    Known { state: State::Running { attempt: 0, started_at: at(0) }, ..Known::default() }
}

fn ended(attempt: u32, exit_code: i32, finished_at: i64) -> Known {
    let mut known = Known {
        state: State::Ended(Ended {
            attempt,
            exit_code,
            reason: "Error".into(),
            message: String::new(),
            started_at: Some(at(0)),
            finished_at: Some(at(finished_at)),
        }),
        ..Known::default()
    };
    known.crash_loop.restarts = attempt;
    known
}

fn knowns(list: &[(&str, Known)]) -> BTreeMap<String, Known> {
    list.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect()
}

fn decide(pod: &Pod, list: &[(&str, Known)], preparation: &Preparation, now: i64) -> Plan {
    let now = at(now);
    let intent = intent(pod, false, false, None, None, at(0), now);
    plan(&Snapshot { pod, intent: &intent, preparation, containers: &knowns(list), accepted_at: at(0), now })
}

fn start(container: &str, attempt: u32) -> Step {
    Step::Start { container: container.into(), attempt }
}

fn stop_with(container: &str, grace_seconds: u64) -> Step {
    Step::Stop { container: container.into(), killing: Killing::Stopped, grace_seconds }
}

#[track_caller]
fn check(pod: &Pod, list: &[(&str, Known)], now: i64, steps: &[Step], wake_at: Option<i64>) {
    let plan = decide(pod, list, &Preparation::Ready, now);
    assert_eq!(plan.steps, steps);
    assert_eq!(plan.wake_at, wake_at.map(at));
}

#[test]
fn a_new_pod_is_prepared_and_then_started() {
    let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a"}, {"name": "b"}]}));
    let fresh = [("a", Known::default()), ("b", Known::default())];
    let plan = decide(&pod, &fresh, &Preparation::NotYet, 0);
    assert_eq!(plan.steps, [Step::Prepare]);
    check(&pod, &fresh, 0, &[start("a", 0), start("b", 0)], None);
    check(&pod, &[("a", running()), ("b", running())], 0, &[], None);
}

#[test]
fn a_pod_whose_volumes_are_missing_is_tried_again_later() {
    let blocked = Preparation::Blocked(Blocked::again(
        None,
        Obstacle::Other { reason: "FailedMount".into(), message: String::new() },
        at(0),
    ));
    let fresh = [("a", Known::default())];
    let early = decide(&one("Never"), &fresh, &blocked, 0);
    assert_eq!((early.steps, early.wake_at), (vec![], Some(at(1))));
    assert_eq!(decide(&one("Never"), &fresh, &blocked, 1).steps, [Step::Prepare]);
}

#[test]
fn the_end_of_all_containers_is_the_end_of_the_pod_unless_one_restarts() {
    for (policy, exit_code, steps) in [
        ("Never", 0, vec![Step::Finish]),
        ("Never", 1, vec![Step::Finish]),
        ("OnFailure", 0, vec![Step::Finish]),
        ("OnFailure", 1, vec![start("a", 1)]),
        ("Always", 0, vec![start("a", 1)]),
    ] {
        let plan = decide(&one(policy), &[("a", ended(0, exit_code, 5))], &Preparation::Ready, 5);
        assert_eq!(plan.steps, steps, "{policy} {exit_code}");
    }
    let two = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a"}, {"name": "b"}]}));
    check(&two, &[("a", ended(0, 1, 5)), ("b", running())], 5, &[], None);
}

#[test]
fn a_container_that_crashes_again_waits_longer() {
    let pod = one("OnFailure");
    let announce = Step::AnnounceCrashBackOff { container: "a".into() };
    check(&pod, &[("a", ended(1, 1, 5))], 6, &[announce], Some(15));
    let mut told = ended(1, 1, 5);
    told.crash_announced = true;
    check(&pod, &[("a", told)], 6, &[], Some(15));
    check(&pod, &[("a", ended(1, 1, 5))], 15, &[start("a", 2)], None);
}

#[test]
fn init_containers_run_one_by_one_before_the_others() {
    let pod = |policy| {
        pod(json!({"restartPolicy": policy, "initContainers": [{"name": "i"}, {"name": "j"}],
            "containers": [{"name": "a"}]}))
    };
    let fresh = Known::default;
    let list = |i, j| [("i", i), ("j", j), ("a", fresh())];
    check(&pod("Never"), &list(fresh(), fresh()), 0, &[start("i", 0)], None);
    check(&pod("Never"), &list(running(), fresh()), 0, &[], None);
    check(&pod("Always"), &list(ended(0, 0, 1), fresh()), 1, &[start("j", 0)], None);
    check(&pod("Never"), &list(ended(0, 0, 1), ended(0, 0, 1)), 1, &[start("a", 0)], None);
    check(&pod("Never"), &list(ended(0, 1, 1), fresh()), 1, &[Step::Finish], None);
    check(&pod("OnFailure"), &list(ended(0, 1, 1), fresh()), 1, &[start("i", 1)], None);
}

#[test]
fn an_absent_image_is_announced_once_and_tried_again() {
    let mut known = Known {
        blocked: Some(Blocked::again(None, Obstacle::Image { image: "nope".into(), error: "absent".into() }, at(0))),
        ..Known::default()
    };
    let announce = Step::AnnounceImageBackOff { container: "a".into() };
    let pod = one("Never");
    check(&pod, &[("a", known.clone())], 0, &[], Some(3));
    check(&pod, &[("a", known.clone())], 3, &[announce], Some(10));
    if let Some(blocked) = &mut known.blocked {
        blocked.announced = true;
    }
    check(&pod, &[("a", known.clone())], 4, &[], Some(10));
    check(&pod, &[("a", known)], 10, &[start("a", 0)], None);
}

#[test]
fn a_deleted_pod_is_stopped_and_only_asked_again_when_the_grace_shrinks() {
    let mut pod = one("Always");
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("1970-01-01T00:00:30Z")).unwrap();
    pod.metadata.deletion_grace_period_seconds = Some(30);
    check(&pod, &[("a", running())], 0, &[stop_with("a", 30)], None);
    let mut asked = running();
    asked.stopping = Some(30);
    check(&pod, &[("a", asked.clone())], 0, &[], None);
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("1970-01-01T00:00:05Z")).unwrap();
    pod.metadata.deletion_grace_period_seconds = Some(5);
    check(&pod, &[("a", asked)], 0, &[stop_with("a", 5)], None);
    check(&pod, &[("a", running())], 100, &[stop_with("a", 2)], None);
    check(&pod, &[("a", ended(0, 143, 1))], 1, &[Step::Finish], None);
    check(&pod, &[("a", Known::default())], 1, &[Step::Finish], None);
}

#[test]
fn a_pod_past_its_deadline_is_stopped() {
    let pod = pod(json!({"restartPolicy": "Never", "activeDeadlineSeconds": 60,
        "terminationGracePeriodSeconds": 7, "containers": [{"name": "a"}]}));
    check(&pod, &[("a", running())], 59, &[], Some(60));
    check(&pod, &[("a", running())], 60, &[stop_with("a", 7)], None);
}

#[test]
fn a_container_the_spec_does_not_name_is_killed() {
    check(&one("Never"), &[("a", running()), ("stranger", running())], 0, &[stop_with("stranger", 0)], None);
}

#[test]
fn intents_in_order_of_precedence() {
    let mut pod = one("Never");
    let refused = Some("no");
    let ask = |pod: &Pod, gone, ends, refusal| intent(pod, gone, ends, refusal, None, at(0), at(0));
    assert_eq!(ask(&pod, false, false, None), Intent::Run);
    assert_eq!(ask(&pod, false, false, refused), Intent::Stop(Why::Refused("no".into())));
    let evicted = intent(&pod, false, false, None, Some("too much"), at(0), at(0));
    assert_eq!(evicted, Intent::Stop(Why::Evicted("too much".into())));
    pod.status = serde_json::from_value(json!({"phase": "Failed"})).unwrap();
    assert_eq!(ask(&pod, false, false, refused), Intent::Stop(Why::AlreadyOver));
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("1970-01-01T00:00:05Z")).unwrap();
    assert_eq!(ask(&pod, false, false, None), Intent::Stop(Why::Deleted));
    assert_eq!(ask(&pod, true, false, None), Intent::Stop(Why::Gone));
    assert_eq!(ask(&pod, true, true, None), Intent::Stop(Why::ServerEnds));
}

#[test]
fn sidecars_begin_in_order_and_the_others_do_not_wait_for_their_end() {
    let pod = pod(json!({"restartPolicy": "Never", "initContainers": [
        {"name": "s", "restartPolicy": "Always"}, {"name": "i"}, {"name": "t", "restartPolicy": "Always"}],
        "containers": [{"name": "a"}]}));
    let fresh = Known::default;
    let list = |s, i, t, a| [("s", s), ("i", i), ("t", t), ("a", a)];
    let crashed = |at| ended(0, 1, at);
    check(&pod, &list(fresh(), fresh(), fresh(), fresh()), 0, &[start("s", 0)], None);
    check(&pod, &list(running(), fresh(), fresh(), fresh()), 0, &[start("i", 0)], None);
    check(&pod, &list(running(), running(), fresh(), fresh()), 0, &[], None);
    check(&pod, &list(running(), ended(0, 0, 1), fresh(), fresh()), 1, &[start("t", 0)], None);
    check(&pod, &list(running(), ended(0, 0, 1), running(), fresh()), 1, &[start("a", 0)], None);
    // Before anything after it has begun, a crash holds everything up; later only itself. Exit code 0 is a crash as well.
    check(&pod, &list(crashed(1), fresh(), fresh(), fresh()), 1, &[start("s", 1)], None);
    check(&pod, &list(ended(0, 0, 1), running(), fresh(), fresh()), 1, &[start("s", 1)], None);
    check(&pod, &list(crashed(2), ended(0, 0, 1), running(), fresh()), 2, &[start("s", 1), start("a", 0)], None);
    check(&pod, &list(running(), ended(0, 0, 1), crashed(2), running()), 2, &[start("t", 1)], None);
}

#[test]
fn sidecars_end_after_the_others_the_last_first_within_one_grace() {
    let mut pod = pod(json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 10, "initContainers": [
        {"name": "s", "restartPolicy": "Always"}, {"name": "t", "restartPolicy": "Always"}],
        "containers": [{"name": "a"}, {"name": "b"}]}));
    let list = |s, t, a, b| [("s", s), ("t", t), ("a", a), ("b", b)];
    let over = || ended(0, 0, 5);
    let asked = |grace| Known { stopping: Some(grace), ..running() };
    check(&pod, &list(running(), running(), over(), running()), 5, &[], None);
    check(&pod, &list(running(), running(), over(), over()), 5, &[stop_with("t", 10)], None);
    check(&pod, &list(running(), asked(10), over(), over()), 7, &[], None);
    check(&pod, &list(running(), ended(0, 143, 9), over(), over()), 9, &[stop_with("s", 6)], None);
    check(&pod, &list(running(), ended(0, 137, 30), over(), over()), 30, &[stop_with("s", 2)], None);
    check(&pod, &list(ended(0, 143, 9), ended(0, 143, 9), over(), over()), 9, &[Step::Finish], None);
    // One that crashes while the others end is not started again.
    check(&pod, &list(ended(0, 1, 5), ended(0, 1, 5), over(), over()), 5, &[Step::Finish], None);
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("1970-01-01T00:00:10Z")).unwrap();
    pod.metadata.deletion_grace_period_seconds = Some(10);
    check(&pod, &list(running(), running(), over(), running()), 0, &[stop_with("b", 10)], None);
    check(&pod, &list(running(), running(), over(), over()), 4, &[stop_with("t", 7)], None);
    check(&pod, &list(running(), over(), over(), over()), 6, &[stop_with("s", 5)], None);
    check(&pod, &list(over(), over(), over(), over()), 6, &[Step::Finish], None);
    let at_once = plan(&Snapshot {
        pod: &pod,
        intent: &Intent::Stop(Why::ServerEnds),
        preparation: &Preparation::Ready,
        containers: &knowns(&list(running(), running(), running(), over())),
        accepted_at: at(0),
        now: at(0),
    });
    assert_eq!(at_once.steps, [stop_with("a", 2), stop_with("t", 2), stop_with("s", 2)]);
}

#[test]
fn a_failed_init_container_takes_the_sidecars_before_it_along() {
    let pod = pod(json!({"restartPolicy": "Never", "initContainers": [
        {"name": "s", "restartPolicy": "Always"}, {"name": "i"}], "containers": [{"name": "a"}]}));
    let list = |s| [("s", s), ("i", ended(0, 1, 3)), ("a", Known::default())];
    check(&pod, &list(running()), 4, &[stop_with("s", 29)], None);
    check(&pod, &list(ended(0, 143, 5)), 5, &[Step::Finish], None);
}

#[test]
fn a_containers_own_policy_and_rules_count_before_the_pods() {
    let rules = json!([{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]);
    let others = json!([{"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0, 42]}}]);
    for (of_pod, own, rules, exit_code, restarts) in [
        ("Never", json!("Always"), json!(null), 0, true),
        ("Always", json!("Never"), json!(null), 1, false),
        ("Never", json!("OnFailure"), json!(null), 1, true),
        ("Never", json!("OnFailure"), json!(null), 0, false),
        ("Never", json!("Never"), rules.clone(), 42, true),
        ("Never", json!("Never"), rules, 41, false),
        ("Never", json!("Never"), others.clone(), 41, true),
        ("Never", json!("Never"), others, 42, false),
    ] {
        let container = json!([{"name": "a", "restartPolicy": own, "restartPolicyRules": rules}]);
        let pod = pod(json!({"restartPolicy": of_pod, "containers": container}));
        let steps = if restarts { vec![start("a", 1)] } else { vec![Step::Finish] };
        check(&pod, &[("a", ended(0, exit_code, 5))], 5, &steps, None);
    }
}
