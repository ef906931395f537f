//! What may change in a pod (K:pkg/apis/core/validation, ValidatePodUpdate).

use super::validation;
use crate::at::{At, is_same};
use crate::diff;
use crate::kind::Part;
use meta::field::FieldError;
use serde_json::{Map, Value};
use std::collections::HashSet;

const REFUSAL: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Every mistake in changing `old` into `pod`.
pub(super) fn validate_update(pod: &Value, old: &Value, part: Part) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (root, old_root) = (At::root(pod), At::root(old));
    let annotations = |root: &At<'_>| root.value["metadata"]["annotations"].clone();
    if annotations(&root) != annotations(&old_root) {
        let [new, old] = [&root, &old_root].map(|root| root.fields(&["metadata", "annotations"]));
        validation::check_changed_annotations(&new, &old, &root.field("spec"), &mut errors);
    }
    match part {
        Part::Status => {
            check_phase(pod, old, &mut errors);
            validation::check_status(pod, old, &mut errors);
        }
        Part::Spec => check_spec(&root.field("spec"), &old["spec"], &mut errors),
    }
    errors
}

fn check_spec(spec: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    for list in ["containers", "initContainers"].map(|list| spec.field(list)) {
        let n_old = old[list.path.trim_start_matches("spec.")].as_array().map_or(0, Vec::len);
        if list.len() != n_old {
            errors.push(list.forbidden("pod updates may not add or remove containers"));
            return;
        }
    }
    if !check_deadline(&spec.field("activeDeadlineSeconds"), &old["activeDeadlineSeconds"], errors) {
        return;
    }
    check_tolerations(&spec.field("tolerations"), &old["tolerations"], errors);
    check_gates(&spec.field("schedulingGates"), &old["schedulingGates"], errors);
    if is_same(spec.value, old) {
        return;
    }
    let mut allowed = old.clone();
    take_over(&mut allowed, spec.value);
    let is_gated = old["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
    if is_gated {
        take_over_placement(&mut allowed, spec, old, errors);
    }
    if !is_same(spec.value, &allowed) {
        let changes = diff::unified(&as_go_shows_it(&allowed), &as_go_shows_it(spec.value));
        errors.push(spec.forbidden(&format!("{REFUSAL}\n{changes}")));
    }
}

/// With the names of Go's internal type, which is what Kubernetes shows. What is not there is left out, where Go shows
/// every field, so the lines around a change are fewer.
fn as_go_shows_it(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut shown: Map<String, Value> =
                fields.iter().map(|(field, value)| (go_name(field), as_go_shows_it(value))).collect();
            shown.retain(|_, value| !value.is_null());
            shown.sort_keys();
            Value::Object(shown)
        }
        Value::Array(items) => items.iter().map(as_go_shows_it).collect(),
        other => other.clone(),
    }
}

/// `nodeName` is `NodeName`. Keys of maps (`kubernetes.io/os`) keep their case.
fn go_name(field: &str) -> String {
    if !field.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return field.to_owned();
    }
    let mut letters = field.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// A pod that has ended does not come back. Kubernetes leaves this to the kubelet; here it is the server's promise.
fn check_phase(pod: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let phase = At::root(pod).fields(&["status", "phase"]);
    let old_phase = old["status"]["phase"].as_str().unwrap_or("");
    let had_ended = matches!(old_phase, "Succeeded" | "Failed");
    if had_ended && phase.text() != old_phase {
        let detail = format!("pod phase may not change once it is {old_phase}");
        errors.push(phase.invalid(&detail));
    }
}

/// A deadline may be set and shortened. Whether the rest is worth looking at.
fn check_deadline(deadline: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) -> bool {
    const MOST: i64 = i32::MAX as i64;
    match (deadline.int(), old.as_i64()) {
        (Some(seconds), _) if !(0..=MOST).contains(&seconds) => {
            errors.push(deadline.invalid(&format!("must be between 0 and {MOST}, inclusive")));
            return false;
        }
        (Some(seconds), Some(old)) if old < seconds => {
            errors.push(deadline.invalid("must be less than or equal to previous value"));
            return false;
        }
        (None, Some(_)) => errors.push(deadline.invalid("must not update from a positive integer to nil value")),
        _ => {}
    }
    true
}

