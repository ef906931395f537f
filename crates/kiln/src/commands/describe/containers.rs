//! Containers, of a template or of a pod with how they fare. Pure.

use serde_json::Value;

use super::page::{Page, View, capital, items, sorted, text_of, text_or};

/// A template's.
pub fn of_template(page: &mut Page, containers: &Value) {
    for container in items(containers) {
        page.line(format!("   {}:", text_or(&container["name"], "")));
        page.field("    Image", text_or(&container["image"], ""));
        ports(page, container);
        rest(page, container, None);
    }
}

/// A pod's, with their statuses.
pub fn of_pod(page: &mut Page, containers: &Value, statuses: &Value, pod: &Value, view: &View) {
    for container in items(containers) {
        let status = items(statuses).find(|status| status["name"] == container["name"]);
        page.line(format!("  {}:", text_or(&container["name"], "")));
        if let Some(status) = status {
            page.field("    Container ID", text_or(&status["containerID"], ""));
        }
        page.field("    Image", text_or(&container["image"], ""));
        if let Some(status) = status {
            page.field("    Image ID", text_or(&status["imageID"], ""));
        }
        ports(page, container);
        command(page, container);
        if let Some(status) = status {
            state(page, "State", &status["state"], view);
            if status["lastState"]["terminated"].is_object() {
                state(page, "Last State", &status["lastState"], view);
            }
            page.field("    Ready", capital(&status["ready"]));
            page.field("    Restart Count", text_or(&status["restartCount"], "0"));
        }
        details(page, container, Some(pod));
    }
}

fn rest(page: &mut Page, container: &Value, pod: Option<&Value>) {
    command(page, container);
    details(page, container, pod);
}

fn ports(page: &mut Page, container: &Value) {
    let list = |field: &str| {
        let port = |port: &Value| format!("{}/{}", port[field].as_i64().unwrap_or(0), text_or(&port["protocol"], ""));
        items(&container["ports"]).map(port).collect::<Vec<_>>()
    };
    for (name, ports) in [("Port", list("containerPort")), ("Host Port", list("hostPort"))] {
        let plural = if 1 < ports.len() { "s" } else { "" };
        let text = if ports.is_empty() { "<none>".into() } else { ports.join(", ") };
        page.field(&format!("    {name}{plural}"), text);
    }
}

fn command(page: &mut Page, container: &Value) {
    for (name, field) in [("Command", "command"), ("Args", "args")] {
        let words: Vec<String> = items(&container[field]).map(|word| text_or(word, "")).collect();
        if words.is_empty() {
            continue;
        }
        page.line(format!("    {name}:"));
        for line in words.iter().flat_map(|word| word.split('\n')) {
            page.line(format!("      {line}"));
        }
    }
}

fn state(page: &mut Page, name: &str, state: &Value, view: &View) {
    let name = format!("    {name}");
    if state["running"].is_object() {
        page.field(&name, "Running");
        page.field("      Started", view.time(&state["running"]["startedAt"]));
        return;
    }
    let ended = &state["terminated"];
    if !ended.is_object() {
        page.field(&name, "Waiting");
        page.field_if("      Reason", &state["waiting"]["reason"]);
        return;
    }
    page.field(&name, "Terminated");
    page.field_if("      Reason", &ended["reason"]);
    page.field_if("      Message", &ended["message"]);
    page.field("      Exit Code", text_or(&ended["exitCode"], "0"));
    if ended["signal"].as_i64().is_some_and(|signal| 0 < signal) {
        page.field("      Signal", &ended["signal"]);
    }
    page.field("      Started", view.time(&ended["startedAt"]));
    page.field("      Finished", view.time(&ended["finishedAt"]));
}

fn details(page: &mut Page, container: &Value, pod: Option<&Value>) {
    for (name, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let quantities = sorted(&container["resources"][field]);
        if !quantities.is_empty() {
            page.line(format!("    {name}:"));
            quantities.into_iter().for_each(|(key, value)| page.field(&format!("      {key}"), text_or(value, "")));
        }
    }
    for (name, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")] {
        if container[field].is_object() {
            page.field(&format!("    {name}"), probe(&container[field]));
        }
    }
    env_from(page, container);
    env(page, container, pod);
    mounts(page, container);
}

