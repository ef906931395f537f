//! Tables: a pod, what is there, and the words.

use super::*;
use crate::engine::Key;
use crate::scheduler::requested::Requested;
use crate::scheduler::wish::{Labels, Wish};
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

const NO_VICTIMS: &str = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
const NO_HELP: &str = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

fn pod(name: &str, spec: Value) -> Pod {
    let labels = spec["labels"].clone();
    let mut spec = spec;
    spec.as_object_mut().unwrap().remove("labels");
    if spec["containers"].is_null() {
        spec["containers"] = json!([{"name": "c"}]);
    }
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "n", "uid": name, "labels": labels}, "spec": spec}))
    .unwrap()
}

fn asking(cpu: &str, memory: &str) -> Value {
    json!([{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}])
}

fn node(rest: Value) -> Place {
    let mut node = json!({"metadata": {"name": "box", "labels": {"disk": "ssd", "kubernetes.io/hostname": "box"}},
        "status": {"allocatable": {"cpu": "2", "memory": "1000", "pods": "3"}}});
    node.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    let node: Node = serde_json::from_value(node).unwrap();
    Place::of(&node)
}

fn board(node: Place, running: &[Pod]) -> Board {
    let mut board = Board::default();
    board.nodes.insert(node.name.clone(), Arc::new(node));
    for pod in running {
        with_candidate(pod, |candidate| board.enter(candidate.on("box")));
    }
    board
}

fn with_candidate<T>(pod: &Pod, look: impl FnOnce(&Candidate<'_>) -> T) -> T {
    let key = Key::of(&pod.metadata);
    let labels: Labels = pod.metadata.labels.clone().unwrap_or_default();
    let (requested, wish) = (Requested::by(pod), Arc::new(Wish::of(pod)));
    look(&Candidate {
        key: &key,
        uid: pod.metadata.uid.as_deref().unwrap(),
        labels: &labels,
        requested: &requested,
        wish: &wish,
        nominated: None,
    })
}

fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::Bind { node } => format!("bind {node}"),
        Verdict::Wait => "wait".into(),
        Verdict::Unschedulable { message, preemption: None } => message,
        Verdict::Unschedulable { message, preemption: Some(preemption) } => {
            let victims: Vec<&str> = preemption.victims.iter().map(|victim| victim.key.name.as_str()).collect();
            format!("{message} -> {} for {}", victims.join(" "), preemption.node)
        }
    }
}

#[track_caller]
fn check(board: &Board, spec: Value, expected: &str) {
    let verdict = with_candidate(&pod("p", spec), |candidate| schedule(candidate, board, |_| Readiness::Ready));
    assert_eq!(shown(verdict), expected);
}

#[test]
fn pods_go_where_they_fit() {
    let running = [pod("a", json!({"containers": asking("1500m", "900")})), pod("b", json!({}))];
    let board = board(node(json!({})), &running);
    check(&board, json!({"containers": asking("500m", "100")}), "bind box");
    check(
        &board,
        json!({"containers": asking("501m", "0")}),
        &format!("0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}"),
    );
    check(
        &board,
        json!({"containers": asking("501m", "101")}),
        &format!("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. {NO_VICTIMS}"),
    );
    check(
        &board,
        json!({"containers": asking("0", "1001")}),
        &format!("0/1 nodes are available: 1 Insufficient memory. {NO_HELP}"),
    );
    let mut full = board.clone();
    with_candidate(&pod("c", json!({})), |third| full.enter(third.on("box")));
    check(&full, json!({}), &format!("0/1 nodes are available: 1 Too many pods. {NO_VICTIMS}"));
    full.strike("a");
    check(&full, json!({"containers": asking("2", "1000")}), "bind box");
}

#[test]
fn without_a_node_nothing_is_scheduled() {
    check(&Board::default(), json!({}), "no nodes available to schedule pods");
}

#[test]
fn selectors_and_node_affinity_have_to_hold() {
    let board = board(node(json!({})), &[]);
    let mismatch = format!("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {NO_HELP}");
    check(&board, json!({"nodeSelector": {"disk": "ssd"}}), "bind box");
    check(&board, json!({"nodeSelector": {"disk": "hdd"}}), &mismatch);
    let required = |operator: &str| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms":
            [{"matchExpressions": [{"key": "disk", "operator": operator, "values": ["ssd"]}]}]}}}})
    };
    check(&board, required("In"), "bind box");
    check(&board, required("NotIn"), &mismatch);
}