fn check_tolerations(tolerations: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    // By hash: thousands of them compared with each other would hold up the machine.
    let new: HashSet<[&str; 4]> = tolerations.items().map(|toleration| timeless(toleration.value)).collect();
    let is_kept = |old: &Value| new.contains(&timeless(old));
    if old.as_array().into_iter().flatten().all(is_kept) {
        return validation::check_tolerations(tolerations, errors);
    }
    errors.push(tolerations.forbidden("existing toleration can not be modified except its tolerationSeconds"));
}

/// A toleration without its seconds.
fn timeless(toleration: &Value) -> [&str; 4] {
    ["key", "operator", "value", "effect"].map(|field| toleration[field].as_str().unwrap_or(""))
}

/// Gates open, one after the other; none is put up later.
fn check_gates(gates: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    for name in gates.items().map(|gate| gate.field("name")) {
        let had = old.as_array().into_iter().flatten().any(|gate| gate["name"] == *name.value);
        if !had {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", name.text());
            errors.push(name.forbidden(&detail));
        }
    }
}

/// Takes over from `new` whatever may change.
fn take_over(spec: &mut Value, new: &Value) {
    let Value::Object(fields) = spec else { return };
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        fields.insert(field.to_owned(), new[field].clone());
    }
    let was_negative = fields.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s < 0);
    if was_negative && new["terminationGracePeriodSeconds"] == 1 {
        fields.insert("terminationGracePeriodSeconds".to_owned(), 1.into());
    }
    for list in ["containers", "initContainers"] {
        let new = new[list].as_array().map_or(&[][..], Vec::as_slice);
        let Some(Value::Array(containers)) = fields.get_mut(list) else { continue };
        for (container, new) in containers.iter_mut().zip(new) {
            if let Value::Object(container) = container {
                container.insert("image".to_owned(), new["image"].clone());
            }
        }
    }
}

/// A gated pod may be asked to run on fewer nodes, not on others.
fn take_over_placement(allowed: &mut Value, spec: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    let Value::Object(fields) = allowed else { return };
    let selector = spec.field("nodeSelector");
    let mut kept = old["nodeSelector"].as_object().into_iter().flatten();
    if !kept.all(|(key, value)| selector.value.get(key) == Some(value)) {
        errors.push(selector.invalid("only additions to spec.nodeSelector are allowed (no mutations or deletions)"));
    }
    fields.insert("nodeSelector".to_owned(), selector.value.clone());
    check_node_affinity(&spec.fields(&["affinity", "nodeAffinity"]), &old["affinity"]["nodeAffinity"], errors);
    let affinity = &spec.value["affinity"];
    let others = |affinity: &Value| [affinity["podAffinity"].clone(), affinity["podAntiAffinity"].clone()];
    if others(affinity) == others(&old["affinity"]) {
        fields.insert("affinity".to_owned(), affinity.clone());
    }
}

