//! Priority: writes the number behind a pod's class into the pod, and keeps it to one default class
//! (K:plugin/pkg/admission/priority).

use super::{Operation, Plugin, Request, Verdict};
use crate::at::set_default;
use meta::object;
use meta::status::Status;
use serde_json::Value;

/// See the file's head.
#[derive(Debug)]
pub struct Priority;

const GROUP: &str = "scheduling.k8s.io";
const CLASSES: &str = "priorityclasses";

impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn mutate(&self, request: &Request<'_>, object: &mut Value) -> Result<Vec<String>, Box<Status>> {
        if !request.is_about("", "pods") {
            return Ok(Vec::new());
        }
        match (request.operation, request.old) {
            (Operation::Update, Some(old)) => keep(object, old),
            _ => set(request, object)?,
        }
        Ok(Vec::new())
    }

    fn validate(&self, request: &Request<'_>, class: &Value) -> Result<Verdict, Box<Status>> {
        if request.is_about(GROUP, CLASSES)
            && class["globalDefault"] == true
            && let Some(other) = default_class(request)
            && object::name(&other) != object::name(class)
        {
            let name = object::name(&other);
            let detail = format!("PriorityClass {name} is already marked as default. Only one default can exist");
            return Err(request.forbidden(class, &detail));
        }
        Ok(Verdict::pass())
    }
}

/// Clients that write a pod back without what was filled in do not take it away.
fn keep(pod: &mut Value, old: &Value) {
    for field in ["priority", "preemptionPolicy"] {
        let value = &old["spec"][field];
        if !value.is_null()
            && let Some(spec) = pod.get_mut("spec")
        {
            set_default(spec, field, value.clone());
        }
    }
}

fn set(request: &Request<'_>, pod: &mut Value) -> Result<(), Box<Status>> {
    let name = pod["spec"]["priorityClassName"].as_str().unwrap_or("").to_owned();
    let class = match name.as_str() {
        "" => default_class(request),
        name => {
            let found = request.world.get(GROUP, CLASSES, "", name);
            let missing = || request.forbidden(pod, &format!("no PriorityClass with name {name} was found"));
            Some(found.ok_or_else(missing)?)
        }
    };
    let priority = class.as_ref().and_then(|class| class["value"].as_i64()).unwrap_or(0);
    let policy = match &class {
        Some(class) => class["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority"),
        None => "PreemptLowerPriority",
    };
    if let Some(given) = pod["spec"]["priority"].as_i64().filter(|given| *given != priority) {
        let detail = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(request.forbidden(pod, &detail));
    }
    if let Some(given) = pod["spec"]["preemptionPolicy"].as_str().filter(|given| *given != policy) {
        let detail = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(request.forbidden(pod, &detail));
    }
    let spec = object::map(pod, "spec");
    if let Some(class) = &class {
        spec.insert("priorityClassName".into(), object::name(class).into());
    }
    spec.insert("priority".into(), priority.into());
    spec.insert("preemptionPolicy".into(), policy.into());
    Ok(())
}

/// The class of pods that name none. Should two claim it, the lower one counts.
fn default_class(request: &Request<'_>) -> Option<Value> {
    let classes = request.world.list(GROUP, CLASSES, "");
    let defaults = classes.into_iter().filter(|class| class["globalDefault"] == true);
    defaults.min_by_key(|class| class["value"].as_i64().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Objects, create, update};
    use super::*;
    use serde_json::json;

    fn class(name: &str, rest: Value) -> Value {
        let mut class = json!({"metadata": {"name": name}, "value": 1000});
        object::as_map(&mut class).extend(rest.as_object().unwrap().clone());
        class
    }

    fn world() -> Objects {
        Objects::default()
            .with(GROUP, CLASSES, class("high", json!({"preemptionPolicy": "PreemptLowerPriority"})))
            .with(GROUP, CLASSES, class("polite", json!({"value": 7, "preemptionPolicy": "Never"})))
    }

    fn pod(spec: Value) -> Value {
        json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})
    }

    #[track_caller]
    fn check(world: &Objects, spec: Value, expect: Result<Value, &str>) {
        let mut object = pod(spec);
        let result = create(&crate::pod::Pod, world, |request| Priority.mutate(request, &mut object));
        match expect {
            Ok(expect) => {
                result.unwrap();
                assert_eq!(object["spec"], expect);
            }
            Err(expect) => assert_eq!(result.unwrap_err().message, expect),
        }
    }

    #[test]
    fn the_class_decides_number_and_policy() {
        check(&world(), json!({}), Ok(json!({"priority": 0, "preemptionPolicy": "PreemptLowerPriority"})));
        check(
            &world(),
            json!({"priorityClassName": "polite"}),
            Ok(json!({"priorityClassName": "polite", "priority": 7, "preemptionPolicy": "Never"})),
        );
        check(
            &world(),
            json!({"priorityClassName": "none"}),
            Err("pods \"p\" is forbidden: no PriorityClass with name none was found"),
        );
        check(
            &world(),
            json!({"priorityClassName": "high", "priority": 5}),
            Err(
                "pods \"p\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name",
            ),
        );
        check(
            &world(),
            json!({"priorityClassName": "high", "preemptionPolicy": "Never"}),
            Err(
                "pods \"p\" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
            ),
        );
    }

    #[test]
    fn a_default_class_is_everybodys_and_there_is_one() {
        let world = world().with(GROUP, CLASSES, class("usual", json!({"value": 3, "globalDefault": true})));
        check(
            &world,
            json!({}),
            Ok(json!({"priorityClassName": "usual", "priority": 3, "preemptionPolicy": "PreemptLowerPriority"})),
        );
        let second = class("other", json!({"globalDefault": true}));
        let kind = &crate::priority_class::PriorityClass;
        let refused = create(kind, &world, |request| Priority.validate(request, &second)).unwrap_err();
        assert_eq!(
            refused.message,
            "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist"
        );
        let same = class("usual", json!({"globalDefault": true}));
        assert!(create(kind, &world, |request| Priority.validate(request, &same)).is_ok());
    }

    #[test]
    fn an_update_keeps_what_was_filled_in() {
        let old = pod(json!({"priority": 7, "preemptionPolicy": "Never"}));
        let mut new = pod(json!({}));
        update(&crate::pod::Pod, &world(), &old, |request| Priority.mutate(request, &mut new)).unwrap();
        assert_eq!(new["spec"], old["spec"]);
    }
}
