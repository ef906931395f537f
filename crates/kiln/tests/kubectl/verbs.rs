//! kubectl's verbs that are about the API rather than about Jobs: apply, diff, edit, replace, patch, explain, output forms.

use crate::support::{Kubectl, Server, stderr, stdout, wait_for};
use crate::{examples, with_every_kubectl};
use serde_json::{Value, json};

/// Writes a manifest and gives its path.
fn manifest(server: &Server, name: &str, object: &Value) -> String {
    let file = server.directory.path().join(name);
    std::fs::write(&file, object.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "labels": {"app": "x"}}, "data": data})
}

fn data(server: &Server, kubectl: &Kubectl, name: &str) -> Value {
    let json = server.ok(kubectl, &["get", "configmap", name, "-o", "json"]);
    serde_json::from_str::<Value>(&json).unwrap()["data"].clone()
}

#[test]
fn apply_merges_three_ways_and_diff_shows_it_before() {
    with_every_kubectl(|server, kubectl| {
        let file = manifest(server, "settings.json", &config_map(json!({"a": "1", "b": "2"})));
        assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "configmap/settings created\n");
        server.ok(kubectl, &["patch", "configmap", "settings", "-p", r#"{"data":{"theirs":"3"}}"#]);
        let file = manifest(server, "settings.json", &config_map(json!({"b": "4"})));
        let output = server.kubectl(kubectl, &["diff", "-f", &file]).env("KUBECTL_EXTERNAL_DIFF", "diff -u").output();
        let output = output.unwrap();
        let shown = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(shown.contains("-  a: \"1\"") && shown.contains("+  b: \"4\""), "{shown}");
        assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "configmap/settings configured\n");
        assert_eq!(data(server, kubectl, "settings"), json!({"b": "4", "theirs": "3"}));
        assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "configmap/settings unchanged\n");
        server.ok(kubectl, &["diff", "-f", &file]);
    });
}

#[test]
fn apply_merges_the_lists_of_a_job_by_their_keys() {
    with_every_kubectl(|server, kubectl| {
        let job = |env: Value, annotations: Value| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "lists", "annotations": annotations},
                   "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never",
                       "containers": [{"name": "c", "image": "kiln/demo", "command": ["seq", "1"], "env": env}]}}}})
        };
        let env = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
        let file = manifest(server, "job.json", &job(env.clone(), json!({"a": "1"})));
        server.ok(kubectl, &["apply", "-f", &file]);
        server.ok(kubectl, &["annotate", "job", "lists", "theirs=kept"]);
        let file = manifest(server, "job.json", &job(env, json!({"b": "2"})));
        assert_eq!(server.ok(kubectl, &["apply", "-f", &file]), "job.batch/lists configured\n");
        let kept = server.ok(
            kubectl,
            &[
                "get",
                "job",
                "lists",
                "-o",
                "jsonpath={.metadata.annotations.theirs}{.metadata.annotations.b}{.metadata.annotations.a}",
            ],
        );
        assert_eq!(kept, "kept2");
        // Another image is a change of the template, which a Job does not take.
        let changed = std::fs::read_to_string(&file).unwrap().replace("kiln/demo", "kiln/host");
        std::fs::write(&file, changed).unwrap();
        let refused = server.fails(kubectl, &["apply", "-f", &file]);
        assert!(refused.contains("spec.template") && refused.contains("field is immutable"), "{refused}");
    });
}

