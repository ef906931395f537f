//! RuntimeClass: writes into a pod what its class costs and where it runs (K:plugin/pkg/admission/runtimeclass).

use super::{Operation, Plugin, Request, Verdict};
use crate::at::is_same;
use crate::runtime_class::OWN_HANDLER;
use meta::object;
use meta::status::Status;
use serde_json::{Value, json};

/// See the file's head.
#[derive(Debug)]
pub struct RuntimeClass;

const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn mutate(&self, request: &Request<'_>, pod: &mut Value) -> Result<Vec<String>, Box<Status>> {
        if !is_new_pod(request) {
            return Ok(Vec::new());
        }
        let Some(class) = class_of(request, pod)? else { return Ok(Vec::new()) };
        let overhead = &class["overhead"]["podFixed"];
        if class["overhead"].is_object() {
            let given = &pod["spec"]["overhead"];
            if !given.is_null() && !is_same(given, overhead) {
                return Err(request.forbidden(pod, MISMATCH));
            }
            object::map(pod, "spec").insert("overhead".into(), overhead.clone());
        }
        place(request, pod, &class["scheduling"])?;
        Ok(missing_handler(request, &class).into_iter().collect())
    }

    fn validate(&self, request: &Request<'_>, pod: &Value) -> Result<Verdict, Box<Status>> {
        if !is_new_pod(request) {
            return Ok(Verdict::pass());
        }
        let class = class_of(request, pod)?;
        let overhead = &pod["spec"]["overhead"];
        let defined = class.as_ref().map(|class| &class["overhead"]).filter(|defined| defined.is_object());
        let is_set = overhead.as_object().is_some_and(|overhead| !overhead.is_empty());
        match defined {
            Some(defined) if !is_same(&defined["podFixed"], overhead) => {
                return Err(request.forbidden(pod, MISMATCH));
            }
            None if is_set => {
                let detail = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
                return Err(request.forbidden(pod, detail));
            }
            Some(_) | None => {}
        }
        Ok(Verdict::pass())
    }
}

fn is_new_pod(request: &Request<'_>) -> bool {
    request.operation == Operation::Create && request.is_about("", "pods")
}

fn class_of(request: &Request<'_>, pod: &Value) -> Result<Option<Value>, Box<Status>> {
    let Some(name) = pod["spec"]["runtimeClassName"].as_str().filter(|name| !name.is_empty()) else { return Ok(None) };
    let found = request.world.get("node.k8s.io", "runtimeclasses", "", name);
    let missing = || request.forbidden(pod, &format!("pod rejected: RuntimeClass {name:?} not found"));
    Ok(Some(found.ok_or_else(missing)?))
}

/// Adds the class's selector and tolerations to the pod's own.
fn place(request: &Request<'_>, pod: &mut Value, scheduling: &Value) -> Result<(), Box<Status>> {
    for (key, value) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let given = pod["spec"]["nodeSelector"][key].as_str();
        if let Some(given) = given.filter(|given| *value != *given) {
            let wanted = value.as_str().unwrap_or("");
            let detail = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; pod.spec.nodeSelector[{key}] = {given}"
            );
            return Err(request.forbidden(pod, &detail));
        }
    }
    let Some(spec) = pod.get_mut("spec") else { return Ok(()) };
    if let Some(selector) = scheduling["nodeSelector"].as_object().filter(|selector| !selector.is_empty()) {
        object::map(spec, "nodeSelector").extend(selector.clone());
    }
    let more: Vec<Value> = scheduling["tolerations"].as_array().into_iter().flatten().cloned().collect();
    if more.is_empty() {
        return Ok(());
    }
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for toleration in more {
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    spec["tolerations"] = json!(tolerations);
    Ok(())
}

