//! A container's environment, and `$(NAME)` in its command line (K:pkg/kubelet/kubelet_pods.go, third_party/forked/golang/expansion).
//!
//! Order: PATH and HOSTNAME, the image's, the API server's, `envFrom`, `env`; the later wins. Only the last three can be referred to.

use super::sources::{Needs, Sources};
use crate::volumes::downward::{self, Subject};
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource, Pod};

/// What containerd gives images that set none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in order of first appearance; a name appears once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Sets a variable, replacing an earlier value.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, earlier)) => *earlier = value.to_owned(),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// `NAME=value` each.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// What a container's own part of the environment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// For fieldRef.
    pub pod: &'a Pod,
    /// For resourceFieldRef.
    pub subject: Subject<'a>,
    /// For status.hostIP.
    pub host_ip: &'a str,
    /// For status.podIP; empty if it has none.
    pub pod_ip: &'a str,
    /// Where the API server is, for `KUBERNETES_SERVICE_HOST` and the like.
    pub api_address: Option<SocketAddr>,
    /// ConfigMaps and Secrets.
    pub sources: &'a Sources,
}

/// The ConfigMaps and Secrets that a container's environment refers to.
pub fn needs(container: &Container) -> Needs {
    let mut needs = Needs::default();
    for from in container.env_from.iter().flatten() {
        if let Some(reference) = &from.config_map_ref {
            needs.config_maps.insert(reference.name.clone());
        }
        if let Some(reference) = &from.secret_ref {
            needs.secrets.insert(reference.name.clone());
        }
    }
    let froms = container.env.iter().flatten();
    for from in froms.filter_map(|variable| variable.value_from.as_ref()) {
        if let Some(reference) = &from.config_map_key_ref {
            needs.config_maps.insert(reference.name.clone());
        }
        if let Some(reference) = &from.secret_key_ref {
            needs.secrets.insert(reference.name.clone());
        }
    }
    needs
}

/// The variables that the spec sets: `envFrom`, then `env`. The error is CreateContainerConfigError's message.
pub fn from_spec(container: &Container, origin: Origin<'_>) -> Result<Environment, String> {
    let mut environment = origin.api_address.map_or_else(Environment::default, of_the_api_server);
    for from in container.env_from.iter().flatten() {
        for (name, value) in whole_source(from, origin)? {
            environment.set(&name, &value);
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &container.name, origin, &environment)? {
            environment.set(&variable.name, &value);
        }
    }
    Ok(environment)
}

/// What client libraries find the API server by: the variables of the Service `default/kubernetes` (K:pkg/kubelet/envvars).
fn of_the_api_server(address: SocketAddr) -> Environment {
    let (host, port) = (address.ip(), address.port());
    let url = format!("tcp://{host}:{port}");
    let mut environment = Environment::default();
    environment.set("KUBERNETES_SERVICE_HOST", &host.to_string());
    environment.set("KUBERNETES_SERVICE_PORT", &port.to_string());
    environment.set("KUBERNETES_SERVICE_PORT_HTTPS", &port.to_string());
    environment.set("KUBERNETES_PORT", &url);
    for (what, value) in
        [("", url.as_str()), ("_PROTO", "tcp"), ("_PORT", &port.to_string()), ("_ADDR", &host.to_string())]
    {
        environment.set(&format!("KUBERNETES_PORT_{port}_TCP{what}"), value);
    }
    environment
}

/// The whole environment of a container's process.
pub fn complete(from_spec: &Environment, image_env: &[(String, String)], hostname: &str) -> Environment {
    let mut environment = Environment::default();
    environment.set("PATH", DEFAULT_PATH);
    environment.set("HOSTNAME", hostname);
    for (name, value) in image_env.iter().chain(&from_spec.0) {
        environment.set(name, value);
    }
    environment
}

/// Replaces `$(NAME)` by what `environment` has; what it has not stays as written. `$$` is a dollar that begins nothing.
pub fn expand(text: &str, environment: &Environment) -> String {
    expand_noting(text, environment, |_| ())
}

/// The same, but what `environment` has not is an error (K:pkg/kubelet/container ExpandContainerVolumeMounts).
pub fn expand_all(text: &str, environment: &Environment) -> Result<String, String> {
    let mut missing = Vec::new();
    let expanded = expand_noting(text, environment, |name| missing.push(name.to_owned()));
    if missing.is_empty() { Ok(expanded) } else { Err(format!("missing value for \"{}\"", missing.join(", "))) }
}

fn expand_noting(text: &str, environment: &Environment, mut is_missing: impl FnMut(&str)) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            expanded.push('$');
            rest = escaped;
            continue;
        }
        let reference = after.strip_prefix('(').and_then(|name| name.split_once(')'));
        let Some((name, tail)) = reference else {
            expanded.push('$');
            rest = after;
            continue;
        };
        match environment.get(name) {
            Some(value) => expanded.push_str(value),
            None => {
                is_missing(name);
                expanded.push_str("$(");
                expanded.push_str(name);
                expanded.push(')');
            }
        }
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

