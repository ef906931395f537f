//! LimitRanger: gives containers what a namespace's LimitRanges say, and refuses what lies outside them
//! (K:plugin/pkg/admission/limitranger).

use super::{Operation, Plugin, Request, Verdict};
use crate::limit_range::quantities;
use crate::pod::requests::{Amounts, amounts, containers_total};
use meta::object;
use meta::quantity::Quantity;
use meta::status::Status;
use serde_json::Value;

/// See the file's head.
#[derive(Debug)]
pub struct LimitRanger;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

impl Plugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn mutate(&self, request: &Request<'_>, object: &mut Value) -> Result<Vec<String>, Box<Status>> {
        // What containers have does not change afterwards.
        if is_new_pod(request) {
            for range in ranges(request) {
                complete(object, &range);
            }
        }
        Ok(Vec::new())
    }

    fn validate(&self, request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
        let is_claim = request.is_about("", "persistentvolumeclaims");
        if !is_claim && !is_new_pod(request) {
            return Ok(Verdict::pass());
        }
        for range in ranges(request) {
            let limits = range["spec"]["limits"].as_array().into_iter().flatten();
            let mut wrong: Vec<String> = Vec::new();
            for limit in limits {
                match limit["type"].as_str() {
                    Some("Container") if !is_claim => check_containers(limit, &object["spec"], &mut wrong),
                    Some("Pod") if !is_claim => {
                        let total = |list| containers_total(&object["spec"], list);
                        check(limit, &total("requests"), &total("limits"), &mut wrong);
                    }
                    Some("PersistentVolumeClaim") if is_claim => {
                        check_claim(limit, &amounts(&object["spec"]["resources"]["requests"]), &mut wrong);
                    }
                    _ => {}
                }
            }
            let mut texts: Vec<String> = Vec::new();
            for text in wrong {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            match texts.as_slice() {
                [] => {}
                [text] => return Err(request.forbidden(object, text)),
                _ => return Err(request.forbidden(object, &format!("[{}]", texts.join(", ")))),
            }
        }
        Ok(Verdict::pass())
    }
}

fn is_new_pod(request: &Request<'_>) -> bool {
    request.operation == Operation::Create && request.is_about("", "pods")
}

fn ranges(request: &Request<'_>) -> Vec<Value> {
    request.world.list("", "limitranges", request.namespace)
}