fn check_node_affinity(affinity: &At<'_>, old: &Value, errors: &mut Vec<FieldError>) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let old_terms = old[REQUIRED]["nodeSelectorTerms"].as_array().map_or(&[][..], Vec::as_slice);
    let terms = affinity.fields(&[REQUIRED, "nodeSelectorTerms"]);
    if old_terms.is_empty() {
        return;
    }
    if terms.len() != old_terms.len() {
        errors.push(terms.invalid("no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
        return;
    }
    for (term, old) in terms.items().zip(old_terms) {
        let begins_alike = ["matchExpressions", "matchFields"].into_iter().all(|list| {
            let (new, old) = (&term.value[list], &old[list]);
            let mut pairs = old.as_array().into_iter().flatten().enumerate();
            pairs.all(|(index, old)| new.get(index).is_some_and(|new| is_same(new, old)))
        });
        if !begins_alike {
            errors.push(term.invalid("only additions are allowed (no mutations or deletions)"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": spec})
    }

    #[track_caller]
    fn check(old: Value, new: Value, expect: &[&str]) {
        assert_eq!(texts(&validate_update(&pod(new), &pod(old), Part::Spec)), expect);
    }

    #[track_caller]
    fn check_refused(old: Value, new: Value, difference: &str) {
        check(old, new, &[&format!("spec: Forbidden: {REFUSAL}\n{difference}")]);
    }

    #[test]
    fn tens_of_thousands_of_tolerations_are_not_compared_with_each_other() {
        let tolerations = |numbers: &mut dyn Iterator<Item = usize>| -> Value {
            numbers.map(|n| json!({"key": format!("k{n}"), "operator": "Exists"})).collect()
        };
        let old = json!({"tolerations": tolerations(&mut (0..30_000))});
        check(old, json!({"tolerations": tolerations(&mut (0..30_000).rev())}), &[]);
    }

    #[test]
    fn images_deadlines_and_more_tolerations_may_change() {
        check(
            json!({"containers": [{"name": "c", "image": "a"}], "activeDeadlineSeconds": 9, "tolerations": [{"key": "a"}]}),
            json!({"containers": [{"name": "c", "image": "b"}], "activeDeadlineSeconds": 5, "tolerations": [{"key": "a"}, {"key": "b"}]}),
            &[],
        );
        check(json!({"terminationGracePeriodSeconds": -1}), json!({"terminationGracePeriodSeconds": 1}), &[]);
    }

    #[test]
    fn nothing_else_may() {
        check_refused(
            json!({"nodeName": "a"}),
            json!({"nodeName": "b"}),
            "@@ -1,3 +1,3 @@\n {\n- \"NodeName\": \"a\"\n+ \"NodeName\": \"b\"\n }\n",
        );
        check_refused(
            json!({"containers": [{"name": "c"}], "activeDeadlineSeconds": 9}),
            json!({"containers": [{"name": "d"}], "activeDeadlineSeconds": 5}),
            "@@ -2,7 +2,7 @@\n  \"ActiveDeadlineSeconds\": 5,\n  \"Containers\": [\n   {\n-   \"Name\": \"c\"\n+   \"Name\": \"d\"\n   }\n  ]\n }\n",
        );
        check_refused(
            json!({"terminationGracePeriodSeconds": 3}),
            json!({"terminationGracePeriodSeconds": 1}),
            "@@ -1,3 +1,3 @@\n {\n- \"TerminationGracePeriodSeconds\": 3\n+ \"TerminationGracePeriodSeconds\": 1\n }\n",
        );
        check_refused(
            json!({"nodeSelector": {"a/b": "c"}}),
            json!({"nodeSelector": {"a/b": "c", "a/d": "e"}}),
            "@@ -1,5 +1,6 @@\n {\n  \"NodeSelector\": {\n-  \"a/b\": \"c\"\n+  \"a/b\": \"c\",\n+  \"a/d\": \"e\"\n  }\n }\n",
        );
        check(
            json!({"containers": [{"name": "c"}]}),
            json!({"containers": [{"name": "c"}, {"name": "d"}]}),
            &["spec.containers: Forbidden: pod updates may not add or remove containers"],
        );
    }

    #[test]
    fn gates_only_open_and_a_gated_pod_may_be_placed_more_narrowly() {
        let gated = |rest: Value| {
            let mut spec = json!({"schedulingGates": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"k": "v"}});
            meta::object::as_map(&mut spec).extend(rest.as_object().unwrap().clone());
            spec
        };
        let affinity = |expressions: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}})
        };
        let one = json!({"key": "a", "operator": "Exists"});
        let other = json!({"key": "b", "operator": "Exists"});
        check(gated(json!({})), gated(json!({"schedulingGates": [{"name": "b"}]})), &[]);
        check(
            gated(json!({})),
            gated(json!({"schedulingGates": [{"name": "a"}, {"name": "c"}]})),
            &["spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'c'"],
        );
        check(gated(json!({})), gated(json!({"nodeSelector": {"k": "v", "l": "w"}})), &[]);
        check(
            gated(json!({})),
            gated(json!({"nodeSelector": {"k": "w"}})),
            &[
                "spec.nodeSelector: Invalid value: {\"k\":\"w\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            ],
        );
        check(gated(json!({})), gated(affinity(json!([one]))), &[]);
        check(gated(affinity(json!([one]))), gated(affinity(json!([one, other]))), &[]);
        let path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
        check(
            gated(affinity(json!([one]))),
            gated(affinity(json!([other]))),
            &[&format!(
                "{path}[0]: Invalid value: {{\"matchExpressions\":[{{\"key\":\"b\",\"operator\":\"Exists\"}}]}}: only additions are allowed (no mutations or deletions)"
            )],
        );
    }

    #[test]
    fn some_annotations_stay() {
        let with = |annotations: Value| json!({"metadata": {"name": "p", "annotations": annotations}, "spec": {"nodeName": "n", "containers": [{"name": "c"}]}});
        let armor = "container.apparmor.security.beta.kubernetes.io/c";
        let errors = validate_update(&with(json!({(armor): "unconfined"})), &with(json!({})), Part::Spec);
        assert_eq!(
            texts(&errors),
            [format!("metadata.annotations[{armor}]: Forbidden: may not add AppArmor annotations")]
        );
        let mirror = "kubernetes.io/config.mirror";
        let errors = validate_update(&with(json!({"a": "b"})), &with(json!({(mirror): "x"})), Part::Status);
        assert_eq!(
            texts(&errors),
            [format!("metadata.annotations[{mirror}]: Forbidden: may not remove or update mirror pod annotation")]
        );
    }

    #[test]
    fn a_status_goes_on_as_it_may() {
        let at =
            |status: Value| json!({"metadata": {"name": "p"}, "spec": {"restartPolicy": "Never"}, "status": status});
        let check = |old: Value, new: Value, expect: &[&str]| {
            assert_eq!(texts(&validate_update(&at(new), &at(old), Part::Status)), expect);
        };
        let ended = json!({"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]});
        check(json!({}), ended.clone(), &[]);
        check(
            ended,
            json!({"containerStatuses": [{"name": "c", "state": {"running": {}}}]}),
            &["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"],
        );
        check(
            json!({"qosClass": "Burstable"}),
            json!({"qosClass": "Guaranteed"}),
            &["status.qosClass: Invalid value: \"Guaranteed\": field is immutable"],
        );
        check(
            json!({}),
            json!({"podIPs": [{"ip": "x"}, {"ip": "10.0.0.1"}], "hostIP": "1.1.1.1", "hostIPs": [{"ip": "1.1.1.2"}]}),
            &[
                "status.podIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
                "status.podIPs: Invalid value: [{\"ip\":\"x\"},{\"ip\":\"10.0.0.1\"}]: may specify no more than one IP for each IP family",
                "status.hostIPs[0].ip: Invalid value: \"1.1.1.2\": must be equal to `hostIP`",
            ],
        );
        check(json!({}), json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}), &[]);
    }

    #[test]
    fn deadlines_only_shrink_and_tolerations_only_grow() {
        check(
            json!({"activeDeadlineSeconds": 5, "tolerations": [{"key": "a"}]}),
            json!({"activeDeadlineSeconds": 6, "tolerations": []}),
            &["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
        );
        check(
            json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}]}),
            json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}]}),
            &[],
        );
        check(
            json!({"tolerations": [{"key": "a"}]}),
            json!({}),
            &["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
        );
        check(
            json!({"activeDeadlineSeconds": 5}),
            json!({}),
            &[
                "spec.activeDeadlineSeconds: Invalid value: \"null\": must not update from a positive integer to nil value",
            ],
        );
    }

    #[test]
    fn a_pod_that_has_ended_does_not_come_back() {
        let at = |phase: &str| json!({"metadata": {"name": "p"}, "status": {"phase": phase}});
        let errors = validate_update(&at("Running"), &at("Failed"), Part::Status);
        assert_eq!(
            texts(&errors),
            ["status.phase: Invalid value: \"Running\": pod phase may not change once it is Failed"]
        );
        assert!(validate_update(&at("Succeeded"), &at("Running"), Part::Status).is_empty());
    }
}
