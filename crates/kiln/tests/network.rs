//! The network of real pods: among each other, to the API server, and what is left of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use support::{Kubectl, Server, kiln, stderr, stdout, wait_for};

/// A pod of this machine's programs.
fn pod(name: &str, more: &str, script: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  {more}\n  \
         terminationGracePeriodSeconds: 1\n  containers:\n  - name: main\n    image: kiln/host\n    \
         command: [sh, -c, {script:?}]\n    env:\n    - {{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}\n"
    )
}

fn apply(server: &Server, kubectl: &Kubectl, manifest: &str) {
    server.ok(
        kubectl,
        &["label", "--overwrite", "namespace", "default", "pod-security.kubernetes.io/enforce=privileged"],
    );
    let output = server.with_input(kubectl, &["apply", "-f", "-"], manifest);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn field(server: &Server, kubectl: &Kubectl, pod: &str, path: &str) -> String {
    server.ok(kubectl, &["get", "pod", pod, "-o", &format!("jsonpath={{{path}}}")])
}

/// Its log, once that has this text.
fn wait_until_said(server: &Server, kubectl: &Kubectl, pod: &str, text: &str) -> String {
    wait_for(&format!("pod {pod} to say {text}"), || {
        let log = stdout(&server.kubectl(kubectl, &["logs", pod]).output().unwrap());
        log.contains(text).then_some(log)
    })
}

fn wait_until_over(server: &Server, kubectl: &Kubectl, pod: &str) -> String {
    let phase = wait_for(&format!("pod {pod} to end"), || {
        let phase = field(server, kubectl, pod, ".status.phase");
        ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
    });
    let log = server.ok(kubectl, &["logs", pod]);
    assert_eq!(phase, "Succeeded", "{log}");
    log
}

#[test]
fn pods_reach_each_other_by_their_addresses() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    let serve = "echo listening; echo from $POD_IP as $HOSTNAME | busybox nc -l -p 8080; sleep 600";
    apply(&server, &kubectl, &pod("serves", "", serve));
    wait_until_said(&server, &kubectl, "serves", "listening");
    let ip = field(&server, &kubectl, "serves", ".status.podIP");
    assert_ne!(ip, field(&server, &kubectl, "serves", ".status.hostIP"));
    let ask = format!("until busybox nc {ip} 8080 </dev/null; do sleep 0.1; done; cat /etc/hosts");
    apply(&server, &kubectl, &pod("asks", "", &ask));
    let log = wait_until_over(&server, &kubectl, "asks");
    assert!(log.starts_with(&format!("from {ip} as serves\n")), "{log}");
    let own = field(&server, &kubectl, "asks", ".status.podIP");
    assert!(log.contains(&format!("{own}\tasks\n")), "a pod knows itself: {log}");
    apply(&server, &kubectl, &pod("open", "hostNetwork: true", "echo $POD_IP; hostname"));
    let log = wait_until_over(&server, &kubectl, "open");
    assert_eq!(log.lines().next(), Some(field(&server, &kubectl, "open", ".status.hostIP").as_str()));
}

