//! Names and what they lead to, as CoreDNS would have it.

use super::*;
use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::{Value, json};

fn service(namespace: &str, name: &str, spec: Value) -> ServiceFacts {
    let service: Service =
        serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec})).unwrap();
    ServiceFacts::of(&service)
}

fn pod(name: &str, address: &str, ready: bool, spec: Value) -> PodFacts {
    let mut pod = json!({
        "metadata": {"namespace": "n", "name": name, "uid": name, "labels": {"app": "db", "pod": name}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "sql", "containerPort": 5432}]}]},
        "status": {"phase": "Running", "podIP": address,
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    });
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let pod: Pod = serde_json::from_value(pod).unwrap();
    PodFacts::of(&pod)
}

fn names() -> Names {
    let mut names = Names::new(Range::of([10, 200, 4, 0].into(), 22));
    let headless = json!({"clusterIP": "None", "selector": {"app": "db"},
        "ports": [{"name": "sql", "port": 1, "targetPort": "sql"}, {"name": "http", "port": 80}]});
    let mut eager = headless.clone();
    eager["publishNotReadyAddresses"] = true.into();
    names.set_services([
        service("default", "kubernetes", json!({"clusterIP": "10.96.0.1"})),
        service("n", "db", headless),
        service("n", "eager", eager),
        service("n", "none", json!({"clusterIP": "None"})),
        service("n", "empty", json!({"type": "ClusterIP", "selector": {"app": "nobody"}})),
        service("database", "postgres", json!({"type": "ExternalName", "externalName": "DB.Example.org"})),
    ]);
    names.put_pod(pod("b", "10.200.4.3", true, json!({"hostname": "job-1", "subdomain": "db"})));
    names.put_pod(pod("a", "10.200.4.2", true, json!({"hostname": "job-0", "subdomain": "other"})));
    names.put_pod(pod("late", "10.200.4.4", false, json!({})));
    names
}

fn told(found: &Found) -> String {
    let record = |record: &Record| match record {
        Record::Address(address) => address.to_string(),
        Record::Service { port, target } => format!("{target}:{port}"),
        Record::Text(text) => format!("{text:?}"),
        Record::Pointer(name) => name.clone(),
    };
    match found {
        Found::Beyond => "beyond".into(),
        Found::Missing => "missing".into(),
        Found::Alias(name) => format!("-> {name}"),
        Found::Records(records) => records.iter().map(record).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn names_lead_where_they_lead_on_a_cluster() {
    let names = names();
    for (name, expect) in [
        ("db.n.svc.cluster.local", "10.200.4.2 10.200.4.3"),
        ("DB.n.SVC.cluster.local.", "10.200.4.2 10.200.4.3"),
        ("eager.n.svc.cluster.local", "10.200.4.2 10.200.4.3 10.200.4.4"),
        ("job-1.db.n.svc.cluster.local", "10.200.4.3"),
        ("job-0.db.n.svc.cluster.local", "missing"),
        ("10-200-4-2.db.n.svc.cluster.local", "10.200.4.2"),
        ("none.n.svc.cluster.local", "missing"),
        ("db.database.svc.cluster.local", "missing"),
        ("postgres.database.svc.cluster.local", "-> db.example.org"),
        ("kubernetes.default.svc.cluster.local", "10.200.4.1"),
        (
            "_sql._tcp.db.n.svc.cluster.local",
            "10-200-4-2.db.n.svc.cluster.local:5432 job-1.db.n.svc.cluster.local:5432",
        ),
        ("_http._tcp.db.n.svc.cluster.local", "10-200-4-2.db.n.svc.cluster.local:80 job-1.db.n.svc.cluster.local:80"),
        ("_sql._udp.db.n.svc.cluster.local", "missing"),
        ("_nothing._tcp.db.n.svc.cluster.local", "missing"),
        ("10-200-4-4.n.pod.cluster.local", "10.200.4.4"),
        ("10-200-4-4.other.pod.cluster.local", "missing"),
        ("3.4.200.10.in-addr.arpa", "job-1.db.n.svc.cluster.local 10-200-4-3.eager.n.svc.cluster.local"),
        ("1.4.200.10.in-addr.arpa", "host.kiln.internal"),
        ("200.4.200.10.in-addr.arpa", "missing"),
        ("1.1.1.1.in-addr.arpa", "beyond"),
        ("x.in-addr.arpa", "beyond"),
        ("host.kiln.internal", "10.200.4.1"),
        ("other.kiln.internal", "missing"),
        ("dns-version.cluster.local", "\"1.1.0\""),
        ("cluster.local", ""),
        ("svc.cluster.local", ""),
        ("n.svc.cluster.local", ""),
        ("nowhere.svc.cluster.local", "missing"),
        ("a.b.c.d.e.f.svc.cluster.local", "missing"),
        ("example.org", "beyond"),
        ("db.n.svc.cluster.local.lan", "missing"),
        ("host.kiln.internal.lan", "missing"),
        ("empty.n.svc.cluster.local", ""),
        ("mycluster.local", "beyond"),
        ("", "beyond"),
        (".", "beyond"),
        ("..cluster.local", ""),
    ] {
        assert_eq!(told(&names.find(name)), expect, "{name}");
    }
}

#[test]
fn pods_come_and_go() {
    let mut names = names();
    let find = |names: &Names| told(&names.find("db.n.svc.cluster.local"));
    names.put_pod(pod("late", "10.200.4.4", true, json!({})));
    assert_eq!(find(&names), "10.200.4.2 10.200.4.3 10.200.4.4");
    names.remove_pod("a");
    let mut ended = pod("b", "10.200.4.3", false, json!({}));
    ended.address = None;
    names.put_pod(ended);
    assert_eq!(find(&names), "10.200.4.4");
    names.keep_pods(|uid| uid != "late");
    assert_eq!(find(&names), "missing");
    names.remove_service(&service("n", "db", json!({})));
    names.put_service(service("n", "db", json!({"type": "ExternalName", "externalName": "x.y"})));
    assert_eq!(find(&names), "-> x.y");
}

#[test]
fn what_has_ended_or_is_being_deleted_is_led_to_no_more() {
    let read = |change: fn(&mut Value)| {
        let mut pod = json!({"metadata": {"uid": "u"}, "spec": {"containers": []}, "status": {"phase": "Running",
            "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}});
        change(&mut pod);
        let facts = PodFacts::of(&serde_json::from_value(pod).unwrap());
        (facts.address.is_some(), facts.is_ready)
    };
    assert_eq!(read(|_| {}), (true, true));
    assert_eq!(read(|pod| pod["status"]["phase"] = "Succeeded".into()), (false, true));
    assert_eq!(read(|pod| pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into()), (true, false));
    assert_eq!(read(|pod| pod["status"]["podIP"] = "fd00::1".into()), (false, true));
}
