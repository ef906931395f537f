//! ServiceAccount: every pod is somebody (K:plugin/pkg/admission/serviceaccount). Names the account of a pod that names
//! none, gives it the account's token in a volume, and refuses what the account may not have.

use super::{Operation, Plugin, Request, Verdict};
use crate::at::items_mut;
use crate::service_account::token_request::POD_SECONDS;
use meta::object;
use meta::status::Status;
use serde_json::{Value, json};

/// Where clients in pods look for their token.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
const DEFAULT_ACCOUNT: &str = "default";
/// Such a pod stands for one that somebody else runs.
const MIRROR: &str = "kubernetes.io/config.mirror";
const ENFORCE_MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";
const CONTAINER_LISTS: [(&str, &str); 2] = [("initContainers", "init container"), ("containers", "container")];

pub(super) struct ServiceAccount;

impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn mutate(&self, request: &Request<'_>, pod: &mut Value) -> Result<Vec<String>, Box<Status>> {
        if !concerns(request) || is_mirror(pod) {
            return Ok(Vec::new());
        }
        if account_name(pod).is_empty() {
            let spec = object::map(pod, "spec");
            spec.insert("serviceAccountName".into(), DEFAULT_ACCOUNT.into());
            spec.insert("serviceAccount".into(), DEFAULT_ACCOUNT.into());
        }
        let account = account(request, pod)?;
        // Without a listener there is nothing that a token could be used against.
        if request.world.root_ca().is_some() && wants_token(&account, pod) {
            mount_token(request, pod);
        }
        let has_pull_secrets = pod["spec"]["imagePullSecrets"].as_array().is_some_and(|secrets| !secrets.is_empty());
        if let Some(secrets) = account["imagePullSecrets"].as_array().filter(|secrets| !secrets.is_empty())
            && !has_pull_secrets
        {
            let names: Value = secrets.iter().map(|secret| json!({"name": secret["name"]})).collect();
            object::map(pod, "spec").insert("imagePullSecrets".into(), names);
        }
        Ok(Vec::new())
    }

    fn validate(&self, request: &Request<'_>, pod: &Value) -> Result<Verdict, Box<Status>> {
        if !concerns(request) {
            return Ok(Verdict::pass());
        }
        if is_mirror(pod) {
            return match mirror_refusal(pod) {
                Some(detail) => Err(request.forbidden(pod, detail)),
                None => Ok(Verdict::pass()),
            };
        }
        if account_name(pod).is_empty() {
            let detail = format!("no service account specified for pod {}/{}", request.namespace, object::name(pod));
            return Err(request.forbidden(pod, &detail));
        }
        let account = account(request, pod)?;
        match unmountable(&account, pod) {
            Some(detail) => Err(request.forbidden(pod, &detail)),
            None => Ok(Verdict::pass()),
        }
    }
}

/// What a pod is, is settled when it is made.
fn concerns(request: &Request<'_>) -> bool {
    request.operation == Operation::Create && request.is_about("", "pods")
}

fn is_mirror(pod: &Value) -> bool {
    object::annotations(pod).any(|(key, _)| key == MIRROR)
}

fn account_name(pod: &Value) -> &str {
    pod["spec"]["serviceAccountName"].as_str().unwrap_or("")
}

fn account(request: &Request<'_>, pod: &Value) -> Result<Value, Box<Status>> {
    let (namespace, name) = (request.namespace, account_name(pod));
    request.world.get("", "serviceaccounts", namespace, name).ok_or_else(|| {
        let detail = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        request.forbidden(pod, &detail)
    })
}

/// The pod's own word counts, then the account's.
fn wants_token(account: &Value, pod: &Value) -> bool {
    let said = |value: &Value| value["automountServiceAccountToken"].as_bool();
    said(&pod["spec"]).or(said(account)).unwrap_or(true)
}

fn mount_token(request: &Request<'_>, pod: &mut Value) {
    let spec = &mut pod["spec"];
    let existing = items_mut(spec, "volumes")
        .find_map(|volume| volume["name"].as_str().filter(|name| name.starts_with(VOLUME_PREFIX)).map(String::from));
    let name = existing.clone().unwrap_or_else(|| meta::names::generate(VOLUME_PREFIX, request.entropy));
    let mut is_needed = false;
    for (list, _) in CONTAINER_LISTS {
        for container in items_mut(spec, list) {
            // Whoever mounts something there has his own idea of a token.
            if items_mut(container, "volumeMounts").any(|mount| mount["mountPath"] == MOUNT_PATH) {
                continue;
            }
            push(container, "volumeMounts", json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH}));
            is_needed = true;
        }
    }
    if existing.is_none() && is_needed {
        push(spec, "volumes", json!({"name": name, "projected": token_source()}));
    }
}

