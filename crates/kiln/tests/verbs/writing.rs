//! Verbs that change objects: the same lines in a namespace for kubectl and in one for kiln. What they print, how they end and
//! what the objects have become is the same.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Kubectl, Server, kubectl, stdout};
use crate::{disagreement, ours, words};

const THEIRS: &str = "theirs";
const OURS: &str = "ours.";

/// A line in a namespace: the option goes before what is the container's own.
fn within(line: &str, namespace: &str) -> Vec<String> {
    let (own, command) = line.split_once(" -- ").map_or((line, None), |(own, command)| (own, Some(command)));
    let mut all = words(&format!("{own} -n {namespace}"));
    if let Some(command) = command {
        all.push("--".into());
        all.extend(words(command));
    }
    all
}

fn namespaces() -> (&'static str, &'static str) {
    (THEIRS, OURS.trim_end_matches('.'))
}

/// Runs the line with both, each in its own namespace.
fn difference(server: &Server, kubectl: &Kubectl, line: &str) -> Option<String> {
    let (theirs, own) = namespaces();
    let run = |words: Vec<String>, is_kubectl: bool| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = if is_kubectl { server.kubectl(kubectl, &words) } else { ours(server, &words) };
        command.output().unwrap()
    };
    let mut expect = run(within(line, theirs), true);
    let mut seen = run(within(line, own), false);
    expect.stdout = stdout(&expect).replace(theirs, "NAMESPACE").into();
    seen.stdout = stdout(&seen).replace(own, "NAMESPACE").into();
    if line.contains("dry-run=client -o") {
        expect.stdout = without_nulls(&stdout(&expect)).into();
        seen.stdout = without_nulls(&stdout(&seen)).into();
    }
    disagreement(line, &expect, &seen)
}

/// `creationTimestamp: null` is what kubectl up to 1.33 says of what was never made; later ones do not.
fn without_nulls(text: &str) -> String {
    fn remove(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|_, value| !value.is_null());
                fields.values_mut().for_each(remove);
            }
            Value::Array(items) => items.iter_mut().for_each(remove),
            _ => {}
        }
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let mut documents: Value = documents.into();
    remove(&mut documents);
    serde_json::to_string_pretty(&documents).unwrap()
}

/// What there is in a namespace, without what is never alike.
fn state(server: &Server, kubectl: &Kubectl, namespace: &str) -> String {
    let json =
        server.ok(kubectl, &["get", "jobs,cronjobs,configmaps,secrets,serviceaccounts", "-n", namespace, "-o", "json"]);
    let mut list: Value = serde_json::from_str(&json).unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        let uid = item["metadata"]["uid"].as_str().unwrap().to_owned();
        let metadata = item["metadata"].as_object_mut().unwrap();
        metadata.retain(|field, _| !matches!(field.as_str(), "uid" | "resourceVersion" | "creationTimestamp"));
        if let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
            owners.iter_mut().for_each(|owner| owner["uid"] = "UID".into());
        }
        item.as_object_mut().unwrap().remove("status");
        *item = serde_json::from_str(&item.to_string().replace(&uid, "UID").replace(namespace, "NAMESPACE")).unwrap();
    }
    serde_json::to_string_pretty(&list).unwrap()
}

#[track_caller]
fn check(files: &[(&str, &str)], lines: &[&str]) {
    let kubectl = kubectl();
    let server = Server::start();
    let (theirs, own) = namespaces();
    for namespace in [theirs, own] {
        server.ok(&kubectl, &["create", "namespace", namespace]);
    }
    let path = |name: &str| -> PathBuf { server.directory.path().join(name) };
    for (name, text) in files {
        std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        std::fs::write(path(name), text).unwrap();
    }
    let directory = server.directory.path().to_str().unwrap();
    let mut differences = Vec::new();
    for line in lines {
        differences.extend(difference(&server, &kubectl, &line.replace("DIR", directory)));
        let (expect, seen) = (state(&server, &kubectl, theirs), state(&server, &kubectl, own));
        if expect != seen && differences.is_empty() {
            let lines = expect.lines().zip(seen.lines()).find(|(expect, seen)| expect != seen);
            differences.push(format!("=== after {line} the objects differ, first here: {lines:?}"));
        }
    }
    assert!(differences.is_empty(), "{} of {} differ\n{}", differences.len(), lines.len(), differences.join("\n"));
}

const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: held, labels: {app: held}}\nspec:\n  suspend: true\n  template:\n    \
                   spec: {restartPolicy: Never, containers: [{name: main, image: kiln/demo, command: [seq, '3']}]}\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: lone}\nspec: {containers: [{name: main, image: kiln/demo, command: [sleep, '3600']}]}\n";
