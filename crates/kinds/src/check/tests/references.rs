//! Names that lead nowhere.

use super::*;

const ADD: &str = "add it to the files, or see that it is on the server already";

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn missing(path: &str, kind: &str, name: &str) -> String {
    format!("warning: {path}: there is no {kind} {name:?} in these files -> {ADD}")
}

#[test]
fn what_is_named_has_to_be_among_the_files() {
    let volume = |source: Value| with_pod(job(), "volumes", json!([source]));
    let env = |source: Value| with_container(job(), "env", json!([{"name": "A", "valueFrom": source}]));
    let (pod, container) = ("spec.template.spec", "spec.template.spec.containers[0]");
    for (object, path, kind) in [
        (
            volume(json!({"name": "v", "persistentVolumeClaim": {"claimName": "x"}})),
            format!("{pod}.volumes[0].persistentVolumeClaim.claimName"),
            "PersistentVolumeClaim",
        ),
        (
            volume(json!({"name": "v", "configMap": {"name": "x"}})),
            format!("{pod}.volumes[0].configMap.name"),
            "ConfigMap",
        ),
        (
            volume(json!({"name": "v", "secret": {"secretName": "x"}})),
            format!("{pod}.volumes[0].secret.secretName"),
            "Secret",
        ),
        (
            volume(json!({"name": "v", "projected": {"sources": [{"secret": {"name": "x"}}]}})),
            format!("{pod}.volumes[0].projected.sources[0].secret.name"),
            "Secret",
        ),
        (
            env(json!({"configMapKeyRef": {"name": "x", "key": "k"}})),
            format!("{container}.env[0].valueFrom.configMapKeyRef.name"),
            "ConfigMap",
        ),
        (
            env(json!({"secretKeyRef": {"name": "x", "key": "k"}})),
            format!("{container}.env[0].valueFrom.secretKeyRef.name"),
            "Secret",
        ),
        (
            with_container(job(), "envFrom", json!([{"secretRef": {"name": "x"}}])),
            format!("{container}.envFrom[0].secretRef.name"),
            "Secret",
        ),
        (with_pod(job(), "serviceAccountName", "x".into()), format!("{pod}.serviceAccountName"), "ServiceAccount"),
        (with_pod(job(), "priorityClassName", "x".into()), format!("{pod}.priorityClassName"), "PriorityClass"),
        (with_pod(job(), "runtimeClassName", "x".into()), format!("{pod}.runtimeClassName"), "RuntimeClass"),
        (
            with_pod(job(), "imagePullSecrets", json!([{"name": "x"}])),
            format!("{pod}.imagePullSecrets[0].name"),
            "Secret",
        ),
        (with_pod(job(), "subdomain", "x".into()), format!("{pod}.subdomain"), "Service"),
    ] {
        check(&[object], &[&missing(&path, kind, "x")]);
    }
}

#[test]
fn what_is_built_in_or_optional_is_not_missing() {
    let root_ca = json!([{"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}]);
    let optional = json!([
        {"name": "a", "configMap": {"name": "x", "optional": true}}, {"name": "b", "secret": {"secretName": "x", "optional": true}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "x", "optional": true}}]}},
    ]);
    let env = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k", "optional": true}}}]);
    let env_from = json!([{"configMapRef": {"name": "x", "optional": true}}]);
    for object in [
        with_pod(job(), "volumes", root_ca),
        with_pod(job(), "volumes", optional),
        with_container(job(), "env", env),
        with_container(job(), "envFrom", env_from),
        with_pod(job(), "serviceAccountName", "default".into()),
        with_pod(job(), "priorityClassName", "system-node-critical".into()),
        with(job(), "metadata/namespace", "kube-system".into()),
        claim("standard"),
        binding("ClusterRole", "view"),
    ] {
        check(&[object], &[]);
    }
}

fn claim(class: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}})
}

fn binding(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]})
}

#[test]
fn claims_and_bindings_name_things_too() {
    check(&[claim("fast")], &[&missing("spec.storageClassName", "StorageClass", "fast")]);
    let volume = with(claim(""), "spec/volumeName", "disk".into());
    check(&[volume], &[&missing("spec.volumeName", "PersistentVolume", "disk")]);
    check(&[binding("Role", "reader")], &[&missing("roleRef.name", "Role", "reader")]);
}

#[test]
fn a_namespace_is_told_once() {
    let there = |namespace: &str| with(job(), "metadata/namespace", namespace.into());
    let other = with(there("batch"), "metadata/name", "other".into());
    let expect = "warning: metadata.namespace: there is no Namespace \"batch\" in these files -> add it to the files, or make it first: \
                  kiln create namespace batch";
    check(&[there("batch"), other], &[expect]);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "batch"}});
    check(&[there("batch"), namespace.clone()], &[]);
    let expect =
        "warning: metadata.namespace: there is no Namespace \"bacth\" in these files -> did you mean \"batch\"?";
    check(&[there("bacth"), namespace], &[expect]);
}