/// All of a ConfigMap or Secret as variables. Keys that cannot be names of variables are left out.
fn whole_source(from: &EnvFromSource, origin: Origin<'_>) -> Result<Vec<(String, String)>, String> {
    let prefix = from.prefix.as_deref().unwrap_or("");
    let mut variables = vec![];
    let mut add = |key: &str, value: String| {
        let is_name = !key.is_empty() && !key.contains('=');
        if is_name {
            variables.push((format!("{prefix}{key}"), value));
        }
    };
    if let Some(reference) = &from.config_map_ref {
        match origin.sources.config_maps.get(&reference.name) {
            Some(config_map) => {
                for (key, value) in config_map.data.iter().flatten() {
                    add(key, value.clone());
                }
            }
            None if reference.optional == Some(true) => {}
            None => return Err(format!("configmap \"{}\" not found", reference.name)),
        }
    }
    if let Some(reference) = &from.secret_ref {
        match origin.sources.secrets.get(&reference.name) {
            Some(secret) => {
                for (key, value) in secret.data.iter().flatten() {
                    add(key, String::from_utf8_lossy(&value.0).into_owned());
                }
            }
            None if reference.optional == Some(true) => {}
            None => return Err(format!("secret \"{}\" not found", reference.name)),
        }
    }
    Ok(variables)
}

/// The value of one variable; none if it comes from something optional that is not there.
fn value_of(
    variable: &EnvVar,
    container: &str,
    origin: Origin<'_>,
    so_far: &Environment,
) -> Result<Option<String>, String> {
    match &variable.value_from {
        Some(from) => value_from(from, container, origin),
        None => {
            let value = variable.value.as_deref().unwrap_or("");
            Ok(Some(expand(value, so_far)))
        }
    }
}

fn value_from(from: &EnvVarSource, container: &str, origin: Origin<'_>) -> Result<Option<String>, String> {
    let namespace = super::namespace(origin.pod);
    if let Some(reference) = &from.config_map_key_ref {
        let is_optional = reference.optional == Some(true);
        let (name, key) = (&reference.name, &reference.key);
        let Some(config_map) = origin.sources.config_maps.get(name) else {
            return absent(is_optional, || format!("configmap \"{name}\" not found"));
        };
        let value = config_map.data.as_ref().and_then(|data| data.get(key));
        return match value {
            Some(value) => Ok(Some(value.clone())),
            None => absent(is_optional, || format!("couldn't find key {key} in ConfigMap {namespace}/{name}")),
        };
    }
    if let Some(reference) = &from.secret_key_ref {
        let is_optional = reference.optional == Some(true);
        let (name, key) = (&reference.name, &reference.key);
        let Some(secret) = origin.sources.secrets.get(name) else {
            return absent(is_optional, || format!("secret \"{name}\" not found"));
        };
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        return match value {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None => absent(is_optional, || format!("couldn't find key {key} in Secret {namespace}/{name}")),
        };
    }
    if let Some(reference) = &from.field_ref {
        return field(&reference.field_path, origin).map(Some);
    }
    if let Some(reference) = &from.resource_field_ref {
        let named = reference.container_name.as_deref().filter(|name| !name.is_empty());
        return downward::resource(reference, named.unwrap_or(container), origin.subject).map(Some);
    }
    Err("this kind of valueFrom is not supported by this version of kiln".into())
}

fn absent(is_optional: bool, message: impl FnOnce() -> String) -> Result<Option<String>, String> {
    if is_optional { Ok(None) } else { Err(message()) }
}

/// A field of the pod, as `fieldRef.fieldPath` names it.
fn field(path: &str, origin: Origin<'_>) -> Result<String, String> {
    let pod = origin.pod;
    let spec = pod.spec.as_ref();
    if let Some(key) = subscript(path, "metadata.labels") {
        let labels = pod.metadata.labels.as_ref();
        return Ok(labels.and_then(|labels| labels.get(key)).cloned().unwrap_or_default());
    }
    if let Some(key) = subscript(path, "metadata.annotations") {
        let annotations = pod.metadata.annotations.as_ref();
        let value = annotations.and_then(|annotations| annotations.get(key));
        return Ok(value.cloned().unwrap_or_default());
    }
    let value = match path {
        "metadata.name" => super::name(pod),
        "metadata.namespace" => super::namespace(pod),
        "metadata.uid" => super::uid(pod),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.as_deref()).unwrap_or(""),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.as_deref()).unwrap_or(""),
        "status.hostIP" | "status.hostIPs" => origin.host_ip,
        "status.podIP" | "status.podIPs" => origin.pod_ip,
        _ => return Err(format!("unsupported fieldPath: {path}")),
    };
    Ok(value.to_owned())
}

/// `KEY` of `FIELD['KEY']`.
fn subscript<'a>(path: &'a str, field: &str) -> Option<&'a str> {
    path.strip_prefix(field)?.strip_prefix("['")?.strip_suffix("']")
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
