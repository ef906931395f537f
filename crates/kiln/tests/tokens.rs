//! ServiceAccount tokens, what every namespace has, and pod security, with real kubectl and real pods.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;
use std::process::{Command, Output};
use support::{Kubectl, Server, kubectl, kubectls, stderr, stdout, wait_for};

/// A line of the admin kubeconfig.
fn field(server: &Server, name: &str) -> String {
    let text = std::fs::read_to_string(server.kubeconfig()).unwrap();
    let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    line.split_once(": ").unwrap().1.trim_matches('"').to_owned()
}

/// kubectl with nothing but the address, a CA and a token.
fn with_token(server: &Server, kubectl: &Kubectl, ca: &str, token: &str, arguments: &[&str]) -> Output {
    let ca_file: PathBuf = server.directory.path().join("shown-ca.crt");
    std::fs::write(&ca_file, ca).unwrap();
    let mut command = Command::new(&kubectl.path);
    command.args(["--kubeconfig", "/dev/null", "--server"]).arg(field(server, "server"));
    command.arg("--certificate-authority").arg(ca_file).arg("--token").arg(token).args(arguments);
    command.env("HOME", server.directory.path()).env_remove("KUBECONFIG").output().unwrap()
}

fn ca(server: &Server) -> String {
    String::from_utf8(STANDARD.decode(field(server, "certificate-authority-data")).unwrap()).unwrap()
}

/// Asked for by its path, since an account that may nothing may not discover either.
fn secrets_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

/// What an account that may nothing is told about Secrets, if its token is good.
fn refused_as(user: &str, namespace: &str) -> String {
    format!(
        "Error from server (Forbidden): secrets is forbidden: User \"{user}\" cannot list resource \"secrets\" in API group \"\" in the namespace \"{namespace}\""
    )
}

#[test]
fn a_token_names_its_account_until_the_account_goes() {
    let server = Server::start();
    for kubectl in kubectls().iter().filter(|kubectl| 24 <= kubectl.version) {
        let namespace = format!("v{}", kubectl.version);
        server.ok(kubectl, &["create", "namespace", &namespace]);
        server.ok(kubectl, &["-n", &namespace, "create", "serviceaccount", "robot"]);
        let create = ["-n", &namespace, "create", "token", "robot", "--duration", "20m"];
        let token = server.ok(kubectl, &create).trim().to_owned();
        assert_eq!(token.split('.').count(), 3, "{token}");
        let short = server.fails(kubectl, &["-n", &namespace, "create", "token", "robot", "--duration", "1m"]);
        assert!(short.contains("may not specify a duration less than 10 minutes"), "{short}");

        let path = secrets_of(&namespace);
        let list = ["get", "--raw", &path];
        let answer = with_token(&server, kubectl, &ca(&server), &token, &list);
        let user = format!("system:serviceaccount:{namespace}:robot");
        assert_eq!(stderr(&answer).trim_end(), refused_as(&user, &namespace));

        server.ok(kubectl, &["-n", &namespace, "delete", "serviceaccount", "robot"]);
        server.ok(kubectl, &["-n", &namespace, "create", "serviceaccount", "robot"]);
        let answer = with_token(&server, kubectl, &ca(&server), &token, &list);
        assert!(stderr(&answer).contains("Unauthorized"), "{}", stderr(&answer));
        let forged = with_token(&server, kubectl, &ca(&server), "a.b.c", &list);
        assert!(stderr(&forged).contains("Unauthorized"), "{}", stderr(&forged));
    }
}

#[test]
fn a_pod_finds_a_token_that_works_until_the_pod_is_gone() {
    let server = Server::start();
    let kubectl = kubectl();
    server.ok(&kubectl, &["create", "namespace", "blue"]);
    let script = "cd /var/run/secrets/kubernetes.io/serviceaccount && cat token && echo && cat namespace && echo && cat ca.crt && \
                  stat -L -c %a token && touch x";
    let create = ["-n", "blue", "create", "job", "who", "--image=kiln/host", "--", "sh", "-c", script];
    server.ok(&kubectl, &create);
    let log = wait_for("the pod's word", || {
        let output = server.kubectl(&kubectl, &["-n", "blue", "logs", "job/who"]).output().unwrap();
        Some(stdout(&output)).filter(|log| log.contains("\n644\n"))
    });
    let (token, rest) = log.split_once('\n').unwrap();
    let (namespace, rest) = rest.split_once('\n').unwrap();
    let (pod_ca, _) = rest.split_once("\n644\n").unwrap();
    assert_eq!(namespace, "blue");
    assert_eq!(pod_ca.trim(), ca(&server).trim());
    let path = secrets_of("blue");
    let list = ["get", "--raw", &path];
    let answer = with_token(&server, &kubectl, pod_ca, token, &list);
    assert_eq!(stderr(&answer).trim_end(), refused_as("system:serviceaccount:blue:default", "blue"));

    server.ok(&kubectl, &["-n", "blue", "delete", "job", "who", "--cascade=foreground"]);
    let answer = with_token(&server, &kubectl, pod_ca, token, &list);
    assert!(stderr(&answer).contains("Unauthorized"), "{}", stderr(&answer));
}

#[test]
fn projected_volumes_hold_what_was_asked_for() {
    let server = Server::start();
    let kubectl = kubectl();
    let manifest = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: red}
