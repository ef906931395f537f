//! Verbs that only look: every line through real kubectl and through kiln.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Kubectl, Server, kiln, kubectl, stderr, stdout, wait_for};
use crate::{all_same, difference, ok, ours};

/// Objects of many kinds and states. They are made, and have come to rest, before anybody looks.
const OBJECTS: &str = r##"
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, labels: {app: odd, tier.example.org/name: back}}
data:
  script.sh: "#!/bin/sh\nset -e\n\necho \"a & b\" <in >out\n"
  number: "12"
  word: "yes"
  empty: ""
  time: "10:30"
  date: "2026-01-01"
  long: "This sentence goes on for more than eighty columns, so that what writes it must fold it somewhere after that."
  quoted: "it's: this sentence also goes on for more than eighty columns, and it has what needs quotes in it: a colon"
  tab: "a\tb"
  trail: "line \nnext"
  lines: "a\n\n"
  indented: "  a\nb"
  star: "*/5 * * * *"
  dash: "- x"
  hash: "a #b"
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {user: admin, password: 'p#ss: w'}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: good, labels: {app: good, size: "10"}, annotations: {example.org/why: "a \"reason\""}}
spec:
  backoffLimit: 2
  template:
    metadata: {labels: {app: good}}
    spec:
      restartPolicy: Never
      containers: [{name: main, image: kiln/demo, command: [seq, "3"], env: [{name: A, value: "1"}]}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: bad, labels: {app: bad, size: "9"}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: kiln/demo, command: [fail, "42"]}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: indexed}
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: kiln/demo, command: [echo, hi]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, labels: {app: cron}}
spec:
  schedule: "30 3 * * *"
  timeZone: Europe/Berlin
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: main, image: kiln/demo, command: [echo, hi]}]
---
apiVersion: v1
kind: Pod
metadata: {name: runs, labels: {app: runs}}
spec:
  containers: [{name: main, image: kiln/demo, command: [sleep, "3600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: two-containers}
spec:
  restartPolicy: Never
  initContainers: [{name: before, image: kiln/demo, command: [echo, prepares]}]
  containers:
  - {name: first, image: kiln/demo, command: [seq, "12"]}
  - {name: second, image: kiln/demo, command: [echo, "second"]}
"##;

/// A server with them.
fn at_rest(kubectl: &Kubectl) -> Server {
    let server = Server::start();
    let created = server.with_input(kubectl, &["create", "-f", "-"], OBJECTS);
    assert!(created.status.success(), "{}", stderr(&created));
    let wait =
        |what: &str, object: &str| server.ok(kubectl, &["wait", "--timeout=90s", &format!("--for={what}"), object]);
    wait("condition=complete", "job/good");
    wait("condition=failed", "job/bad");
    wait("condition=Ready", "pod/runs");
    wait("jsonpath={.status.phase}=Succeeded", "pod/two-containers");
    wait("jsonpath={.status.conditions[0].type}=Suspended", "job/indexed");
    server
}

#[test]
fn get_is_kubectls() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let lines = [
        "get jobs",
        "get job good",
        "get jobs good bad",
        "get job/good",
        "get job/good cronjob/nightly pod/runs",
        "get jobs -o wide",
        "get jobs,cronjobs",
        "get job,cj -o wide",
        "get all",
        "get all -A",
        "get pods -A",
        "get pods -o wide",
        "get jobs.batch",
        "get jobs.v1.batch",
        "get job good --subresource=status",
        "get job/good --subresource=status -o json",
        "get pod runs --subresource=status -o wide",
        "get jobs --subresource=status",
        "get job good --subresource=nothing",
        "get jobs --chunk-size=1 -o name",
        "get jobs --show-labels",
        "get jobs -L app,size",
        "get jobs -L app --show-labels -A",
        "get cm -L tier.example.org/name",
        "get jobs --no-headers",
        "get jobs --no-headers=true --show-labels=false",
        "get jobs --show-kind",
        "get jobs -l app=good",
        "get jobs -l 'app in (good,bad)'",
        "get jobs -l '!app'",
        "get jobs -l app=none",
        "get pods --field-selector status.phase=Running",
        "get pods --field-selector status.phase!=Running,metadata.namespace=default -o name",
        "get jobs --sort-by=.metadata.name",
        "get jobs --sort-by={.metadata.labels.size}",
        "get jobs --sort-by=metadata.name -o name",
        "get jobs -o name",
        "get jobs,pods -o name",
        "get configmap odd -o yaml",
        "get configmap odd -o json",
        "get cm odd -oyaml --show-managed-fields",
        "get secret keys -o yaml",
        "get jobs -o yaml",
        "get jobs -o json",
        "get job good bad -o json",
        "get job good -o json",
        "get pod runs -o yaml",
        "get pods -o json -l app=none",
        "get jobs,cj -o yaml",
        "get nodes",
        "get nodes -o yaml",
        "get ns",
        "get ns default -o yaml",
        "get namespaces,nodes",
        "get pvc",
        "get pvc,pv -A",
        "get pv,pvc -A",
        "get storageclass",
        "get events -o name",
        "get sa",
        "get clusterroles",
        "get roles -A",
        "get rolebindings -A -o wide",
        "get leases -A",
        "get pc",
        "get quota",
        "get job none",
        "get job good none",
        "get job none --ignore-not-found",
        "get jobs -n none",
        "get job none -o yaml",
        "get job good none -o name",
        "get nothing",
        "get",
        "get job good -A",
        "get job good -l a=b",
        "get jobs -l 'a in ('",
        "get jobs -o jsonpath={.items[*].metadata.name}",
        "get jobs -o jsonpath='{range .items[*]}{.metadata.name}{\"\\t\"}{.status.conditions[-1].type}{\"\\n\"}{end}'",
        "get jobs -o jsonpath='{.items[?(@.metadata.name==\"bad\")].status}'",
        "get jobs -o jsonpath='{.items[?(@.spec.backoffLimit>0)].metadata.name}'",
        "get jobs -o jsonpath='{.items[0:2].metadata.name} {.items[-1].kind}'",
        "get jobs -o jsonpath='{..image}'",
        "get jobs -o jsonpath='{.items[*].metadata.labels}'",
        "get jobs -o jsonpath='{.items[*][\"metadata.name\",\"kind\"]}'",
        "get jobs -o jsonpath='{.items[99]}'",
        "get jobs -o jsonpath='{.kind} {.items[0,1].metadata.name}'",
        "get job good -o jsonpath={.spec.template.spec.containers[0].command}",
        "get job good -o jsonpath='{.metadata.annotations.example\\.org/why}'",
        "get job good -o jsonpath={.none}",
        "get job good -o jsonpath={.metadata.labels",
        "get job good -o jsonpath-as-json={.spec.template.spec.containers[*]}",
        "get cm odd -o jsonpath={.data}",
        "get cm odd -o jsonpath={.data.script\\.sh}",
        "get jobs -o custom-columns=NAME:.metadata.name,IMAGE:.spec.template.spec.containers[*].image",
        "get jobs -o custom-columns=NAME:metadata.name,X:.none,L:.metadata.labels,C:.spec.template.spec.containers[0].command",
        "get jobs -o custom-columns=NAME:.metadata.name --no-headers",
        "get jobs -o custom-columns=NAME",
        "get pods -l app=none -o custom-columns=NAME:.metadata.name",
        "get jobs -o xml",
        "get --raw /version",
        "get --raw /api/v1/nothing",
    ];
    all_same(&server, &kubectl, &lines);
}

#[test]
fn logs_are_kubectls() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let lines = [
        "logs job/good",
        "logs job/good -c main",
        "logs job/good --timestamps",
        "logs job/good --tail=1",
        "logs job/good --tail=0",
        "logs job/good --prefix",
        "logs job/good --all-containers",
        "logs job/good --since=1h",
        "logs job/good --limit-bytes=3",
        "logs job/good -f",
        "logs job/bad",
        "logs -l app=good",
        "logs -l app=good --prefix --tail=2",
        "logs -l app=good --prefix=true",
        "logs -l app=good --prefix=false",
        "logs -l app=none",
        "logs runs",
        "logs pod/runs --tail=-1",
        "logs pod/two-containers -c second",
        "logs pod/two-containers",
        "logs two-containers second",
        "logs two-containers --all-containers --prefix",
        "logs two-containers -c none",
        "logs runs -p",
        "logs none",
        "logs job/none",
        "logs cm/odd",
        "logs",
        "logs runs --tail=-2",
    ];
    all_same(&server, &kubectl, &lines);
}

/// What descriptions have a line for.
const RICH: &str = r##"
apiVersion: v1
kind: Pod
metadata:
  name: rich
  annotations: {long: "a text that goes on and on for more than a hundred and forty characters, which is as long as an annotation may be before it has lines of its own", lines: "a\nb"}
spec:
  restartPolicy: Never
  priorityClassName: system-node-critical
  terminationGracePeriodSeconds: 1
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: a, operator: Equal, value: b, effect: NoSchedule}, {operator: Exists, effect: NoExecute}]
  initContainers: [{name: before, image: kiln/demo, command: [echo, prepares]}]
  containers:
  - name: main
    image: kiln/demo
    command: [fail, "3"]
    args: []
    ports: [{containerPort: 80}, {containerPort: 443, protocol: TCP}]
    resources: {limits: {cpu: 500m, memory: 64Mi}, requests: {memory: 32Mi}}
    envFrom: [{configMapRef: {name: odd}, prefix: X_}, {secretRef: {name: keys, optional: true}}]
    env:
    - {name: PLAIN, value: "a\nb"}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['lines']"}}}
    - {name: USER_NAME, valueFrom: {secretKeyRef: {name: keys, key: user}}}
    - {name: NUMBER, valueFrom: {configMapKeyRef: {name: odd, key: number, optional: true}}}
    volumeMounts: [{name: scratch, mountPath: /scratch}, {name: claim, mountPath: /claim, readOnly: true}]
  volumes:
  - {name: scratch, emptyDir: {sizeLimit: 1Mi}}
  - {name: memory, emptyDir: {medium: Memory}}
  - {name: claim, persistentVolumeClaim: {claimName: claim}}
  - {name: map, configMap: {name: odd}}
  - {name: secret, secret: {secretName: keys, optional: true}}
  - {name: downward, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}
  - {name: all, projected: {sources: [{configMap: {name: odd}}, {secret: {name: keys}}, {downwardAPI: {items: []}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: rich}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  backoffLimitPerIndex: 1
  activeDeadlineSeconds: 3600
  ttlSecondsAfterFinished: 3600
  template:
    metadata: {annotations: {a: b}}
    spec:
      restartPolicy: Never
      volumes: [{name: scratch, emptyDir: {}}, {name: map, configMap: {name: odd, defaultMode: 0755}}]
      initContainers: [{name: before, image: kiln/demo, command: [echo, prepares]}]
      containers: [{name: main, image: kiln/demo, command: [echo, "hi\nthere"], volumeMounts: [{name: scratch, mountPath: /s}]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: rich}
spec:
  schedule: "* * * * *"
  startingDeadlineSeconds: 30
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 5
  jobTemplate:
    spec:
      completions: 1
      parallelism: 1
      activeDeadlineSeconds: 60
      template: {spec: {restartPolicy: Never, serviceAccountName: default, containers: [{name: main, image: kiln/demo, command: [sleep, "3600"]}]}}
"##;

#[test]
fn describe_is_kubectls() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let created = server.with_input(&kubectl, &["create", "-f", "-"], RICH);
    assert!(created.status.success(), "{}", stderr(&created));
    server.ok(&kubectl, &["wait", "--timeout=90s", "--for=condition=complete", "job/rich"]);
    server.ok(&kubectl, &["wait", "--timeout=90s", "--for=jsonpath={.status.phase}=Failed", "pod/rich"]);
    // It is to stand still while both look; one Job of it runs or none.
    server.ok(&kubectl, &["patch", "cronjob", "rich", "-p", r#"{"spec":{"suspend":true}}"#]);
    let lines = [
        "describe job good",
        "describe job/bad",
        "describe job indexed",
        "describe job rich",
        "describe jobs good bad",
        "describe jobs -l app=good",
        "describe cronjob nightly",
        "describe cj rich",
        "describe pod runs",
        "describe pod rich",
        "describe pod two-containers",
        "describe pod good",
        "describe pod -l job-name=bad",
        "describe pod runs --show-events=false",
        "describe secret keys",
        "describe pvc claim",
        "describe job none",
        "describe jobs -l app=none",
        "describe nothing x",
        "describe",
    ];
    all_same(&server, &kubectl, &lines);
    // kubectl shows the keys of a ConfigMap in no order; kiln sorts them.
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        sorted(ok(&server, &["describe", "cm", "odd"])),
        sorted(server.ok(&kubectl, &["describe", "cm", "odd"]))
    );
    let node = ok(&server, &["describe", "node"]);
    assert!(node.contains("Status:\n") && node.contains("Kubelet Version:"), "{node}");
}

/// Each pod prints its index; the first run of index 1 fails.
const RETRIED: &str = r##"
apiVersion: batch/v1
kind: Job
metadata: {name: retried}
spec:
  completions: 3
  parallelism: 1
  completionMode: Indexed
  backoffLimit: 3
  template:
    spec:
      restartPolicy: Never
      volumes: [{name: v, persistentVolumeClaim: {claimName: claim}}]
      containers:
      - name: main
        image: kiln/host
        volumeMounts: [{name: v, mountPath: /mnt}]
        command: [sh, -c, 'echo index $JOB_COMPLETION_INDEX; if [ $JOB_COMPLETION_INDEX = 1 ] && mkdir /mnt/once 2>/dev/null; then echo fails; exit 1; fi; echo done']
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: by-hand}
spec:
  schedule: "@yearly"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: kiln/demo, command: [echo, from the CronJob]}]}}}}