#[test]
fn edit_replace_and_patches_of_every_type() {
    with_every_kubectl(|server, kubectl| {
        let file = manifest(server, "settings.json", &config_map(json!({"a": "before"})));
        server.ok(kubectl, &["create", "-f", &file]);
        let edited = server
            .kubectl(kubectl, &["edit", "configmap", "settings"])
            .env("KUBE_EDITOR", "sed -i s/before/after/")
            .output();
        let edited = edited.unwrap();
        assert!(edited.status.success() && stdout(&edited) == "configmap/settings edited\n", "{}", stderr(&edited));
        assert_eq!(data(server, kubectl, "settings"), json!({"a": "after"}));
        let file = manifest(server, "settings.json", &config_map(json!({"c": "6"})));
        assert_eq!(server.ok(kubectl, &["replace", "-f", &file]), "configmap/settings replaced\n");
        assert_eq!(data(server, kubectl, "settings"), json!({"c": "6"}));
        let patches = [
            ("merge", r#"{"data":{"c":null,"d":"7"}}"#, json!({"d": "7"})),
            ("json", r#"[{"op":"add","path":"/data/e","value":"8"}]"#, json!({"d": "7", "e": "8"})),
            ("strategic", r#"{"data":{"$patch":"replace","f":"9"}}"#, json!({"f": "9"})),
        ];
        for (kind, patch, expect) in patches {
            server.ok(kubectl, &["patch", "configmap", "settings", "--type", kind, "-p", patch]);
            assert_eq!(data(server, kubectl, "settings"), expect, "{kind}");
        }
        let uid = ["get", "configmap", "settings", "-o", "jsonpath={.metadata.uid}"];
        let before = server.ok(kubectl, &uid);
        let forced = server.ok(kubectl, &["replace", "--force", "-f", &file]);
        assert!(forced.contains("configmap/settings replaced"), "{forced}");
        assert_ne!(server.ok(kubectl, &uid), before);
    });
}

#[test]
fn labels_annotations_selectors_and_output_forms() {
    with_every_kubectl(|server, kubectl| {
        for name in ["one", "two", "three"] {
            server.ok(kubectl, &["create", "configmap", name, &format!("--from-literal=name={name}")]);
            server.ok(kubectl, &["label", "configmap", name, &format!("length={}", name.len()), "app=test"]);
        }
        let names = |selector: &str| server.ok(kubectl, &["get", "configmaps", "-l", selector, "-o", "name"]);
        assert_eq!(names("app=test,length!=3"), "configmap/three\n");
        assert_eq!(names("length in (3,4),app"), "configmap/one\nconfigmap/two\n");
        assert_eq!(names("app=test,length notin (5)"), "configmap/one\nconfigmap/two\n");
        assert_eq!(
            server.ok(kubectl, &["get", "cm", "--field-selector=metadata.name=two", "-o", "name"]),
            "configmap/two\n"
        );
        let sorted = [
            "get",
            "cm",
            "-l",
            "app=test",
            "--sort-by=.metadata.labels.length",
            "-o",
            "jsonpath={.items[*].metadata.name}",
        ];
        assert!(server.ok(kubectl, &sorted).ends_with("three"));
        let columns = "custom-columns=N:.metadata.name,L:.metadata.labels.length";
        let table = server.ok(kubectl, &["get", "cm", "three", "-o", columns]);
        assert_eq!(table.split_whitespace().collect::<Vec<_>>(), ["N", "L", "three", "5"]);
        assert!(server.ok(kubectl, &["get", "cm", "one", "--show-labels"]).contains("app=test,length=3"));
        let plain = server.ok(kubectl, &["get", "cm", "one", "--server-print=false"]);
        assert!(plain.starts_with("NAME") && plain.contains("one"), "{plain}");
        let everywhere = server.ok(kubectl, &["get", "cm", "-A", "-l", "app=test", "--no-headers"]);
        assert!(
            everywhere.lines().all(|line| line.starts_with('v')) && everywhere.lines().count() % 3 == 0,
            "{everywhere}"
        );
        assert!(server.ok(kubectl, &["annotate", "cm", "one", "note=x", "--overwrite"]).contains("annotate"));
        let chunked = server.ok(kubectl, &["get", "cm", "-l", "app=test", "--chunk-size=1", "-o", "name"]);
        assert_eq!(chunked.lines().count(), 3);
        server.ok(kubectl, &["delete", "cm", "-l", "app=test"]);
        assert_eq!(names("app=test"), "");
    });
}

#[test]
fn dry_runs_write_nothing() {
    with_every_kubectl(|server, kubectl| {
        let made = server.ok(kubectl, &["create", "job", "dry", "--image=kiln/demo", "--dry-run=server", "-o", "name"]);
        assert_eq!(made, "job.batch/dry\n");
        let file = examples("pi-job.yaml");
        assert!(server.ok(kubectl, &["apply", "--dry-run=server", "-f", &file]).contains("created (server dry run)"));
        assert_eq!(server.ok(kubectl, &["get", "jobs", "-o", "name"]), "");
        let namespace = server.ok(kubectl, &["create", "namespace", "x", "--dry-run=client", "-o", "yaml"]);
        assert!(namespace.contains("kind: Namespace"), "{namespace}");
    });
}

#[test]
fn explain_knows_fields_and_what_they_mean() {
    with_every_kubectl(|server, kubectl| {
        for (path, fields) in [
            ("job.spec.podFailurePolicy", &["rules"][..]),
            ("job.spec", &["backoffLimit", "podReplacementPolicy", "ttlSecondsAfterFinished", "successPolicy"]),
            ("cronjob.spec", &["concurrencyPolicy", "timeZone", "startingDeadlineSeconds"]),
            ("pod.spec.containers", &["livenessProbe", "volumeMounts"]),
            ("pod.status", &["containerStatuses", "podIPs"]),
        ] {
            let explained = server.ok(kubectl, &["explain", path]);
            assert!(explained.contains("DESCRIPTION:"), "{path}: {explained}");
            for field in fields {
                assert!(explained.contains(field), "{path}: {field} is missing from\n{explained}");
            }
        }
        let described = server.ok(kubectl, &["explain", "job.spec.podFailurePolicy"]);
        assert!(described.contains("failed pod") || described.contains("failed pods"), "{described}");
        let recursive = server.ok(kubectl, &["explain", "job", "--recursive"]);
        assert!(recursive.contains("onExitCodes") && recursive.contains("secretKeyRef"), "{recursive}");
        let unknown = server.fails(kubectl, &["explain", "job.spec.nonsense"]);
        assert!(unknown.contains("nonsense"), "{unknown}");
    });
}

#[test]
fn api_resources_and_versions() {
    with_every_kubectl(|server, kubectl| {
        let resources = server.ok(kubectl, &["api-resources"]);
        for expect in ["jobs", "cronjobs", "cj", "configmaps", "batch/v1", "events.k8s.io/v1", "coordination.k8s.io/v1"]
        {
            assert!(resources.contains(expect), "{expect} is missing from\n{resources}");
        }
        let batch = server.ok(kubectl, &["api-resources", "--api-group=batch", "-o", "name"]);
        assert_eq!(batch, "cronjobs.batch\njobs.batch\n");
        assert!(server.ok(kubectl, &["api-versions"]).lines().any(|line| line == "batch/v1"));
        let all = server.ok(kubectl, &["api-resources", "--categories=all", "-o", "name"]);
        assert!(all.contains("jobs.batch") && all.contains("pods"), "{all}");
        server.ok(kubectl, &["get", "all"]);
        let version = server.ok(kubectl, &["version", "-o", "json"]);
        assert!(version.contains("v1.36.2+kiln."), "{version}");
        assert!(server.ok(kubectl, &["get", "--raw", "/readyz?verbose"]).contains("readyz check passed"));
        server.ok(kubectl, &["cluster-info"]);
    });
}

#[test]
fn wait_for_deletion_and_for_json_paths() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "short", "--image=kiln/demo", "--", "seq", "1"]);
        server.ok(kubectl, &["wait", "--for=jsonpath={.status.succeeded}=1", "job/short", "--timeout=60s"]);
        server.ok(kubectl, &["delete", "job", "short", "--wait=false"]);
        server.ok(kubectl, &["wait", "--for=delete", "job/short", "--timeout=60s"]);
        let never = server.fails(kubectl, &["wait", "--for=condition=complete", "job/absent", "--timeout=2s"]);
        assert!(never.contains(r#"jobs.batch "absent" not found"#), "{never}");
    });
}

#[test]
fn events_are_listed_for_an_object() {
    with_every_kubectl(|server, kubectl| {
        server.ok(kubectl, &["create", "job", "told", "--image=kiln/demo", "--", "seq", "1"]);
        server.ok(kubectl, &["wait", "--for=condition=complete", "job/told", "--timeout=60s"]);
        wait_for("the last event", || {
            server.ok(kubectl, &["events", "--for", "job/told"]).contains("Job completed").then_some(())
        });
        let table =
            server.ok(kubectl, &["get", "events", "--field-selector=involvedObject.kind=Job,reason=SuccessfulCreate"]);
        assert_eq!(table.lines().count(), 2, "{table}");
        let wide = server.ok(kubectl, &["get", "events", "-o", "wide"]);
        assert!(wide.contains("SOURCE") && wide.contains("job-controller"), "{wide}");
    });
}
