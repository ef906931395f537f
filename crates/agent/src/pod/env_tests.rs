use super::*;
use serde_json::{Value, json};

fn sources() -> Sources {
    let config_map = serde_json::from_value(json!({"data": {"color": "red", "bad=key": "x"}})).unwrap();
    let secret = serde_json::from_value(json!({"data": {"token": "czNjcmV0"}})).unwrap();
    Sources {
        config_maps: [("c".to_owned(), config_map)].into(),
        secrets: [("s".to_owned(), secret)].into(),
        ..Sources::default()
    }
}

fn environment(container: Value) -> Result<Vec<String>, String> {
    let mut container = container;
    container["name"] = json!("a");
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u",
            "labels": {"batch.kubernetes.io/job-completion-index": "3"}},
        "spec": {"nodeName": "n1", "serviceAccountName": "sa", "containers": []}}))
    .unwrap();
    let sources = sources();
    let container: Container = serde_json::from_value(container).unwrap();
    let mut pod = pod;
    pod.spec.as_mut().unwrap().containers.push(container.clone());
    let subject = Subject { pod: &pod, cpus: 2, memory_bytes: 1 << 30 };
    let (host_ip, pod_ip, api_address) = ("10.0.0.1", "10.9.0.2", None);
    let origin = Origin { pod: &pod, subject, host_ip, pod_ip, api_address, sources: &sources };
    from_spec(&container, origin).map(|environment| environment.lines())
}

#[test]
fn references_expand_and_everything_else_stays_as_written() {
    let mut known = Environment::default();
    known.set("A", "1");
    known.set("EMPTY", "");
    for (text, expect) in [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)$(A)y", "x11y"),
        ("[$(EMPTY)]", "[]"),
        ("$(date +%Y)", "$(date +%Y)"),
        ("$(B)-$(A)", "$(B)-1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$(A $(A)", "$(A $(A)"),
        ("$é$(A)", "$é1"),
        ("", ""),
    ] {
        assert_eq!(expand(text, &known), expect, "{text}");
    }
}

#[test]
fn later_variables_see_and_override_earlier_ones() {
    let lines = environment(json!({
        "envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "S_", "secretRef": {"name": "s"}}],
        "env": [{"name": "X", "value": "$(color) $(S_token)"}, {"name": "color", "value": "blue"},
            {"name": "Y", "value": "$(color)"}, {"name": "Z"}]}));
    assert_eq!(lines.unwrap(), ["color=blue", "S_token=s3cret", "X=red s3cret", "Y=blue", "Z="]);
}

#[test]
fn fields_of_the_pod() {
    let of = |path: &str| {
        environment(json!({"env": [{"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}))
            .map(|lines| lines[0].clone())
    };
    for (path, expect) in [
        ("metadata.name", "V=p"),
        ("metadata.namespace", "V=ns"),
        ("metadata.uid", "V=u"),
        ("metadata.labels['batch.kubernetes.io/job-completion-index']", "V=3"),
        ("metadata.labels['none']", "V="),
        ("spec.nodeName", "V=n1"),
        ("spec.serviceAccountName", "V=sa"),
        ("status.hostIP", "V=10.0.0.1"),
    ] {
        assert_eq!(of(path).unwrap(), expect, "{path}");
    }
    assert_eq!(of("spec.nope").unwrap_err(), "unsupported fieldPath: spec.nope");
}

#[test]
fn what_is_missing_is_named_unless_it_is_optional() {
    let key = |kind: &str, name: &str, key: &str, optional: bool| {
        environment(json!({"env": [{"name": "V", "valueFrom":
            {kind: {"name": name, "key": key, "optional": optional}}}]}))
    };
    let from =
        |kind: &str, optional: bool| environment(json!({"envFrom": [{kind: {"name": "none", "optional": optional}}]}));
    assert_eq!(key("secretKeyRef", "none", "k", false).unwrap_err(), "secret \"none\" not found");
    assert_eq!(key("secretKeyRef", "s", "k", false).unwrap_err(), "couldn't find key k in Secret ns/s");
    assert_eq!(key("configMapKeyRef", "none", "k", false).unwrap_err(), "configmap \"none\" not found");
    assert_eq!(key("configMapKeyRef", "c", "k", false).unwrap_err(), "couldn't find key k in ConfigMap ns/c");
    assert_eq!(from("configMapRef", false).unwrap_err(), "configmap \"none\" not found");
    assert_eq!(from("secretRef", false).unwrap_err(), "secret \"none\" not found");
    let nothing: Vec<String> = vec![];
    assert_eq!(key("secretKeyRef", "none", "k", true).unwrap(), nothing);
    assert_eq!(key("configMapKeyRef", "c", "k", true).unwrap(), nothing);
    assert_eq!(from("secretRef", true).unwrap(), nothing);
}

#[test]
fn the_image_overrides_path_and_the_spec_overrides_the_image() {
    let mut from_spec = Environment::default();
    from_spec.set("LANG", "C");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let image = [pair("PATH", "/bin"), pair("LANG", "de")];
    assert_eq!(complete(&from_spec, &image, "host").lines(), ["PATH=/bin", "HOSTNAME=host", "LANG=C"]);
    let bare = complete(&Environment::default(), &[], "host");
    assert_eq!(bare.get("PATH"), Some(DEFAULT_PATH));
}

#[test]
fn the_api_server_is_found_by_its_services_variables() {
    let environment = of_the_api_server(([10, 200, 0, 1], 6443).into());
    for (name, value) in [
        ("KUBERNETES_SERVICE_HOST", "10.200.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "6443"),
        ("KUBERNETES_PORT", "tcp://10.200.0.1:6443"),
        ("KUBERNETES_PORT_6443_TCP", "tcp://10.200.0.1:6443"),
        ("KUBERNETES_PORT_6443_TCP_PROTO", "tcp"),
        ("KUBERNETES_PORT_6443_TCP_PORT", "6443"),
        ("KUBERNETES_PORT_6443_TCP_ADDR", "10.200.0.1"),
    ] {
        assert_eq!(environment.get(name), Some(value), "{name}");
    }
}

#[test]
fn resources_are_the_containers_own_unless_another_is_named() {
    let variable = |resource: &str, more: Value| {
        let mut reference = json!({"resource": resource});
        reference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        environment(json!({
            "env": [{"name": "X", "valueFrom": {"resourceFieldRef": reference}}],
            "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}},
        }))
    };
    for (resource, more, expect) in [
        ("requests.cpu", json!({}), "1"),
        ("requests.cpu", json!({"divisor": "1m"}), "250"),
        ("limits.memory", json!({}), "67108864"),
        ("limits.memory", json!({"divisor": "1Mi", "containerName": "a"}), "64"),
        ("limits.cpu", json!({}), "2"),
        ("requests.memory", json!({}), "0"),
    ] {
        assert_eq!(variable(resource, more), Ok(vec![format!("X={expect}")]), "{resource}");
    }
    assert_eq!(variable("limits.cpu", json!({"containerName": "b"})), Err("container b not found".into()));
}

#[test]
fn what_is_missing_can_be_an_error() {
    let mut known = Environment::default();
    known.set("A", "1");
    assert_eq!(expand_all("$(A)/$$(B)", &known), Ok("1/$(B)".into()));
    assert_eq!(expand_all("$(B)$(A)$(C)", &known), Err("missing value for \"B, C\"".into()));
}
