//! Gates beyond a kind's own rules: priorities, limits, quotas, runtime classes.

use crate::harness::{CONFIG_MAPS, PODS, Server, config_map, pod};
use serde_json::{Value, json};

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const LIMIT_RANGES: &str = "/api/v1/namespaces/default/limitranges";
const PRIORITY_CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";
const RUNTIME_CLASSES: &str = "/apis/node.k8s.io/v1/runtimeclasses";

fn object(kind: &str, version: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

/// A quota whose status a controller would have set.
async fn quota(server: &Server, name: &str, hard: Value) {
    let quota = object("ResourceQuota", "v1", name, json!({"spec": {"hard": hard}}));
    server.post(QUOTAS, &quota).await.expect(201);
    let used: Value = hard.as_object().unwrap().keys().map(|key| (key.clone(), "0".to_owned())).collect();
    let status = json!({"status": {"hard": hard, "used": used}});
    server.patch(&format!("{QUOTAS}/{name}/status"), "merge-patch+json", &status).await.expect(200);
}

async fn used(server: &Server, name: &str) -> Value {
    server.get(&format!("{QUOTAS}/{name}")).await.expect(200).json()["status"]["used"].clone()
}

#[tokio::test]
async fn the_systems_own_classes_and_service_are_there() {
    let server = Server::new();
    let classes = server.get(PRIORITY_CLASSES).await.expect(200).json();
    let shown: Vec<(&str, i64)> = classes["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| (class["metadata"]["name"].as_str().unwrap(), class["value"].as_i64().unwrap()))
        .collect();
    assert_eq!(shown, [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]);
    server.delete(&format!("{PRIORITY_CLASSES}/system-node-critical")).await.expect_status(
        403,
        "Forbidden",
        "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is a system priority class and cannot be deleted",
    );
    let service = server.get("/api/v1/namespaces/default/services/kubernetes").await.expect(200).json();
    assert_eq!(service["spec"]["clusterIP"], "10.96.0.1");
}

#[tokio::test]
async fn a_pods_class_becomes_its_priority() {
    let server = Server::new();
    let class = object("PriorityClass", "scheduling.k8s.io/v1", "high", json!({"value": 1000}));
    server.post(PRIORITY_CLASSES, &class).await.expect(201);
    let mut high = pod("p");
    high["spec"]["priorityClassName"] = "high".into();
    let made = server.post(PODS, &high).await.expect(201).json();
    assert_eq!(
        (&made["spec"]["priority"], &made["spec"]["preemptionPolicy"]),
        (&json!(1000), &json!("PreemptLowerPriority"))
    );
    let keys: Vec<&str> =
        made["spec"]["tolerations"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
    let mut nothing = pod("q");
    nothing["spec"]["priorityClassName"] = "x".into();
    server.post(PODS, &nothing).await.expect_status(
        403,
        "Forbidden",
        "pods \"q\" is forbidden: no PriorityClass with name x was found",
    );
    // What was filled in may be left out again.
    let mut again = made.clone();
    again["metadata"]["labels"] = json!({"a": "b"});
    for field in ["priority", "preemptionPolicy", "tolerations"] {
        again["spec"].as_object_mut().unwrap().remove(field);
    }
    server.put(&format!("{PODS}/p"), &again).await.expect(200);
}

#[tokio::test]
async fn a_quota_counts_in_the_same_transaction() {
    let server = Server::new();
    quota(&server, "q", json!({"pods": "2", "configmaps": "1"})).await;
    server.post(PODS, &pod("a")).await.expect(201);
    assert_eq!(used(&server, "q").await, json!({"configmaps": "0", "pods": "1"}));
    let dry = format!("{PODS}?dryRun=All");
    server.post(&dry, &pod("b")).await.expect(201);
    assert_eq!(used(&server, "q").await["pods"], "1", "a dry run uses nothing");
    server.post(PODS, &pod("a")).await.expect(409);
    assert_eq!(used(&server, "q").await["pods"], "1", "what is not stored uses nothing");
    server.post(PODS, &pod("b")).await.expect(201);
    server.post(PODS, &pod("c")).await.expect_status(
        403,
        "Forbidden",
        "pods \"c\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
    );
    server.post(&dry, &pod("c")).await.expect(403);
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    server.post(CONFIG_MAPS, &config_map("b", json!({}))).await.expect(403);
    let elsewhere = object("Namespace", "v1", "other", json!({}));
    server.post("/api/v1/namespaces", &elsewhere).await.expect(201);
    server.post("/api/v1/namespaces/other/pods", &pod("c")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_never_exceed_a_quota() {
    let server = Server::new();
    quota(&server, "q", json!({"pods": "20"})).await;
    let names: Vec<Value> = (0..60).map(|n| pod(&format!("p{n}"))).collect();
    let replies = futures::future::join_all(names.iter().map(|pod| server.post(PODS, pod))).await;
    let n_made = replies.iter().filter(|reply| reply.code == 201).count();
    let n_refused = replies.iter().filter(|reply| reply.code == 403).count();
    assert_eq!((n_made, n_refused), (20, 40));
    assert_eq!(used(&server, "q").await["pods"], "20");
}

#[tokio::test]
async fn limits_complete_containers_before_a_quota_measures_them() {
    let server = Server::new();
    quota(&server, "q", json!({"limits.cpu": "1"})).await;
    server.post(PODS, &pod("a")).await.expect_status(
        403,
        "Forbidden",
        "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: a,b",
    );
    let limits = json!([{"type": "Container", "default": {"cpu": "400m"}, "max": {"cpu": "500m"}}]);
    let range = object("LimitRange", "v1", "l", json!({"spec": {"limits": limits}}));
    server.post(LIMIT_RANGES, &range).await.expect(201);
    let made = server.post(PODS, &pod("a")).await.expect(201).json();
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container a; cpu limit for container a; cpu request for container b; cpu limit for container b"
    );
    assert_eq!(made["status"]["qosClass"], "Burstable");
    assert_eq!(used(&server, "q").await, json!({"limits.cpu": "800m"}));
    let mut large = pod("b");
    large["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "600m"}});
    server.post(PODS, &large).await.expect_status(
        403,
        "Forbidden",
        "pods \"b\" is forbidden: maximum cpu usage per Container is 500m, but limit is 600m",
    );
}

#[tokio::test]
async fn a_runtime_class_must_be_there() {
    let server = Server::new();
    let mut isolated = pod("p");
    isolated["spec"]["runtimeClassName"] = "y".into();
    server.post(PODS, &isolated).await.expect_status(
        403,
        "Forbidden",
        "pods \"p\" is forbidden: pod rejected: RuntimeClass \"y\" not found",
    );
    let class = object(
        "RuntimeClass",
        "node.k8s.io/v1",
        "y",
        json!({"handler": "kiln", "overhead": {"podFixed": {"cpu": "50m"}}}),
    );
    server.post(RUNTIME_CLASSES, &class).await.expect(201);
    let made = server.post(PODS, &isolated).await.expect(201).json();
    assert_eq!(made["spec"]["overhead"], json!({"cpu": "50m"}));
}

#[tokio::test]
async fn a_service_that_would_need_routing_says_so() {
    let server = Server::new();
    let services = "/api/v1/namespaces/default/services";
    let plain = object("Service", "v1", "plain", json!({"spec": {"ports": [{"port": 80}]}}));
    let reply = server.post(services, &plain).await.expect(201);
    assert_eq!(
        reply.warnings(),
        [
            "299 - \"spec.type: kiln routes no traffic to a Service of type ClusterIP: its name leads to its pods, at their own ports, as with clusterIP: None\""
        ]
    );
    let headless = object("Service", "v1", "headless", json!({"spec": {"clusterIP": "None", "selector": {"a": "b"}}}));
    assert!(server.post(services, &headless).await.expect(201).warnings().is_empty());
}