"##;

#[test]
fn what_there_is_what_has_happened_and_who_may_are_told_as_kubectl_tells_them() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    server.ok(&kubectl, &["create", "serviceaccount", "reader"]);
    server.ok(&kubectl, &["create", "role", "r", "--verb=get,list", "--resource=jobs,pods/log", "--resource-name=x"]);
    server.ok(&kubectl, &["create", "rolebinding", "r", "--role=r", "--serviceaccount=default:reader"]);
    let lines = [
        "events --for job/good",
        "events --for jobs.batch/bad --types Warning",
        "events --for pod/none",
        "events -n kube-system",
        "events --types Odd",
        "events --for job/bad -o jsonpath='{.items[*].reason}'",
        "api-resources",
        "api-resources -o wide",
        "api-resources -o name",
        "api-resources --api-group=batch --no-headers",
        "api-resources --namespaced=false",
        "api-resources --namespaced --verbs=list,watch --sort-by=kind",
        "api-resources --categories=all -o wide",
        "api-resources --categories=nothing",
        "api-resources --sort-by=name -o name",
        "auth can-i create jobs",
        "auth can-i create jobs.batch -n other",
        "auth can-i get pods --subresource=log",
        "auth can-i get pods/x",
        "auth can-i '*' '*'",
        "auth can-i get /healthz",
        "auth can-i get jobs -A -q",
        "auth can-i --list",
        "auth whoami",
    ];
    all_same(&server, &kubectl, &lines);
    // Of what happened in one second kubectl tells in no order.
    for line in ["events", "events --types warning,Normal", "events -A --no-headers"] {
        let sorted = |output: std::process::Output| {
            let mut lines: Vec<String> = crate::support::stdout(&output).lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let words: Vec<&str> = line.split(' ').collect();
        crate::support::wait_for(&format!("{line:?} to say the same"), || {
            let theirs = sorted(server.kubectl(&kubectl, &words).output().unwrap());
            (theirs == sorted(ours(&server, &words).output().unwrap())).then_some(())
        });
    }
    let named = ok(&server, &["events", "--for", "job/bad", "-o", "name"]);
    assert!(named.lines().count() == 2 && named.lines().all(|name| name.starts_with("event/bad.")), "{named}");
    // As somebody who may do little.
    let token = server.ok(&kubectl, &["create", "token", "reader"]);
    let mut config: serde_json::Value =
        serde_json::from_str(&server.ok(&kubectl, &["config", "view", "--raw", "-o", "json"])).unwrap();
    config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let path = server.directory.path().join("reader");
    std::fs::write(&path, config.to_string()).unwrap();
    let path = path.to_str().unwrap();
    for line in [
        "auth can-i create jobs",
        "auth can-i get jobs/x",
        "auth can-i get pods/x --subresource=log",
        "auth can-i get jobs -q",
        "auth can-i --list --no-headers",
        "auth whoami",
    ] {
        let difference = difference(&server, &kubectl, &format!("{line} --kubeconfig {path}"));
        assert_eq!(difference, None);
    }
}