#[test]
fn a_name_that_is_nearly_there_and_one_of_another_namespace_say_so() {
    let uses = with_pod(job(), "volumes", json!([{"name": "v", "configMap": {"name": "script"}}]));
    let path = "spec.template.spec.volumes[0].configMap.name";
    check(
        &[uses.clone(), config_map("scripts", json!({}))],
        &[&format!("warning: {path}: there is no ConfigMap \"script\" in these files -> did you mean \"scripts\"?")],
    );
    let elsewhere = with(config_map("script", json!({})), "metadata/namespace", "kube-public".into());
    let found = found(&[uses, elsewhere]);
    assert_eq!(
        found[0].cause.as_deref(),
        Some("there is one in namespace \"kube-public\", but only those of \"default\" are seen from there")
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn keys_have_to_be_there_too() {
    let env = |key: &str| {
        with_container(job(), "env", json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": key}}}]))
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "x"}, "data": {"user": "eA=="}});
    check(&[env("password"), with(secret.clone(), "metadata/name", "s".into())], &[]);
    check(&[env("user"), secret.clone()], &[]);
    let path = "spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.key";
    check(
        &[env("pasword"), secret.clone()],
        &[&format!("warning: {path}: the Secret \"s\" has no key \"pasword\" -> did you mean \"password\"?")],
    );
    check(
        &[env("token"), secret],
        &[&format!("warning: {path}: the Secret \"s\" has no key \"token\" -> it has user, password")],
    );
    let items = json!([{"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "a"}]}}]);
    let expect = "warning: spec.template.spec.volumes[0].configMap.items[0].key: the ConfigMap \"c\" has no key \"a\" -> it has no keys at all; add this one";
    check(&[with_pod(job(), "volumes", items), config_map("c", json!({}))], &[expect]);
}

#[test]
fn one_thing_that_is_missing_is_told_once_for_an_object() {
    let env = |name: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
    let object = with_container(job(), "env", json!([env("A"), env("B"), env("C")]));
    check(&[object], &[&missing("spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name", "Secret", "s")]);
}

#[test]
fn a_service_selects_pods() {
    let service = |selector: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"clusterIP": "None", "selector": selector}});
    for selector in [json!({"app": "good"}), json!({"job-name": "good"}), json!({})] {
        check(&[service(selector), job()], &[]);
    }
    let none = "warning: spec.selector: no pod of these files has the labels app=god";
    let labels = "app=good,batch.kubernetes.io/job-name=good,job-name=good";
    check(
        &[service(json!({"app": "god"})), job()],
        &[&format!("{none} -> select labels of the pods' template; that of job.batch/good has {labels}")],
    );
    check(
        &[service(json!({"app": "god"}))],
        &[&format!("{none} -> add the file that makes the pods, or see that they are on the server already")],
    );
}

#[test]
fn nothing_is_missing_while_a_file_is_unreadable() {
    let object = with_pod(job(), "serviceAccountName", "x".into());
    let manifest =
        Manifest { file: "x.yaml".to_owned(), document: 1, object, lines: Lines::default(), repeated: Vec::new() };
    let circumstances = Circumstances {
        now: Timestamp::UNIX_EPOCH,
        local: TimeZone::UTC,
        namespace: "default".into(),
        is_complete: false,
    };
    assert_eq!(findings(&[manifest], &circumstances), []);
}

#[test]
fn hosts_of_services_need_their_service() {
    let host = "postgres.database.svc.cluster.local";
    let to_do = "add it (for a host outside: type: ExternalName), or hostAliases to the pods, or see that it is on the server already";
    let told = |path: &str| {
        format!("warning: {path}: there is no Service \"postgres\" of namespace \"database\" in these files -> {to_do}")
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"url": format!("pg://{host}:5432/x")}});
    let env = with_container(job(), "env", json!([{"name": "HOST", "value": host}]));
    check(std::slice::from_ref(&secret), &[&told("stringData[url]")]);
    check(std::slice::from_ref(&env), &[&told("spec.template.spec.containers[0].env[0].value")]);
    check(&[config_map("c", json!({"a": format!("{host}.\n{host}")}))], &[&told("data[a]")]);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "database"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "postgres", "namespace": "database"},
        "spec": {"type": "ExternalName", "externalName": "db.example.org"}});
    check(&[secret, env.clone(), namespace, service], &[]);
    check(&[with_pod(env, "hostAliases", json!([{"ip": "10.0.0.1", "hostnames": [host]}]))], &[]);
    let own = json!(["sh", "-c", "wget https://kubernetes.default.svc/ https://example.org/"]);
    check(&[with_container(job(), "command", own)], &[]);
}