/// A warning if the handler is neither kiln's own nor one that a node says it has: such a pod's sandbox fails until there is one.
fn missing_handler(request: &Request<'_>, class: &Value) -> Option<String> {
    let handler = class["handler"].as_str().unwrap_or("");
    let nodes = request.world.list("", "nodes", "");
    let mut known: Vec<&str> = nodes
        .iter()
        .flat_map(|node| node["status"]["runtimeHandlers"].as_array().into_iter().flatten())
        .filter_map(|handler| handler["name"].as_str())
        .filter(|name| !name.is_empty())
        .chain([OWN_HANDLER])
        .collect();
    if known.contains(&handler) {
        return None;
    }
    known.sort_unstable();
    known.dedup();
    Some(format!(
        "spec.runtimeClassName: RuntimeClass {:?} has the handler {handler:?}, which this node does not have; it has: {}",
        object::name(class),
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Objects, create};
    use super::*;

    fn world() -> Objects {
        let class = |name: &str, handler: &str, rest: Value| {
            let mut class = json!({"metadata": {"name": name}, "handler": handler});
            object::as_map(&mut class).extend(rest.as_object().unwrap().clone());
            class
        };
        let costly = json!({"overhead": {"podFixed": {"cpu": "100m"}}, "scheduling": {
            "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "a", "operator": "Exists"}]}});
        Objects::default()
            .with("node.k8s.io", "runtimeclasses", class("plain", "kiln", json!({})))
            .with("node.k8s.io", "runtimeclasses", class("costly", "vm", costly))
            .with("node.k8s.io", "runtimeclasses", class("lost", "gone", json!({})))
            .with(
                "",
                "nodes",
                json!({"metadata": {"name": "n"}, "status": {"runtimeHandlers": [{"name": ""}, {"name": "vm"}]}}),
            )
    }

    #[track_caller]
    fn check(spec: Value, expect: Result<Value, &str>) {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": spec});
        let result = create(&crate::pod::Pod, &world(), |request| {
            RuntimeClass.mutate(request, &mut pod)?;
            RuntimeClass.validate(request, &pod)
        });
        match (result, expect) {
            (Ok(_), Ok(expect)) => assert_eq!(pod["spec"], expect),
            (Err(status), Err(expect)) => assert_eq!(status.message, format!("pods \"p\" is forbidden: {expect}")),
            (result, expect) => panic!("{result:?} is not {expect:?}"),
        }
    }

    #[test]
    fn cost_and_place_come_from_the_class() {
        check(json!({}), Ok(json!({})));
        check(json!({"runtimeClassName": "plain"}), Ok(json!({"runtimeClassName": "plain"})));
        check(
            json!({"runtimeClassName": "costly", "nodeSelector": {"zone": "a"}}),
            Ok(json!({"runtimeClassName": "costly", "nodeSelector": {"zone": "a", "disk": "fast"},
                "overhead": {"cpu": "100m"}, "tolerations": [{"key": "a", "operator": "Exists"}]})),
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check(json!({"runtimeClassName": "y"}), Err("pod rejected: RuntimeClass \"y\" not found"));
        check(
            json!({"overhead": {"cpu": "1"}}),
            Err("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        );
        check(json!({"runtimeClassName": "costly", "overhead": {"cpu": "1"}}), Err(MISMATCH));
        check(
            json!({"runtimeClassName": "costly", "nodeSelector": {"disk": "slow"}}),
            Err("conflict: runtimeClass.scheduling.nodeSelector[disk] = fast; pod.spec.nodeSelector[disk] = slow"),
        );
    }

    #[test]
    fn a_handler_that_is_not_there_is_warned_of() {
        for (class, expect) in [
            ("plain", &[] as &[&str]),
            ("costly", &[]),
            (
                "lost",
                &[
                    "spec.runtimeClassName: RuntimeClass \"lost\" has the handler \"gone\", which this node does not have; it has: kiln, vm",
                ],
            ),
        ] {
            let mut pod = json!({"metadata": {"name": "p"}, "spec": {"runtimeClassName": class}});
            let warnings = create(&crate::pod::Pod, &world(), |request| RuntimeClass.mutate(request, &mut pod));
            assert_eq!(warnings.unwrap(), expect, "{class}");
        }
    }
}