/// Gives containers the defaults they lack, and notes it in an annotation.
fn complete(pod: &mut Value, range: &Value) {
    let containers = |field: &str| -> Vec<(String, Value)> {
        let limits = range["spec"]["limits"].as_array().into_iter().flatten();
        let of_containers = limits.filter(|limit| limit["type"] == "Container");
        of_containers
            .flat_map(|limit| limit[field].as_object().into_iter().flatten())
            .map(|(name, quantity)| (name.clone(), quantity.clone()))
            .collect()
    };
    let (limits, requests) = (containers("default"), containers("defaultRequest"));
    let mut notes = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        for container in crate::at::items_mut(&mut pod["spec"], list).filter(|container| container.is_object()) {
            let name = container["name"].as_str().unwrap_or("").to_owned();
            let set_limits = fill(container, "limits", &limits);
            let set_requests = fill(container, "requests", &requests);
            for (set, kind) in [(set_requests, "request"), (set_limits, "limit")] {
                if !set.is_empty() {
                    notes.push(format!("{} {kind} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !notes.is_empty() {
        let text = format!("LimitRanger plugin set: {}", notes.join("; "));
        object::metadata(pod);
        object::map(&mut pod["metadata"], "annotations").insert(ANNOTATION.into(), text.into());
    }
}

fn fill(container: &mut Value, list: &str, defaults: &[(String, Value)]) -> Vec<String> {
    let mut set = Vec::new();
    for (resource, quantity) in defaults {
        if container["resources"][list][resource].is_null() {
            object::map(container, "resources");
            object::map(&mut container["resources"], list).insert(resource.clone(), quantity.clone());
            set.push(resource.clone());
        }
    }
    set.sort_unstable();
    set
}

fn check_containers(limit: &Value, spec: &Value, wrong: &mut Vec<String>) {
    for container in
        ["containers", "initContainers"].iter().flat_map(|list| spec[list].as_array().into_iter().flatten())
    {
        let resources = &container["resources"];
        check(limit, &amounts(&resources["requests"]), &amounts(&resources["limits"]), wrong);
    }
}

fn check(limit: &Value, requests: &Amounts, limits: &Amounts, wrong: &mut Vec<String>) {
    let of = limit["type"].as_str().unwrap_or("");
    for (resource, min) in quantities(&limit["min"]) {
        wrong.extend(below(of, resource, min, requests, limits));
    }
    for (resource, max) in quantities(&limit["max"]) {
        wrong.extend(above(of, resource, max, requests, limits));
    }
    for (resource, ratio) in quantities(&limit["maxLimitRequestRatio"]) {
        wrong.extend(apart(of, resource, ratio, requests, limits));
    }
}

fn check_claim(limit: &Value, requests: &Amounts, wrong: &mut Vec<String>) {
    let of = "PersistentVolumeClaim";
    for (resource, min) in quantities(&limit["min"]) {
        wrong.extend(below(of, resource, min, requests, &Amounts::new()));
    }
    for (resource, max) in quantities(&limit["max"]) {
        let begin = format!("maximum {resource} usage per {of} is {max}");
        match requests.get(resource) {
            None => wrong.push(format!("{begin}.  No request is specified")),
            Some(request) if max < *request => wrong.push(format!("{begin}, but request is {request}")),
            Some(_) => {}
        }
    }
}

fn below(of: &str, resource: &str, min: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let begin = format!("minimum {resource} usage per {of} is {min}");
    match (requests.get(resource), limits.get(resource)) {
        (None, _) => Some(format!("{begin}.  No request is specified")),
        (Some(request), _) if *request < min => Some(format!("{begin}, but request is {request}")),
        (_, Some(limit)) if *limit < min => Some(format!("{begin}, but limit is {limit}")),
        _ => None,
    }
}

fn above(of: &str, resource: &str, max: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let begin = format!("maximum {resource} usage per {of} is {max}");
    match (requests.get(resource), limits.get(resource)) {
        (_, None) => Some(format!("{begin}.  No limit is specified")),
        (_, Some(limit)) if max < *limit => Some(format!("{begin}, but limit is {limit}")),
        (Some(request), _) if max < *request => Some(format!("{begin}, but request is {request}")),
        _ => None,
    }
}

fn apart(of: &str, resource: &str, most: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let begin = format!("{resource} max limit to request ratio per {of} is {most}, but");
    let asked = |list: &Amounts| list.get(resource).map(Quantity::milli_value).filter(|milli| *milli != 0);
    let Some(request) = asked(requests) else {
        return Some(format!("{begin} no request is specified or request is 0"));
    };
    let Some(limit) = asked(limits) else { return Some(format!("{begin} no limit is specified or limit is 0")) };
    let ratio = limit as f64 / request as f64;
    (most.milli_value() as f64 / 1000.0 < ratio).then(|| format!("{begin} provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Objects, create};
    use super::*;
    use serde_json::json;

    fn world(limits: Value) -> Objects {
        let range = json!({"metadata": {"name": "l", "namespace": "n"}, "spec": {"limits": limits}});
        let range = crate::testing::defaulted(&crate::limit_range::LimitRange, &range);
        Objects::default().with("", "limitranges", range)
    }

    fn container(name: &str, resources: Value) -> Value {
        json!({"name": name, "resources": resources})
    }

    /// What is said of these containers.
    fn refusal(limits: Value, containers: Value) -> Option<String> {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": containers}});
        let verdict = create(&crate::pod::Pod, &world(limits), |request| {
            LimitRanger.mutate(request, &mut pod)?;
            LimitRanger.validate(request, &pod)
        });
        verdict.err().map(|status| status.message.replace("pods \"p\" is forbidden: ", ""))
    }

    #[test]
    fn containers_get_what_they_lack_and_an_annotation_says_so() {
        let limits =
            json!([{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}]);
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [container("a", json!({})), container("b", json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "2", "memory": "1Gi"}}))],
            "initContainers": [container("i", json!({"limits": {"cpu": "2"}, "requests": {"cpu": "1", "memory": "1Mi"}}))]}});
        create(&crate::pod::Pod, &world(limits), |request| LimitRanger.mutate(request, &mut pod)).unwrap();
        assert_eq!(
            pod["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}})
        );
        assert_eq!(pod["spec"]["containers"][1]["resources"]["limits"]["cpu"], "2");
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; memory limit for init container i"
        );
    }

    #[test]
    fn what_lies_outside_is_named() {
        let limits = json!([{"type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "1", "memory": "1Gi"}}]);
        let both = |cpu: &str, memory: &str| json!({"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": cpu, "memory": memory}});
        for (resources, expect) in [
            (both("1", "1Gi"), None),
            (both("2", "1Gi"), Some("maximum cpu usage per Container is 1, but limit is 2")),
            (
                both("2", "2Gi"),
                Some(
                    "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi, but limit is 2Gi]",
                ),
            ),
            (both("10m", "1Mi"), Some("minimum cpu usage per Container is 100m, but request is 10m")),
        ] {
            assert_eq!(refusal(limits.clone(), json!([container("c", resources)])).as_deref(), expect);
        }
    }

    #[test]
    fn pods_are_measured_as_a_whole() {
        let limits = json!([{"type": "Pod", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]);
        let one = json!({"limits": {"cpu": "600m"}, "requests": {"cpu": "600m", "memory": "1Mi"}});
        assert_eq!(refusal(limits.clone(), json!([container("a", one.clone())])), None);
        assert_eq!(
            refusal(limits.clone(), json!([container("a", one.clone()), container("b", one)])).as_deref(),
            Some("maximum cpu usage per Pod is 1, but limit is 1200m")
        );
        assert_eq!(
            refusal(limits, json!([container("a", json!({}))])).as_deref(),
            Some(
                "[minimum memory usage per Pod is 1Mi.  No request is specified, maximum cpu usage per Pod is 1.  No limit is specified]"
            )
        );
    }

    #[test]
    fn limits_and_requests_stay_near_each_other() {
        let limits = json!([{"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}]);
        for (resources, expect) in [
            (json!({"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}), None),
            (
                json!({"limits": {"cpu": "3"}, "requests": {"cpu": "1"}}),
                Some("cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"),
            ),
            (
                json!({}),
                Some("cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"),
            ),
        ] {
            assert_eq!(refusal(limits.clone(), json!([container("c", resources)])).as_deref(), expect);
        }
    }

    #[test]
    fn claims_have_a_size_between() {
        let world =
            world(json!([{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}}]));
        let kind = &crate::persistent_volume_claim::PersistentVolumeClaim;
        for (size, expect) in [
            ("2Gi", None),
            ("1Mi", Some("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi")),
            ("6Gi", Some("maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi")),
        ] {
            let claim = json!({"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": size}}}});
            let verdict = create(kind, &world, |request| LimitRanger.validate(request, &claim));
            let text =
                verdict.err().map(|status| status.message.replace("persistentvolumeclaims \"c\" is forbidden: ", ""));
            assert_eq!(text.as_deref(), expect);
        }
    }
}
