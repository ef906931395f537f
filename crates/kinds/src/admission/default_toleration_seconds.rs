//! DefaultTolerationSeconds: a pod stays for five minutes on a node that is not ready or not reachable
//! (K:plugin/pkg/admission/defaulttolerationseconds).

use super::{Plugin, Request};
use meta::status::Status;
use serde_json::{Value, json};

/// See the file's head.
#[derive(Debug)]
pub struct DefaultTolerationSeconds;

const SECONDS: i64 = 300;
const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn mutate(&self, request: &Request<'_>, pod: &mut Value) -> Result<Vec<String>, Box<Status>> {
        if !request.is_about("", "pods") {
            return Ok(Vec::new());
        }
        let Some(spec) = pod.get_mut("spec").filter(|spec| spec.is_object()) else { return Ok(Vec::new()) };
        for taint in TAINTS {
            let is_tolerated = spec["tolerations"].as_array().into_iter().flatten().any(|toleration| {
                let text = |field: &str| toleration[field].as_str().unwrap_or("");
                let is_about_it = text("key") == taint || text("key").is_empty();
                is_about_it && matches!(text("effect"), "NoExecute" | "")
            });
            if is_tolerated {
                continue;
            }
            if !spec["tolerations"].is_array() {
                spec["tolerations"] = json!([]);
            }
            if let Some(tolerations) = spec["tolerations"].as_array_mut() {
                tolerations.push(
                    json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}),
                );
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Objects, create};
    use super::*;

    #[track_caller]
    fn check(tolerations: Value, expect: &[&str]) {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"tolerations": tolerations}});
        let world = Objects::default();
        create(&crate::pod::Pod, &world, |request| DefaultTolerationSeconds.mutate(request, &mut pod)).unwrap();
        let keys: Vec<&str> =
            pod["spec"]["tolerations"].as_array().unwrap().iter().filter_map(|one| one["key"].as_str()).collect();
        assert_eq!(keys, expect);
    }

    #[test]
    fn what_is_not_tolerated_is_for_five_minutes() {
        check(json!(null), &TAINTS);
        check(json!([{"key": "a", "operator": "Exists"}]), &["a", TAINTS[0], TAINTS[1]]);
        check(json!([{"operator": "Exists"}]), &[]);
        check(json!([{"key": TAINTS[1], "effect": "NoExecute", "operator": "Exists"}]), &[TAINTS[1], TAINTS[0]]);
        check(
            json!([{"key": TAINTS[1], "effect": "NoSchedule", "operator": "Exists"}]),
            &[TAINTS[1], TAINTS[0], TAINTS[1]],
        );
    }
}
