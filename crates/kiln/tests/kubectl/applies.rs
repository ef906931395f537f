//! `kubectl apply` on the client's side, on the server's, and from one to the other.

use crate::support::{Kubectl, Server, kubectls, stderr, stdout};
use serde_json::{Value, json};

/// With the oldest kubectl that there is and the newest: they migrate in different ways.
fn with_oldest_and_newest(test: impl Fn(&Server, &Kubectl)) {
    let server = Server::start();
    let all = kubectls();
    let newest = all.last().filter(|newest| newest.version != all[0].version);
    for kubectl in [Some(&all[0]), newest].into_iter().flatten() {
        let namespace = format!("v{}", kubectl.version);
        server.ok(kubectl, &["create", "namespace", &namespace]);
        server.ok(kubectl, &["config", "set-context", "--current", "--namespace", &namespace]);
        eprintln!("kubectl 1.{}", kubectl.version);
        test(&server, kubectl);
    }
}

fn settings(data: Value) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}).to_string()
}

#[track_caller]
fn apply(server: &Server, kubectl: &Kubectl, flags: &[&str], manifest: &str) -> String {
    let output = server.with_input(kubectl, &[&["apply", "-f", "-"], flags].concat(), manifest);
    assert!(output.status.success(), "{flags:?}: {}", stderr(&output));
    stdout(&output)
}

/// `MANAGER OPERATION` of each entry.
fn managers(server: &Server, kubectl: &Kubectl, what: &[&str]) -> Vec<String> {
    let arguments = [&["get", "-o", "json", "--show-managed-fields"], what].concat();
    let object: Value = serde_json::from_str(&server.ok(kubectl, &arguments)).unwrap();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let mut managers: Vec<String> = entries
        .iter()
        .map(|entry| {
            let words = ["manager", "operation", "subresource"].map(|field| entry[field].as_str().unwrap_or(""));
            words.join(" ").trim_end().to_owned()
        })
        .collect();
    managers.sort();
    managers
}

fn data(server: &Server, kubectl: &Kubectl) -> Value {
    let object = server.ok(kubectl, &["get", "configmap", "settings", "-o", "json"]);
    serde_json::from_str::<Value>(&object).unwrap()["data"].take()
}

#[test]
fn apply_moves_from_the_clients_side_to_the_servers_and_back() {
    const WHAT: [&str; 2] = ["configmap", "settings"];
    with_oldest_and_newest(|server, kubectl| {
        assert_eq!(apply(server, kubectl, &[], &settings(json!({"a": "1", "b": "1"}))), "configmap/settings created\n");
        assert_eq!(managers(server, kubectl, &WHAT), ["kubectl-client-side-apply Update"]);
        let plain = server.ok(kubectl, &["get", "configmap", "settings", "-o", "yaml"]);
        assert!(!plain.contains("managedFields"), "{plain}");

        // What the client applied is the server's to manage from now on: no conflict with oneself, and no entry left.
        let moved = apply(server, kubectl, &["--server-side"], &settings(json!({"a": "2", "b": "1"})));
        assert_eq!(moved, "configmap/settings serverside-applied\n");
        // kubectl keeps the annotation under a name of its own.
        assert_eq!(managers(server, kubectl, &WHAT), ["kubectl Apply", "kubectl-last-applied Apply"]);
        assert_eq!(data(server, kubectl), json!({"a": "2", "b": "1"}));
        let last = server.ok(kubectl, &["apply", "view-last-applied", "configmap/settings"]);
        assert!(last.contains("a: \"2\""), "{last}");

        // An edit of another's makes a conflict, whose text is Kubernetes' own.
        server.ok(kubectl, &["patch", "configmap", "settings", "-p", r#"{"data":{"a":"3","hand":"x"}}"#]);
        let wanted = settings(json!({"a": "4"}));
        let refused = server.with_input(kubectl, &["apply", "-f", "-", "--server-side"], &wanted);
        let text = stderr(&refused);
        assert!(!refused.status.success());
        assert!(
            text.starts_with(
                "error: Apply failed with 1 conflict: conflict with \"kubectl-patch\" using v1: .data.a\n"
            ),
            "{text}"
        );
        let diff = server.with_input(kubectl, &["diff", "-f", "-", "--server-side", "--force-conflicts"], &wanted);
        assert_eq!(diff.status.code(), Some(1), "{}", stderr(&diff));
        let (text, gone) = (stdout(&diff), "-  b: \"1\"");
        assert!(text.contains("+  a: \"4\"") && text.contains(gone), "{text}");
        apply(server, kubectl, &["--server-side", "--force-conflicts", "--dry-run=server"], &wanted);
        assert_eq!(data(server, kubectl), json!({"a": "3", "b": "1", "hand": "x"}));

        // Forced, it takes the field over; what is not applied any more goes, and what others wrote stays.
        apply(server, kubectl, &["--server-side", "--force-conflicts"], &wanted);
        assert_eq!(data(server, kubectl), json!({"a": "4", "hand": "x"}));
        let same = server.with_input(kubectl, &["diff", "-f", "-", "--server-side"], &wanted);
        assert_eq!(same.status.code(), Some(0), "{}{}", stdout(&same), stderr(&same));

        // Two managers of one field: neither can take it away alone.
        apply(server, kubectl, &["--server-side", "--field-manager=second"], &settings(json!({"a": "4"})));
        apply(server, kubectl, &["--server-side"], &settings(json!({"c": "5"})));
        assert_eq!(data(server, kubectl), json!({"a": "4", "c": "5", "hand": "x"}));

        // And back: the annotation tells the client what was applied.
        apply(server, kubectl, &[], &settings(json!({"d": "6"})));
        assert_eq!(data(server, kubectl), json!({"a": "4", "d": "6", "hand": "x"}));
        server.ok(kubectl, &["delete", "configmap", "settings"]);
    });
}

#[test]
fn everybody_who_has_a_part_in_a_job_is_named() {
    with_oldest_and_newest(|server, kubectl| {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "pi"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "pi", "image": "kiln/demo", "command": ["pi", "10"]}],
        }}}});
        apply(server, kubectl, &["--server-side"], &job.to_string());
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/pi", "--timeout=60s"]);
        assert_eq!(
            managers(server, kubectl, &["job", "pi"]),
            ["kube-controller-manager Update status", "kubectl Apply"]
        );
        let pod = server.ok(kubectl, &["get", "pods", "-l", "job-name=pi", "-o", "name"]);
        assert_eq!(
            managers(server, kubectl, &[pod.trim()]),
            ["kube-controller-manager Update", "kubelet Update status"]
        );
        // The same again is no change at all.
        let version = || server.ok(kubectl, &["get", "job", "pi", "-o", "jsonpath={.metadata.resourceVersion}"]);
        let before = version();
        apply(server, kubectl, &["--server-side"], &job.to_string());
        assert_eq!(version(), before);
        let mut unknown = job;
        unknown["spec"]["paralelism"] = json!(3);
        let refused = server.with_input(kubectl, &["apply", "-f", "-", "--server-side"], &unknown.to_string());
        let text = stderr(&refused);
        let expect = r#".spec.paralelism: field not declared in schema (did you mean "parallelism"?)"#;
        assert!(!refused.status.success() && text.contains(expect), "{text}");
    });
}
