use super::*;
use crate::admission::testing::{self, Objects};
use crate::pod::Pod;

fn world(account: Value) -> Objects {
    let mut account = account;
    account["metadata"]["name"] = "a".into();
    account["metadata"]["namespace"] = "n".into();
    let default = json!({"metadata": {"name": "default", "namespace": "n"}});
    Objects::of(&[("", "serviceaccounts", account), ("", "serviceaccounts", default)]).with_root_ca("PEM")
}

/// The pod as it is after the plugin, or why it is refused.
fn admitted(world: &Objects, pod: &Value) -> Result<Value, String> {
    let mut pod = pod.clone();
    testing::create(&Pod, world, |request| {
        ServiceAccount.mutate(request, &mut pod)?;
        ServiceAccount.validate(request, &pod).map(drop)
    })
    .map_err(|status: Box<Status>| status.message)?;
    Ok(pod)
}

fn pod(spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    pod
}

#[test]
fn a_pod_gets_the_default_account_and_its_token() {
    let spec = admitted(&world(json!({})), &pod(json!({"initContainers": [{"name": "i"}]}))).unwrap()["spec"].clone();
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    let name = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("kube-api-access-") && name.len() == 21, "{name}");
    assert_eq!(
        spec["volumes"][0]["projected"],
        json!({"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]})
    );
    let mount = json!([{"name": name, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
    assert_eq!(spec["containers"][0]["volumeMounts"], mount);
    assert_eq!(spec["initContainers"][0]["volumeMounts"], mount);
}

#[test]
fn the_pods_word_on_tokens_counts_before_the_accounts() {
    let off = || json!({"automountServiceAccountToken": false});
    for (account, spec, expect) in [
        (json!({}), json!({"serviceAccountName": "a"}), true),
        (off(), json!({"serviceAccountName": "a"}), false),
        (off(), json!({"serviceAccountName": "a", "automountServiceAccountToken": true}), true),
        (json!({}), off(), false),
    ] {
        let spec = admitted(&world(account), &pod(spec)).unwrap()["spec"].clone();
        assert_eq!(!spec["volumes"].is_null(), expect, "{spec}");
    }
    let nowhere = Objects::of(&[("", "serviceaccounts", json!({"metadata": {"name": "default", "namespace": "n"}}))]);
    assert!(admitted(&nowhere, &pod(json!({}))).unwrap()["spec"]["volumes"].is_null(), "a server nobody reaches");
}

#[test]
fn what_stands_there_already_is_left_alone() {
    let own = json!({"containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": MOUNT_PATH}]}]});
    assert!(admitted(&world(json!({})), &pod(own)).unwrap()["spec"]["volumes"].is_null());
    let again = json!({"volumes": [{"name": "kube-api-access-x", "projected": {}}]});
    let spec = admitted(&world(json!({})), &pod(again)).unwrap()["spec"].clone();
    assert_eq!(spec["volumes"].as_array().unwrap().len(), 1);
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["name"], "kube-api-access-x");
}

#[test]
fn the_accounts_pull_secrets_are_used_when_the_pod_has_none() {
    let account = json!({"imagePullSecrets": [{"name": "s"}]});
    let pulls =
        |spec: Value| admitted(&world(account.clone()), &pod(spec)).unwrap()["spec"]["imagePullSecrets"].clone();
    assert_eq!(pulls(json!({"serviceAccountName": "a"})), json!([{"name": "s"}]));
    let own = json!([{"name": "own"}]);
    assert_eq!(pulls(json!({"serviceAccountName": "a", "imagePullSecrets": own})), own);
}

#[test]
fn refusals_have_kubernetes_texts() {
    let strict = json!({"metadata": {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "ok"}], "imagePullSecrets": [{"name": "pull"}]});
    let a = |rest: Value| {
        let mut spec = rest;
        spec["serviceAccountName"] = "a".into();
        pod(spec)
    };
    let mirror = |rest: Value| {
        let mut pod = pod(rest);
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
        pod
    };
    let unreferenced = "is not allowed because service account a does not reference that";
    for (pod, expect) in [
        (
            pod(json!({"serviceAccountName": "none"})),
            "error looking up service account n/none: serviceaccount \"none\" not found".to_owned(),
        ),
        (
            a(json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]})),
            format!("volume with secret.secretName=\"s\" {unreferenced} secret"),
        ),
        (
            a(json!({"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "s"}}]}]})),
            format!("init container i with envFrom referencing secret.secretName=\"s\" {unreferenced} secret"),
        ),
        (
            a(
                json!({"containers": [{"name": "c", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}]}),
            ),
            format!("container c with envVar E referencing secret.secretName=\"s\" {unreferenced} secret"),
        ),
        (
            a(json!({"imagePullSecrets": [{"name": "pull"}, {"name": "s"}]})),
            format!("imagePullSecrets[1].name=\"s\" {unreferenced} imagePullSecret"),
        ),
        (mirror(json!({"serviceAccountName": "a"})), "a mirror pod may not reference service accounts".into()),
        (
            mirror(json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]})),
            "a mirror pod may not reference secrets".into(),
        ),
        (
            mirror(json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]})),
            "a mirror pod may not use ServiceAccountToken volume projections".into(),
        ),
    ] {
        let refused = admitted(&world(strict.clone()), &pod).unwrap_err();
        assert_eq!(refused, format!("pods \"p\" is forbidden: {expect}"));
    }
    let fine = a(json!({"volumes": [{"name": "v", "secret": {"secretName": "ok"}}]}));
    assert!(admitted(&world(strict), &fine).is_ok());
}