fn probe(probe: &Value) -> String {
    let number = |field: &str| probe[field].as_i64().unwrap_or(0);
    let how = if probe["exec"].is_object() {
        let words: Vec<String> = items(&probe["exec"]["command"]).map(|word| text_or(word, "")).collect();
        format!("exec [{}]", words.join(" "))
    } else if probe["httpGet"].is_object() {
        let get = &probe["httpGet"];
        let (scheme, host) = (text_or(&get["scheme"], "HTTP").to_lowercase(), text_or(&get["host"], ""));
        format!("http-get {scheme}://{host}:{}{}", text_or(&get["port"], ""), text_or(&get["path"], ""))
    } else if probe["tcpSocket"].is_object() {
        let socket = &probe["tcpSocket"];
        format!("tcp-socket {}:{}", text_or(&socket["host"], ""), text_or(&socket["port"], ""))
    } else if probe["grpc"].is_object() {
        format!("grpc <pod>:{} {}", text_or(&probe["grpc"]["port"], ""), text_or(&probe["grpc"]["service"], ""))
    } else {
        "unknown".into()
    };
    format!(
        "{how} delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    )
}

fn env_from(page: &mut Page, container: &Value) {
    let sources: Vec<&Value> = items(&container["envFrom"]).collect();
    if sources.is_empty() {
        return;
    }
    page.line("    Environment Variables from:");
    for source in sources {
        let (from, kind) = match source["configMapRef"].is_object() {
            true => (&source["configMapRef"], "ConfigMap"),
            false => (&source["secretRef"], "Secret"),
        };
        let optional = from["optional"].as_bool().unwrap_or(false);
        let prefix = text_of(&source["prefix"]).map_or(String::new(), |prefix| format!(" with prefix '{prefix}'"));
        page.line(format!("      {}\t{kind}{prefix}\tOptional: {optional}", text_or(&from["name"], "")));
    }
}

fn env(page: &mut Page, container: &Value, pod: Option<&Value>) {
    if items(&container["env"]).next().is_none() {
        page.field("    Environment", "<none>");
        return;
    }
    page.line("    Environment:");
    for variable in items(&container["env"]) {
        let name = format!("      {}", text_or(&variable["name"], ""));
        let from = &variable["valueFrom"];
        if !from.is_object() {
            let value = text_or(&variable["value"], "");
            let mut lines = value.split('\n');
            page.field(&name, lines.next().unwrap_or_default());
            lines.for_each(|line| page.line(format!("      \t{line}")));
            continue;
        }
        let (key, place) =
            (|source: &Value| text_or(&source["key"], ""), |source: &Value| text_or(&source["name"], ""));
        let optional = |source: &Value| source["optional"].as_bool().unwrap_or(false);
        let (field, resource) = (&from["fieldRef"], &from["resourceFieldRef"]);
        let (secret, map) = (&from["secretKeyRef"], &from["configMapKeyRef"]);
        if field.is_object() {
            let path = text_or(&field["fieldPath"], "");
            let value = pod.map_or(String::new(), |pod| own_field(pod, &path));
            page.field(&name, format!("{value} ({}:{path})", text_or(&field["apiVersion"], "")));
        } else if resource.is_object() {
            let value = own_resource(container, &text_or(&resource["resource"], ""));
            page.field(&name, format!("{value} ({})", text_or(&resource["resource"], "")));
        } else if secret.is_object() {
            page.field(
                &name,
                format!(
                    "<set to the key '{}' in secret '{}'>\tOptional: {}",
                    key(secret),
                    place(secret),
                    optional(secret)
                ),
            );
        } else if map.is_object() {
            page.field(
                &name,
                format!("<set to the key '{}' of config map '{}'>\tOptional: {}", key(map), place(map), optional(map)),
            );
        }
    }
}

/// A pod's own field; of labels and annotations only the path is shown, as with kubectl.
fn own_field(pod: &Value, path: &str) -> String {
    let metadata = &pod["metadata"];
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => text_or(&metadata[&path["metadata.".len()..]], ""),
        _ => String::new(),
    }
}

/// Limits of CPU in whole cores, of the rest in their units; what has no limit is the node's.
fn own_resource(container: &Value, resource: &str) -> String {
    let Some((kind, name)) = resource.split_once('.') else { return String::new() };
    let Some(quantity) = text_of(&container["resources"][kind][name]) else {
        return if kind == "limits" { "node allocatable".into() } else { "0".into() };
    };
    quantity.parse::<meta::quantity::Quantity>().map_or(quantity, |quantity| quantity.value().to_string())
}

fn mounts(page: &mut Page, container: &Value) {
    let mut mounts: Vec<&Value> = items(&container["volumeMounts"]).collect();
    if mounts.is_empty() {
        page.field("    Mounts", "<none>");
    } else {
        page.line("    Mounts:");
    }
    mounts.sort_by_key(|mount| text_or(&mount["mountPath"], ""));
    for mount in mounts {
        let mode = if mount["readOnly"].as_bool().unwrap_or(false) { "ro" } else { "rw" };
        let part = text_of(&mount["subPath"]).map_or(String::new(), |part| format!(",path=\"{part}\""));
        page.line(format!(
            "      {} from {} ({mode}{part})",
            text_or(&mount["mountPath"], ""),
            text_or(&mount["name"], "")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_show_what_they_are_made_of() {
        let pod = json!({ "metadata": { "name": "p", "labels": { "a": "b" } } });
        for (path, expect) in [("metadata.name", "p"), ("metadata.labels['a']", ""), ("status.podIP", "")] {
            assert_eq!(own_field(&pod, path), expect, "{path}");
        }
        let container = json!({ "resources": { "limits": { "cpu": "1500m" }, "requests": { "memory": "32Mi" } } });
        for (resource, expect) in
            [("limits.cpu", "2"), ("requests.memory", "33554432"), ("limits.memory", "node allocatable"), ("x", "")]
        {
            assert_eq!(own_resource(&container, resource), expect, "{resource}");
        }
    }

    #[test]
    fn probes_are_one_line() {
        let value = json!({ "exec": { "command": ["a", "b"] }, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 });
        assert_eq!(probe(&value), "exec [a b] delay=0s timeout=1s period=10s #success=1 #failure=3");
        let value = json!({ "httpGet": { "path": "/x", "port": 80, "scheme": "HTTP" } });
        assert!(probe(&value).starts_with("http-get http://:80/x delay=0s"));
    }
}