/// Each pod serves its name to the one before it, and asks the one behind it for its own.
const RING: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: ring}
spec: {clusterIP: None, selector: {app: ring}, ports: [{name: web, port: 8080}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: ring}
spec:
  completions: 3
  parallelism: 3
  completionMode: Indexed
  template:
    metadata: {labels: {app: ring}}
    spec:
      restartPolicy: Never
      subdomain: ring
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: kiln/host
        command:
        - sh
        - -c
        - |
          hostname -f | busybox nc -l -p 8080 & serves=$!
          next=ring-$(( (JOB_COMPLETION_INDEX + 1) % 3 )).ring
          until at=$(getent hosts $next); do sleep 0.1; done
          until said=$(busybox nc ${at%% *} 8080 </dev/null) && [ -n "$said" ]; do sleep 0.1; done
          echo "$next is $said"
          wait $serves
"#;

#[test]
fn pods_of_an_indexed_job_find_each_other_by_name() {
    let (server, kubectl) = (Server::start(), support::kubectl());
    apply(&server, &kubectl, RING);
    server.ok(&kubectl, &["wait", "--for=condition=complete", "--timeout=60s", "job/ring"]);
    let mut lines: Vec<String> =
        server.ok(&kubectl, &["logs", "-l", "app=ring", "--tail=-1"]).lines().map(str::to_owned).collect();
    lines.sort();
    let expect: Vec<String> =
        (0..3).map(|n| format!("ring-{n}.ring is ring-{n}.ring.default.svc.cluster.local")).collect();
    assert_eq!(lines, expect);
}

#[test]
fn services_are_found_by_name_and_a_database_of_this_machine_as_well() {
    let (mut server, kubectl) = (Server::start(), support::kubectl());
    let postgres = "apiVersion: v1\nkind: Service\nmetadata: {name: postgres, namespace: database}\n\
                    spec: {type: ExternalName, externalName: host.kiln.internal}\n";
    server.ok(&kubectl, &["create", "namespace", "database"]);
    apply(&server, &kubectl, postgres);
    let script = "
        for name in kubernetes kubernetes.default.svc postgres.database.svc.cluster.local host.kiln.internal; do
          [ $(getent hosts $name | cut -d' ' -f1) = $KUBERNETES_SERVICE_HOST ] && echo found $name
        done
        busybox nc -w 5 postgres.database $KUBERNETES_SERVICE_PORT </dev/null && echo reached
        getent hosts postgres || echo not in this namespace
        cat /etc/resolv.conf
        while [ ! -e /tmp/go ]; do sleep 0.1; done
        until getent hosts later.database; do sleep 0.1; done";
    apply(&server, &kubectl, &pod("asks", "", script));
    let log = wait_until_said(&server, &kubectl, "asks", "options ndots:5");
    let gateway = server.ok(&kubectl, &["exec", "asks", "--", "printenv", "KUBERNETES_SERVICE_HOST"]);
    let expect = "found kubernetes\nfound kubernetes.default.svc\nfound postgres.database.svc.cluster.local\n\
         found host.kiln.internal\nreached\nnot in this namespace\n\
         search default.svc.cluster.local svc.cluster.local cluster.local";
    assert!(log.starts_with(expect), "{log}");
    assert!(log.contains(&format!("nameserver {}\n", gateway.trim())), "{log}");
    // The next server answers where the pod asks.
    server.kill();
    server.restart();
    apply(&server, &kubectl, &postgres.replace("name: postgres", "name: later"));
    server.ok(&kubectl, &["exec", "asks", "--", "touch", "/tmp/go"]);
    let log = wait_until_over(&server, &kubectl, "asks");
    assert!(log.trim_end().ends_with("later.database.svc.cluster.local"), "{log}");
}

#[test]
fn a_pod_reaches_the_api_server_with_its_own_token() {
    let (mut server, kubectl) = (Server::start(), support::kubectl());
    let bind = ["create", "rolebinding", "looks", "--clusterrole=view", "--serviceaccount=default:default"];
    server.ok(&kubectl, &bind);
    // What kubectl finds of the API server it finds as every client library does: by variables and the token's volume.
    let program = kubectl.path.display();
    let script = format!(
        "export HOME=/tmp; {program} get pods -o name; {program} auth can-i delete pods; echo ready; \
         while [ ! -e /tmp/go ]; do sleep 0.1; done; {program} get pod looks -o jsonpath={{.metadata.name}}"
    );
    apply(&server, &kubectl, &pod("looks", "", &script));
    let log = wait_until_said(&server, &kubectl, "looks", "ready");
    assert!(log.starts_with("pod/looks\n") && log.contains("\nno\n"), "{log}");
    // The next server is where the pod knows it to be.
    server.kill();
    server.restart();
    server.ok(&kubectl, &["exec", "looks", "--", "touch", "/tmp/go"]);
    let log = wait_until_over(&server, &kubectl, "looks");
    assert!(log.ends_with("ready\nlooks\n"), "{log}");
}

#[test]
fn addresses_are_given_back_and_the_bridge_goes_with_its_server() {
    let (mut server, kubectl) = (Server::start(), support::kubectl());
    apply(&server, &kubectl, &pod("stays", "", "sleep 600"));
    let ip = wait_for("the pod's address", || {
        Some(field(&server, &kubectl, "stays", ".status.podIP")).filter(|ip| !ip.is_empty())
    });
    server.kill();
    server.restart();
    apply(&server, &kubectl, &pod("comes", "", "echo $POD_IP"));
    assert_ne!(wait_until_over(&server, &kubectl, "comes").trim(), ip, "it is taken");
    assert_eq!(field(&server, &kubectl, "stays", ".status.podIP"), ip);
    let traces = || support::traces(&server.data_dir().to_string_lossy());
    assert!(traces().iter().any(|trace| trace.starts_with("bridge ")));
    server.ok(&kubectl, &["delete", "pod", "stays", "comes"]);
    let data_dir = server.data_dir().to_string_lossy().into_owned();
    assert!(server.terminate().success());
    assert_eq!(support::traces(&data_dir), Vec::<String>::new());
}

#[test]
fn an_ephemeral_jobs_pod_reaches_this_machine_by_its_gateway() {
    let scratch = tempfile::tempdir().unwrap();
    let script = "busybox ip route; busybox ip addr show eth0";
    let mut command = kiln(&["run", "--ephemeral", "--image", "kiln/host", "--", "sh", "-c", script]);
    let output = command.env("TMPDIR", scratch.path()).output().unwrap();
    let text = stdout(&output);
    assert!(text.starts_with("default via 10.") && text.contains("inet 10."), "{text}{}", stderr(&output));
    assert_eq!(support::traces(&scratch.path().to_string_lossy()), Vec::<String>::new());
}