const TWO: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {mode: \"0755\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n";

const LABELLED: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: left, labels: {app: a}}\n---\napiVersion: v1\nkind: ConfigMap\n\
                        metadata: {name: right, labels: {app: b}}\n";
const MIXED: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: left}\n---\napiVersion: apps/v1\nkind: Deployment\n\
                     metadata: {name: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: right}\n";
const LISTED: &str = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: of-list}\n- {apiVersion: v1, kind: Secret, metadata: {name: of-list}}\n";

#[test]
fn create_is_kubectls() {
    check(
        &[
            ("job.yaml", JOB),
            ("two.yaml", TWO),
            ("listed.yaml", LISTED),
            ("shapeless.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: []\n"),
            ("all/a.yaml", TWO),
            ("values/a.txt", "text\n"),
            ("env", "# no\nA=1\nB=x y\n"),
            ("wrong.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: wrong}\nspec: {complettions: 3}\n"),
            ("alien.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"),
            ("elsewhere.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: elsewhere}\n"),
        ],
        &[
            "create -f DIR/job.yaml",
            "create -f DIR/job.yaml",
            "create -f DIR/two.yaml",
            "create -f DIR/two.yaml -o name",
            "create -f DIR/all --dry-run=server -o name",
            "create -f DIR/wrong.yaml",
            "create -f DIR/wrong.yaml --validate=ignore",
            "create -f DIR/alien.yaml",
            "create -f DIR/elsewhere.yaml",
            "create -f DIR/none.yaml",
            "create -f DIR/listed.yaml",
            "create -f DIR/shapeless.yaml --dry-run=client",
            "create",
            "create job j1 --image=kiln/demo --dry-run=client -o yaml -- seq 3",
            "create job j1 --image=kiln/demo --dry-run=client -- seq 3",
            "create job j1 --image=kiln/demo --dry-run=server -- seq 3",
            "create job j1 --image=kiln/demo -- seq 3",
            "create job j1 --image=kiln/demo -- seq 3",
            "create job j2 --image=kiln/demo",
            "create job j3",
            "create job Bad_Name --image=kiln/demo -- seq 3",
            "create cronjob c1 --image=kiln/demo --schedule='30 3 1 1 *' --dry-run=client -o yaml -- seq 3",
            "create cronjob c1 --image=kiln/demo --schedule='30 3 1 1 *' -- seq 3",
            "create cj c2 --image=kiln/demo --schedule='@yearly' --restart=Never -o name -- seq 3",
            "create cronjob c3 --image=kiln/demo --schedule=never -- seq 3",
            "create job by-hand --from=cronjob/c1 --dry-run=server -o jsonpath={.metadata.annotations}",
            "create job by-hand --from=cronjob/c1",
            "create job x --from=cronjob/none",
            "create job x --from=job/j1",
            "create job x --from=cronjob/c1 -- other",
            "create configmap m1 --from-literal=a=1 --from-literal=b=\"q\" --from-file=DIR/values --from-file=x=DIR/values/a.txt",
            "create cm m1 --from-literal=a=1 --dry-run=client -o yaml",
            "create cm m2 --from-env-file=DIR/env",
            "create cm m3",
            "create cm m4 --from-literal=a=1 --from-literal=a=2",
            "create cm m4 --from-literal=a",
            "create cm m4 --from-file=DIR/none",
            "create secret generic s1 --from-literal=user=admin --from-literal=password=x --dry-run=client -o yaml",
            "create secret generic s1 --from-literal=user=admin --from-literal=password=x",
            "create secret generic s2 --type=example.org/x --from-file=DIR/values/a.txt",
            "create secret docker-registry s3 --docker-server=r.example --docker-username=u --docker-password=p",
            "create secret docker-registry s4 --docker-server=r.example --docker-username=u --docker-password=p --docker-email=u@example --dry-run=client -o yaml",
            "create serviceaccount a1",
            "create sa a1",
            "create namespace n1 --dry-run=client -o yaml",
            "create ns n1 --dry-run=client",
        ],
    );
}