---
apiVersion: batch/v1
kind: Job
metadata: {name: look}
spec:
  template:
    metadata:
      labels: {team: blue}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      containers:
      - name: main
        image: kiln/host
        command: [sh, -c, "cd /all && cat color labels cpu && echo && ls /down && stat -c '%a %u' -L token && ls /var/run/secrets || true"]
        resources: {limits: {cpu: 500m}}
        volumeMounts:
        - {name: all, mountPath: /all}
        - {name: down, mountPath: /down}
      volumes:
      - name: down
        downwardAPI:
          items: [{path: name, fieldRef: {fieldPath: metadata.name}}]
      - name: all
        projected:
          sources:
          - configMap: {name: settings}
          - serviceAccountToken: {path: token, audience: vault, expirationSeconds: 600}
          - downwardAPI:
              items:
              - {path: labels, fieldRef: {fieldPath: "metadata.labels['team']"}}
              - {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}
"#;
    let applied = server.with_input(&kubectl, &["create", "-f", "-"], manifest);
    assert!(applied.status.success(), "{}", stderr(&applied));
    server.ok(&kubectl, &["wait", "--for=condition=complete", "job/look", "--timeout=60s"]);
    let log = server.ok(&kubectl, &["logs", "job/look"]);
    assert!(log.starts_with("redblue500\nname\n644 0\n"), "{log}");
    assert!(!log.contains("kubernetes.io"), "no token of its own: {log}");
}

#[test]
fn every_namespace_keeps_its_account_and_its_ca() {
    let server = Server::start();
    let kubectl = kubectl();
    for namespace in ["default", "kube-system"] {
        server.ok(&kubectl, &["-n", namespace, "get", "serviceaccount/default", "configmap/kube-root-ca.crt"]);
    }
    server.ok(&kubectl, &["delete", "serviceaccount/default", "configmap/kube-root-ca.crt"]);
    wait_for("both to come back", || {
        let get = ["get", "serviceaccount/default", "configmap/kube-root-ca.crt"];
        server.kubectl(&kubectl, &get).output().unwrap().status.success().then_some(())
    });
    server.ok(&kubectl, &["patch", "configmap", "kube-root-ca.crt", "-p", r#"{"data":{"ca.crt":"forged"}}"#]);
    wait_for("the CA to be put right", || {
        let text = server.ok(&kubectl, &["get", "configmap", "kube-root-ca.crt", "-o", "jsonpath={.data.ca\\.crt}"]);
        (text.trim() == ca(&server).trim()).then_some(())
    });
    server.ok(&kubectl, &["create", "namespace", "gone"]);
    server.ok(&kubectl, &["delete", "namespace", "gone", "--timeout=60s"]);
}

#[test]
fn a_secret_for_an_account_is_filled_in_and_goes_with_it() {
    let server = Server::start();
    let kubectl = kubectl();
    server.ok(&kubectl, &["create", "serviceaccount", "ci"]);
    let manifest = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ci-token\n  annotations:\n    kubernetes.io/service-account.name: ci\ntype: kubernetes.io/service-account-token\n";
    let created = server.with_input(&kubectl, &["create", "-f", "-"], manifest);
    assert!(created.status.success(), "{}", stderr(&created));
    let data =
        |key: &str| server.ok(&kubectl, &["get", "secret", "ci-token", "-o", &format!("jsonpath={{.data.{key}}}")]);
    let token = wait_for("the token", || Some(data("token")).filter(|token| !token.is_empty()));
    let token = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    assert_eq!(STANDARD.decode(data("namespace")).unwrap(), b"default");
    assert_eq!(STANDARD.decode(data("ca\\.crt")).unwrap(), ca(&server).as_bytes());
    let answer = with_token(&server, &kubectl, &ca(&server), &token, &["get", "--raw", &secrets_of("default")]);
    assert!(stderr(&answer).contains("User \"system:serviceaccount:default:ci\" cannot list"), "{}", stderr(&answer));

    server.ok(&kubectl, &["delete", "serviceaccount", "ci"]);
    wait_for("the Secret to go", || {
        let get = server.kubectl(&kubectl, &["get", "secret", "ci-token"]).output().unwrap();
        stderr(&get).contains("NotFound").then_some(())
    });
    let answer = with_token(&server, &kubectl, &ca(&server), &token, &["get", "--raw", &secrets_of("default")]);
    assert!(stderr(&answer).contains("Unauthorized"), "{}", stderr(&answer));
}

#[test]
fn pod_security_says_what_is_wrong() {
    let server = Server::start();
    for kubectl in kubectls().iter().rev() {
        let namespace = format!("v{}", kubectl.version);
        server.ok(kubectl, &["create", "namespace", &namespace]);
        let wrong = ["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=strict"];
        let wrong = server.fails(kubectl, &wrong);
        assert!(wrong.contains("must be one of privileged, baseline, restricted"), "{wrong}");
        server.ok(kubectl, &["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=restricted"]);
        let create = ["-n", &namespace, "create", "job", "x", "--image=kiln/demo", "--", "pi", "10"];
        let refused = server.fails(kubectl, &create);
        let expect = "jobs.batch \"x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false \
             (container \"x\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"x\" \
             must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"x\" must set \
             securityContext.runAsNonRoot=true), seccompProfile (pod or container \"x\" must set \
             securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
        assert!(refused.contains(expect), "{refused}");
    }
}