#[test]
fn taints_keep_pods_away_that_do_not_tolerate_them() {
    let tainted = board(
        node(
            json!({"spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]}}),
        ),
        &[],
    );
    let untolerated = format!("0/1 nodes are available: 1 node(s) had untolerated taint(s). {NO_HELP}");
    check(&tainted, json!({}), &untolerated);
    for (toleration, expect) in [
        (json!({"key": "a", "operator": "Equal", "value": "b"}), "bind box"),
        (json!({"key": "a", "operator": "Exists", "effect": "NoSchedule"}), "bind box"),
        (json!({"operator": "Exists"}), "bind box"),
        (json!({"key": "a", "operator": "Equal", "value": "c"}), untolerated.as_str()),
        (json!({"key": "a", "operator": "Exists", "effect": "NoExecute"}), untolerated.as_str()),
    ] {
        check(&tainted, json!({"tolerations": [toleration]}), expect);
    }
    let cordoned = board(
        node(
            json!({"spec": {"unschedulable": true, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}}),
        ),
        &[],
    );
    check(&cordoned, json!({}), &format!("0/1 nodes are available: 1 node(s) were unschedulable. {NO_HELP}"));
    check(
        &cordoned,
        json!({"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]}),
        "bind box",
    );
}

#[test]
fn a_host_port_is_taken_once() {
    let on = |port: u16| json!({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": port}]}]});
    let board = board(node(json!({})), &[pod("a", on(80))]);
    check(&board, on(81), "bind box");
    check(
        &board,
        on(80),
        &format!("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. {NO_VICTIMS}"),
    );
}

#[test]
fn pods_seek_and_shun_company() {
    let term = |app: &str| {
        json!({"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}}]})
    };
    let hermit = pod("hermit", json!({"labels": {"app": "hermit"}, "affinity": {"podAntiAffinity": term("noisy")}}));
    let board = board(node(json!({})), &[pod("db", json!({"labels": {"app": "db"}})), hermit]);
    check(&board, json!({"affinity": {"podAffinity": term("db")}}), "bind box");
    check(
        &board,
        json!({"affinity": {"podAffinity": term("web")}}),
        &format!("0/1 nodes are available: 1 node(s) didn't match pod affinity rules. {NO_HELP}"),
    );
    check(&board, json!({"labels": {"app": "web"}, "affinity": {"podAffinity": term("web")}}), "bind box");
    check(
        &board,
        json!({"affinity": {"podAntiAffinity": term("db")}}),
        &format!("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. {NO_VICTIMS}"),
    );
    check(
        &board,
        json!({"labels": {"app": "noisy"}}),
        &format!("0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. {NO_VICTIMS}"),
    );
}

#[test]
fn pods_spread_over_the_values_of_a_label() {
    let spread = |key: &str, min_domains: Option<i32>| {
        json!({"labels": {"app": "web"}, "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": key, "minDomains": min_domains,
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]})
    };
    let board = board(node(json!({})), &[pod("a", json!({"labels": {"app": "web"}}))]);
    check(&board, spread("kubernetes.io/hostname", None), "bind box");
    check(
        &board,
        spread("kubernetes.io/hostname", Some(2)),
        &format!("0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints. {NO_VICTIMS}"),
    );
    check(
        &board,
        spread("zone", None),
        &format!(
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label). {NO_HELP}"
        ),
    );
}

#[test]
fn the_least_important_leave_for_one_that_matters_more() {
    let of =
        |name: &str, priority: i32, cpu: &str| pod(name, json!({"priority": priority, "containers": asking(cpu, "1")}));
    let board = board(node(json!({})), &[of("low", 1, "500m"), of("lower", 0, "500m"), of("high", 9, "1")]);
    let urgent =
        |cpu: &str, policy: &str| json!({"priority": 5, "preemptionPolicy": policy, "containers": asking(cpu, "1")});
    let lacking = "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.";
    check(&board, urgent("500m", "PreemptLowerPriority"), &format!("{lacking} -> lower for box"));
    check(&board, urgent("1", "PreemptLowerPriority"), &format!("{lacking} -> low lower for box"));
    check(
        &board,
        urgent("1500m", "PreemptLowerPriority"),
        &format!("{lacking} preemption: 0/1 nodes are available: 1 Insufficient cpu."),
    );
    check(
        &board,
        urgent("500m", "Never"),
        &format!("{lacking} preemption: not eligible due to preemptionPolicy=Never."),
    );
    check(&board, json!({"containers": asking("500m", "1")}), &format!("{lacking} {NO_VICTIMS}"));
}

#[test]
fn room_that_is_promised_is_taken_for_those_that_matter_less() {
    let mut board = board(node(json!({})), &[pod("a", json!({"containers": asking("1", "1")}))]);
    let promised = pod("promised", json!({"priority": 5, "containers": asking("1", "1")}));
    with_candidate(&promised, |candidate| board.nominate(candidate.on("box")));
    let asked = asking("500m", "1");
    check(
        &board,
        json!({"priority": 1, "containers": asked}),
        "0/1 nodes are available: 1 Insufficient cpu. -> a for box",
    );
    check(&board, json!({"priority": 6, "containers": asked}), "bind box");
    let verdict = with_candidate(&promised, |candidate| schedule(candidate, &board, |_| Readiness::Ready));
    assert_eq!(shown(verdict), "bind box");
}

#[test]
fn claims_have_a_say() {
    let board = board(node(json!({})), &[]);
    for (readiness, expect) in [
        (Readiness::Waiting, "wait".to_owned()),
        (
            Readiness::Unschedulable("persistentvolumeclaim \"x\" not found".into()),
            format!("0/1 nodes are available: persistentvolumeclaim \"x\" not found. {NO_HELP}"),
        ),
        (
            Readiness::Misfit("node(s) didn't match PersistentVolume's node affinity"),
            format!("0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity. {NO_HELP}"),
        ),
    ] {
        let verdict =
            with_candidate(&pod("p", json!({})), |candidate| schedule(candidate, &board, |_| readiness.clone()));
        assert_eq!(shown(verdict), expect);
    }
}