fn push(object: &mut Value, list: &str, item: Value) {
    let list = object::as_map(object).entry(list).or_insert_with(|| json!([]));
    match list {
        Value::Array(items) => items.push(item),
        other => *other = json!([item]),
    }
}

/// Token, CA and namespace: all that a client in a pod needs.
fn token_source() -> Value {
    json!({
        "defaultMode": 0o644,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": POD_SECONDS, "path": "token"}},
            {"configMap": {
                "name": crate::namespace::ROOT_CA,
                "items": [{"key": crate::namespace::ROOT_CA_KEY, "path": crate::namespace::ROOT_CA_KEY}],
            }},
            {"downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}],
            }},
        ],
    })
}

fn mirror_refusal(pod: &Value) -> Option<&'static str> {
    if !account_name(pod).is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    let spec = &pod["spec"];
    if names_secrets(spec) {
        return Some("a mirror pod may not reference secrets");
    }
    let mut sources = list(spec, "volumes").flat_map(|volume| list(&volume["projected"], "sources"));
    sources
        .any(|source| source["serviceAccountToken"].is_object())
        .then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

fn names_secrets(spec: &Value) -> bool {
    let in_volumes = list(spec, "volumes").any(|volume| {
        volume["secret"].is_object() || list(&volume["projected"], "sources").any(|source| source["secret"].is_object())
    });
    let in_containers = CONTAINER_LISTS.iter().flat_map(|(field, _)| list(spec, field)).any(|container| {
        list(container, "env").any(|env| env["valueFrom"]["secretKeyRef"].is_object())
            || list(container, "envFrom").any(|from| from["secretRef"].is_object())
    });
    in_volumes || in_containers || list(spec, "imagePullSecrets").next().is_some()
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object[field].as_array().into_iter().flatten()
}

/// The first secret that the pod names and its account does not, if the account wants that watched.
fn unmountable(account: &Value, pod: &Value) -> Option<String> {
    let is_enforced = object::annotations(account)
        .any(|(key, value)| key == ENFORCE_MOUNTABLE && matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"));
    if !is_enforced {
        return None;
    }
    let owner = object::name(account);
    let is_known = |field: &str, name: &str| list(account, field).any(|secret| secret["name"] == name);
    let refused = |field: &Value| field.as_str().filter(|name| !is_known("secrets", name)).map(String::from);
    let spec = &pod["spec"];
    let suffix = format!("is not allowed because service account {owner} does not reference that");
    if let Some(name) = list(spec, "volumes").find_map(|volume| refused(&volume["secret"]["secretName"])) {
        return Some(format!("volume with secret.secretName=\"{name}\" {suffix} secret"));
    }
    for (field, word) in CONTAINER_LISTS {
        for container in list(spec, field) {
            let container_name = container["name"].as_str().unwrap_or("");
            for env in list(container, "env") {
                if let Some(name) = refused(&env["valueFrom"]["secretKeyRef"]["name"]) {
                    let variable = env["name"].as_str().unwrap_or("");
                    return Some(format!(
                        "{word} {container_name} with envVar {variable} referencing secret.secretName=\"{name}\" {suffix} secret"
                    ));
                }
            }
            for from in list(container, "envFrom") {
                if let Some(name) = refused(&from["secretRef"]["name"]) {
                    return Some(format!(
                        "{word} {container_name} with envFrom referencing secret.secretName=\"{name}\" {suffix} secret"
                    ));
                }
            }
        }
    }
    let mut pulls = list(spec, "imagePullSecrets").enumerate();
    pulls.find_map(|(index, secret)| {
        let name = secret["name"].as_str().filter(|name| !is_known("imagePullSecrets", name))?;
        Some(format!("imagePullSecrets[{index}].name=\"{name}\" {suffix} imagePullSecret"))
    })
}

#[cfg(test)]
#[path = "service_account_tests.rs"]
mod tests;