#[test]
fn logs_of_a_job_are_those_of_all_its_pods_to_its_end() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let created = server.with_input(&kubectl, &["create", "-f", "-"], RETRIED);
    assert!(created.status.success(), "{}", stderr(&created));
    // It is followed from its beginning, through the retry, and the command ends when the Job does.
    let followed = ok(&server, &["logs", "-f", "job/retried"]);
    let expect = "[0] index 0\n[0] done\n[1] index 1\n[1] fails\n[1] index 1\n[1] done\n[2] index 2\n[2] done\n";
    let mut lines: Vec<&str> = followed.lines().collect();
    // After a failure index 2 may run before the retry.
    lines.sort_by_key(|line| &line[..3]);
    assert_eq!(lines.join("\n") + "\n", expect);
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/retried"]);
    assert_eq!(ok(&server, &["logs", "job/retried"]), expect);
    assert_eq!(ok(&server, &["logs", "-f", "job/retried", "--tail=1"]).lines().count(), 4);
    assert!(ok(&server, &["logs", "job/retried", "--prefix"]).starts_with("[pod/retried-0-"));

    // Containers that run side by side are followed side by side.
    let together = ok(&server, &["logs", "-f", "two-containers", "--all-containers"]);
    assert_eq!(together.lines().count(), 14, "{together}");

    let none = ours(&server, &["logs", "cronjob/by-hand"]).output().unwrap();
    assert!(stderr(&none).contains("has no Job yet"), "{}", stderr(&none));
    server.ok(&kubectl, &["create", "job", "now", "--from=cronjob/by-hand"]);
    assert_eq!(ok(&server, &["logs", "-f", "cronjob/by-hand"]), "from the CronJob\n");
    // A Job that is deleted ends the following as well.
    server.ok(&kubectl, &["create", "job", "long", "--image=kiln/host", "--", "sh", "-c", "echo begun; sleep 3600"]);
    let seen = watched(ours(&server, &["logs", "-f", "job/long"]), 1, || {
        server.ok(&kubectl, &["delete", "job", "long"]);
    });
    assert_eq!(seen, ["begun"]);
}