#[test]
fn apply_patch_label_and_annotate_are_kubectls() {
    check(
        &[
            ("job.yaml", JOB),
            ("two.yaml", TWO),
            (
                "changed.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {mode: \"0700\", more: x}\n",
            ),
            ("patch.yaml", "data:\n  from: file\n"),
            ("labelled.yaml", LABELLED),
            ("mixed.yaml", MIXED),
            ("wrong.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: wrong}\ndatta: {}\n"),
        ],
        &[
            "apply --server-side -f DIR/job.yaml",
            "apply --server-side -f DIR/two.yaml -o name",
            "apply --server-side -f DIR/labelled.yaml",
            "apply --server-side -f DIR/two.yaml -f DIR/job.yaml",
            "apply --server-side -f DIR/two.yaml --dry-run=server",
            "apply --server-side -f DIR/wrong.yaml",
            "apply --server-side -f DIR/none.yaml",
            "apply --server-side",
            "apply --server-side -f DIR/two.yaml --dry-run=client",
            "patch cm one -p '{\"data\":{\"mode\":\"0644\"}}'",
            "apply --server-side -f DIR/changed.yaml",
            "apply --server-side -f DIR/changed.yaml --force-conflicts",
            "apply --server-side -f DIR/changed.yaml -o jsonpath={.data}",
            "patch cm one -p '{\"data\":{\"mode\":\"0644\"}}'",
            "patch cm one -p '{\"data\":{\"mode\":\"0644\"}}'",
            "patch cm/one --type=merge -p '{\"data\":{\"mode\":null}}' -o name",
            "patch cm one --type=json -p '[{\"op\":\"add\",\"path\":\"/data/j\",\"value\":\"1\"}]'",
            "patch cm one --type json -p '[{\"op\":\"test\",\"path\":\"/data/j\",\"value\":\"2\"}]'",
            "patch cm one --patch-file DIR/patch.yaml",
            "patch cm one -p 'data: {yaml: z}'",
            "patch job held -p 'spec: {activeDeadlineSeconds: 0100}'",
            "patch cm one -p '{'",
            "patch cm one",
            "patch cm none -p '{}'",
            "patch -f DIR/two.yaml -p '{\"data\":{\"both\":\"1\"}}'",
            "patch job held -p '{\"spec\":{\"parallelism\":3,\"completions\":5}}'",
            "patch job held -p '{\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"Always\"}}}}'",
            "patch job held --subresource=status --type=merge -p '{\"status\":{}}'",
            "label cm one a=1",
            "label cm one --list",
            "label cm one a=1",
            "label cm one a=2",
            "label cm one a=2 --overwrite",
            "label cm/one cm/two b=x c=y",
            "label cm one two a- b-",
            "label cm one zz-",
            "label cm -l c=y d=1",
            "label cm --all e=1",
            "label cm none a=1",
            "label cm one a=1 a-",
            "label cm one",
            "label cm one 'bad key=1'",
            "label cm one f=1 --dry-run=client",
            "label cm one f=1 --dry-run=server -o name",
            "label cm one f=1 --resource-version=1",
            "label -f DIR/two.yaml g=1",
            "label -f DIR/labelled.yaml -l app=a chosen=1",
            "label -f DIR/mixed.yaml after=failures",
            "annotate -f DIR/labelled.yaml -l app=b chosen=1",
            "label jobs --all h=1 -o jsonpath={.metadata.labels.h}",
            "annotate cm one why='a reason'",
            "annotate cm one why='a reason'",
            "annotate cm one why=another",
            "annotate cm one why=another --overwrite",
            "annotate cm one why-",
            "annotate cm one two example.org/x=1 -o name",
            "annotate cm one",
        ],
    );
}

#[test]
fn delete_is_kubectls() {
    let maps: String = ["a", "b", "c", "d", "e", "f", "g"]
        .map(|name| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{l: {name}}}}}\n")
        })
        .concat();
    let long =
        JOB.replace("suspend: true", "suspend: false").replace("[seq, '3']", "[sleep, '3600']").replace("held", "long");
    check(
        &[
            ("maps.yaml", &maps),
            ("job.yaml", JOB),
            ("long.yaml", &long),
            ("pod.yaml", POD),
            ("labelled.yaml", LABELLED),
            ("mixed.yaml", MIXED),
        ],
        &[
            "create -f DIR/maps.yaml -f DIR/job.yaml -f DIR/long.yaml",
            "delete cm a --dry-run=client",
            "delete cm a --dry-run=server",
            "delete cm a",
            "delete cm a",
            "delete cm a --ignore-not-found",
            "delete cm/b cm/c",
            "delete cm d none -o name",
            "delete cm -l l=e",
            "delete cm -l l=none",
            "delete cm",
            "delete",
            "delete cm a --all",
            "delete job held --cascade=orphan",
            "delete job long --wait=false --cascade=foreground",
            "delete pods --all -o jsonpath={.metadata}",
            "delete -f DIR/maps.yaml --ignore-not-found",
            "delete -f DIR/maps.yaml",
            "create -f DIR/pod.yaml",
            "delete pod lone --force",
            "delete job,cm --all --grace-period=1",
            "delete cm f --force --grace-period=5",
            "delete nothing x",
            "create -f DIR/labelled.yaml",
            "delete -f DIR/labelled.yaml -l app=a",
            "delete -f DIR/labelled.yaml -l app=none",
            "delete -f DIR/labelled.yaml --all",
            "delete -f DIR/mixed.yaml",
        ],
    );
}