#[test]
fn following_waits_for_what_has_yet_to_start_and_says_what_never_will() {
    let kubectl = kubectl();
    let server = Server::start();
    let pods = r#"
apiVersion: v1
kind: Pod
metadata: {name: prepared}
spec:
  restartPolicy: Never
  initContainers: [{name: before, image: kiln/host, command: [sh, -c, "echo prepares; sleep 3"]}]
  containers: [{name: main, image: kiln/host, command: [sh, -c, "echo works"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: stuck}
spec:
  restartPolicy: Never
  containers: [{name: main, image: "127.0.0.1:1/none:1"}]
"#;
    assert!(server.with_input(&kubectl, &["create", "-f", "-"], pods).status.success());
    wait_for("the init container", || {
        let running = "jsonpath={.status.initContainerStatuses[0].state.running}";
        (!server.ok(&kubectl, &["get", "pod", "prepared", "-o", running]).is_empty()).then_some(())
    });
    assert_eq!(ok(&server, &["logs", "-f", "--all-containers", "prepared"]), "prepares\nworks\n");
    let stuck = ours(&server, &["logs", "-f", "--all-containers", "stuck"]).output().unwrap();
    assert_eq!(stuck.status.code(), Some(1), "{}", stderr(&stuck));
    assert!(stderr(&stuck).contains("container \"main\" in pod \"stuck\" is waiting to start"), "{}", stderr(&stuck));
}

#[test]
fn a_tail_is_of_what_ran_when_following_began() {
    let kubectl = kubectl();
    let server = Server::start();
    let job = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: retry}
spec:
  backoffLimit: 1
  template:
    spec:
      restartPolicy: OnFailure
      containers: [{name: main, image: kiln/host, command: [sh, -c, "echo a; echo b; echo c; sleep 3; exit 1"]}]
"#;
    assert!(server.with_input(&kubectl, &["create", "-f", "-"], job).status.success());
    wait_for("the first run's output", || {
        let output = server.kubectl(&kubectl, &["logs", "job/retry"]).output().unwrap();
        (stdout(&output) == "a\nb\nc\n").then_some(())
    });
    assert_eq!(ok(&server, &["logs", "-f", "job/retry", "--tail=1"]), "c\na\nb\nc\n");
}

/// Lines of a watch, until there are as many; whoever watches is then killed.
fn watched(mut command: std::process::Command, n_lines: usize, act: impl FnOnce()) -> Vec<String> {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The first line shows that it looks.
    let first = lines.next();
    act();
    let seen = first.into_iter().chain(lines.take(n_lines - 1)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    seen
}

#[test]
fn get_of_files_is_kubectls() {
    let kubectl = kubectl();
    let server = Server::start();
    server.ok(&kubectl, &["create", "namespace", "other"]);
    let map = |name: &str, namespace: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{l: {name}}}{namespace}}}\n")
    };
    let file = |name: &str, text: &str| {
        let path = server.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let two = file("two.yaml", &(map("a", "") + &map("rather-long", "")));
    let elsewhere = file("elsewhere.yaml", &map("there", ", namespace: other"));
    server.ok(&kubectl, &["create", "-f", &two, "-f", &elsewhere]);
    let alien = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n";
    let mixed = file("mixed.yaml", &(map("a", "") + alien + &map("rather-long", "")));
    let lines = [
        format!("get -f {two}"),
        format!("get -f {two} -o name"),
        // As a table kubectl shows nothing here: it looks for the labels of the table.
        format!("get -f {two} -l l=a -o name"),
        format!("get -f {two} -l l=none"),
        format!("get -f {elsewhere}"),
        format!("get -f {elsewhere} -o jsonpath={{.metadata.namespace}}"),
        format!("get -f {elsewhere} -n default"),
        format!("get -f {two} -f {elsewhere}"),
        format!("get -f {mixed}"),
        format!("describe -f {two} -l l=a"),
        format!("describe -f {elsewhere}"),
        "get --raw ''".into(),
        "get --raw 'api v1'".into(),
    ];
    all_same(&server, &kubectl, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn deleting_goes_on_when_nobody_reads_of_it() {
    let kubectl = kubectl();
    let server = Server::start();
    let maps: String = (0..50)
        .map(|n| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: n{n}, labels: {{big: '1'}}}}\n"))
        .collect();
    server.with_input(&kubectl, &["create", "-f", "-"], &maps);
    let mut child = ours(&server, &["delete", "cm", "-l", "big=1"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(server.ok(&kubectl, &["get", "cm", "-l", "big=1", "-o", "name"]), "");
}

#[test]
fn a_watch_outlives_its_server() {
    let kubectl = kubectl();
    let mut server = at_rest(&kubectl);
    let address = server.ok(&kubectl, &["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let listen = address.trim_start_matches("https://").to_owned();
    // The restart writes a kubeconfig of its own.
    let copy = server.directory.path().join("copy.kubeconfig");
    std::fs::copy(server.kubeconfig(), &copy).unwrap();
    let watch = ["get", "cm", "odd", "-w", "-o", "jsonpath={.metadata.labels.round}{\"\\n\"}"];
    let mut child = ours(&server, &watch).env("KILN_KUBECONFIG", &copy).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "");
    server.kill();
    server.restart_at(&listen);
    server.ok(&kubectl, &["label", "configmap", "odd", "round=2"]);
    assert_eq!(lines.next().unwrap(), "2");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn watches_show_what_changes() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let mut n = 0;
    let mut change = || {
        n += 1;
        server.ok(&kubectl, &["label", "configmap", "odd", "--overwrite", &format!("n=a-rather-long-value-{n}")]);
    };
    for (words, n_lines) in [
        (&["get", "cm", "-w", "-L", "app"][..], 4),
        (&["get", "cm", "odd", "-w"], 3),
        (&["get", "cm", "odd", "-w", "-o", "jsonpath={.metadata.name}{\"\\n\"}"], 2),
        (&["get", "cm", "odd", "-w", "-o", "name"], 2),
        (&["get", "cm", "-w", "--output-watch-events"], 4),
        (&["get", "cm", "odd", "-w", "-o", "custom-columns=N:.metadata.name"], 3),
    ] {
        let seen = watched(ours(&server, words), n_lines, &mut change);
        let expect = watched(server.kubectl(&kubectl, words), n_lines, &mut change);
        let without_ages = |lines: Vec<String>| {
            let is_age =
                |word: &str| word.ends_with('s') && word[..word.len() - 1].bytes().all(|byte| byte.is_ascii_digit());
            lines
                .into_iter()
                .map(|line| {
                    let words = line.split(' ').map(|word| if is_age(word) { "AGE" } else { word });
                    words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(without_ages(seen), without_ages(expect), "{words:?}");
    }
    // The first object and the beginning of the next.
    let seen = watched(ours(&server, &["get", "cm", "odd", "-w", "-o", "json"]), 58, &mut change);
    assert_eq!(seen.iter().filter(|line| line.trim() == r#""kind": "ConfigMap","#).count(), 2, "{seen:?}");
    assert!(!seen.iter().any(|line| line.contains("rows")), "{seen:?}");
}

#[test]
fn events_that_are_watched_come_one_by_one() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    let words = ["events", "-w", "-o", "custom-columns=R:.reason,O:.involvedObject.name", "--no-headers"];
    let seen = watched(ours(&server, &words), 3, || {});
    assert!(seen.iter().all(|line| !line.starts_with("R ")), "{seen:?}");
    let seen = watched(ours(&server, &["events", "-w", "-o", "json"]), 3, || {});
    assert_eq!(seen[..3], ["{", r#"    "apiVersion": "v1","#, r#"    "count": 1,"#], "{seen:?}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_watch() {
    let kubectl = kubectl();
    let server = at_rest(&kubectl);
    assert!(ok(&server, &["get", "jobs", "-o", "name"]).contains("job.batch/good\n"));
    let mut child = ours(&server, &["get", "cm", "-w", "-o", "name"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    server.ok(&kubectl, &["label", "configmap", "odd", "seen=enough"]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn explain_is_kubectls_with_a_server_and_without() {
    let (server, kubectl) = (Server::start(), kubectl());
    let lines = [
        "explain job",
        "explain jobs",
        "explain cj",
        "explain job.spec.backoffLimit",
        "explain job.spec",
        "explain jobs.spec.",
        "explain job.spec.template.spec.containers",
        "explain job.metadata.labels",
        "explain job.metadata.labels.x",
        "explain cronjobs.spec --recursive",
        "explain pod --recursive",
        "explain pod.spec.containers.env.valueFrom",
        "explain pods.spec.volumes",
        "explain pods.spec.containers.resources.limits",
        "explain pod.status.conditions --recursive",
        "explain events",
        "explain events --api-version=events.k8s.io/v1",
        "explain secret.data",
        "explain clusterrole.rules",
        "explain namespace",
        "explain job.spec.nope",
        "explain job.nope.spec",
        "explain nope",
        "explain job.spec --api-version=batch/v2",
        "explain job..spec",
        "explain .spec",
        "explain",
        "explain job pod",
        "explain job -o wide",
    ];
    all_same(&server, &kubectl, &lines);

    let home = tempfile::tempdir().unwrap();
    let mut alone = kiln(&["explain", "pod", "--recursive"]);
    let output = alone.env("HOME", home.path()).env("KILN_DATA_DIR", home.path()).output().unwrap();
    assert_eq!(stdout(&output), ok(&server, &["explain", "pod", "--recursive"]), "{}", stderr(&output));
    let mut wrong = kiln(&["explain", "cronjob.spec.startingDeadlineSecond"]);
    let output = wrong.env("HOME", home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean \"startingDeadlineSeconds\""), "{}", stderr(&output));
}
