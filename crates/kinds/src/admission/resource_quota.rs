//! ResourceQuota: charges what a new object uses to the namespace's quotas, in the transaction that stores the object
//! (K:apiserver/pkg/admission/plugin/resourcequota).

use super::{Operation, Plugin, Request, Verdict, Write};
use crate::pod::requests::{Amounts, amounts};
use crate::resource_quota::usage;
use meta::object;
use meta::quantity::Quantity;
use meta::status::{GroupResource, Status};
use serde_json::{Map, Value};

/// See the file's head.
#[derive(Debug)]
pub struct ResourceQuota;

impl Plugin for ResourceQuota {
    fn name(&self) -> &'static str {
        "ResourceQuota"
    }

    fn validate(&self, request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
        let names = request.kind.names();
        let what = GroupResource { group: names.group, resource: names.plural };
        // A claim may grow and a service take more ports; what else is there has been charged.
        let is_measured_again = names.group.is_empty() && matches!(names.plural, "persistentvolumeclaims" | "services");
        let is_pods_status = names.group.is_empty() && names.plural == "pods" && request.subresource == "status";
        if let Some(old) = request.old.filter(|_| is_pods_status) {
            return Ok(give_back(request, what, old, object));
        }
        let is_charged = request.operation == Operation::Create || is_measured_again;
        if request.namespace.is_empty() || !request.subresource.is_empty() || !is_charged {
            return Ok(Verdict::pass());
        }
        let mut verdict = Verdict::pass();
        for quota in request.world.list("", "resourcequotas", request.namespace) {
            if let Some(charged) = charge(request, what, object, quota)? {
                verdict.writes.push(Write { group: "", plural: "resourcequotas", object: charged });
            }
        }
        Ok(verdict)
    }
}

/// The quota with this object charged to it; `None` when it does not count the object, or nothing more of it.
fn charge(
    request: &Request<'_>,
    what: GroupResource<'_>,
    object: &Value,
    mut quota: Value,
) -> Result<Option<Value>, Box<Status>> {
    let Some(hard) = quota["status"]["hard"].as_object().cloned() else { return Ok(None) };
    if !usage::matches(&quota, &hard, what, object) {
        return Ok(None);
    }
    let name = object::name(&quota).to_owned();
    let is_pod = what == GroupResource { group: "", resource: "pods" };
    if let Some(unsaid) = is_pod.then(|| usage::unsaid(&hard, object)).flatten() {
        return Err(request.forbidden(object, &format!("failed quota: {name}: must specify {unsaid}")));
    }
    let used = amounts(&quota["status"]["used"]);
    let mut unknown: Vec<&str> =
        hard.keys().map(String::as_str).filter(|key| usage::counts(what, key) && !used.contains_key(*key)).collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let detail = format!("status unknown for quota: {name}, resources: {}", unknown.join(","));
        return Err(request.forbidden(object, &detail));
    }
    let asked = asked(request, what, object, &quota, &hard);
    if asked.is_empty() {
        return Ok(None);
    }
    let hard = amounts(&quota["status"]["hard"]);
    let amount = |list: &Amounts, key: &str| list.get(key).copied().unwrap_or(Quantity::ZERO);
    let exceeded: Vec<&str> = asked
        .iter()
        .filter(|(key, more)| amount(&hard, key) < amount(&used, key) + **more)
        .map(|(key, _)| key.as_str())
        .collect();
    if !exceeded.is_empty() {
        let show = |list: &Amounts| -> String {
            let pairs: Vec<String> = exceeded.iter().map(|key| format!("{key}={}", amount(list, key))).collect();
            pairs.join(",")
        };
        let detail = format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            show(&asked),
            show(&used),
            show(&hard)
        );
        return Err(request.forbidden(object, &detail));
    }
    let all_used = object::map(&mut quota["status"], "used");
    for (key, more) in &asked {
        all_used.insert(key.clone(), (amount(&used, key) + *more).canonical().into());
    }
    Ok(Some(quota))
}

/// A pod that has ended uses nothing more: its room is there for whoever hears of its end. Kubernetes counts later.
fn give_back(request: &Request<'_>, what: GroupResource<'_>, old: &Value, new: &Value) -> Verdict {
    let has_ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let mut verdict = Verdict::pass();
    if has_ended(old) || !has_ended(new) {
        return verdict;
    }
    let (before, after) = (usage::of(what, old, request.now), usage::of(what, new, request.now));
    for mut quota in request.world.list("", "resourcequotas", request.namespace) {
        let Some(hard) = quota["status"]["hard"].as_object().cloned() else { continue };
        if !usage::matches(&quota, &hard, what, old) {
            continue;
        }
        let used = amounts(&quota["status"]["used"]);
        let mut has_changed = false;
        for (key, was) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
            let Some(sum) = used.get(key) else { continue };
            let left = (*sum - *was).max(Quantity::ZERO);
            object::map(&mut quota["status"], "used").insert(key.clone(), left.canonical().into());
            has_changed = true;
        }
        if has_changed {
            verdict.writes.push(Write { group: "", plural: "resourcequotas", object: quota });
        }
    }
    verdict
}

/// What the object newly uses of what the quota limits; of a changed one the growth.
fn asked(
    request: &Request<'_>,
    what: GroupResource<'_>,
    object: &Value,
    quota: &Value,
    hard: &Map<String, Value>,
) -> Amounts {
    let mut asked = usage::of(what, object, request.now);
    let was_counted = |old: &&Value| usage::matches(quota, hard, what, old);
    if let Some(old) = request.old.filter(was_counted) {
        for (key, before) in usage::of(what, old, request.now) {
            if let Some(now) = asked.get_mut(&key) {
                *now = *now - before;
            }
        }
    }
    asked.retain(|key, amount| hard.contains_key(key) && !amount.is_zero() && !amount.is_negative());
    asked
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Objects, create, update};
    use super::*;
    use serde_json::json;

    fn quota(name: &str, hard: Value, used: Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "n"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}})
    }

    fn world(quotas: &[Value]) -> Objects {
        quotas.iter().cloned().fold(Objects::default(), |world, quota| world.with("", "resourcequotas", quota))
    }

    fn pod(resources: Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": resources}]}})
    }

    /// What the quotas' used is afterwards, or why not.
    fn outcome(world: &Objects, object: &Value) -> Result<Vec<Value>, String> {
        let verdict = create(&crate::pod::Pod, world, |request| ResourceQuota.validate(request, object));
        match verdict {
            Ok(verdict) => Ok(verdict.writes.iter().map(|write| write.object["status"]["used"].clone()).collect()),
            Err(status) => Err(status.message.replace("pods \"p\" is forbidden: ", "")),
        }
    }

    #[test]
    fn what_fits_is_charged_to_every_quota_that_counts_it() {
        let world = world(&[
            quota("a", json!({"pods": "2", "requests.cpu": "1"}), json!({"pods": "1", "requests.cpu": "500m"})),
            quota("b", json!({"count/pods": "9"}), json!({"count/pods": "0"})),
            quota("c", json!({"secrets": "0"}), json!({"secrets": "0"})),
        ]);
        assert_eq!(
            outcome(&world, &pod(json!({"requests": {"cpu": "500m"}}))),
            Ok(vec![json!({"pods": "2", "requests.cpu": "1"}), json!({"count/pods": "1"})])
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_sums() {
        let full = quota("q", json!({"pods": "2"}), json!({"pods": "2"}));
        assert_eq!(
            outcome(&world(&[full]), &pod(json!({}))),
            Err("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2".into())
        );
        let full = quota(
            "q",
            json!({"limits.memory": "1Gi", "limits.cpu": "1", "pods": "9"}),
            json!({"limits.memory": "1Gi", "limits.cpu": "900m", "pods": "0"}),
        );
        assert_eq!(
            outcome(&world(&[full]), &pod(json!({"limits": {"memory": "1Mi", "cpu": "200m"}}))),
            Err("exceeded quota: q, requested: limits.cpu=200m,limits.memory=1Mi, used: limits.cpu=900m,limits.memory=1Gi, limited: limits.cpu=1,limits.memory=1Gi".into())
        );
    }

    #[test]
    fn what_says_too_little_is_refused() {
        let compute = quota(
            "q",
            json!({"limits.cpu": "1", "requests.memory": "1"}),
            json!({"limits.cpu": "0", "requests.memory": "0"}),
        );
        assert_eq!(
            outcome(&world(&[compute]), &pod(json!({}))),
            Err("failed quota: q: must specify limits.cpu for: c; requests.memory for: c".into())
        );
        let uncounted = json!({"metadata": {"name": "q", "namespace": "n"}, "status": {"hard": {"pods": "1"}}});
        assert_eq!(
            outcome(&world(&[uncounted]), &pod(json!({}))),
            Err("status unknown for quota: q, resources: pods".into())
        );
        let unseen =
            json!({"metadata": {"name": "q", "namespace": "n"}, "spec": {"hard": {"pods": "0"}}, "status": {}});
        assert_eq!(outcome(&world(&[unseen]), &pod(json!({}))), Ok(vec![]));
    }

    #[test]
    fn what_a_pod_used_is_given_back_with_its_end() {
        let world =
            world(&[quota("q", json!({"pods": "2", "count/pods": "2"}), json!({"pods": "2", "count/pods": "2"}))]);
        let at = |phase: &str| {
            let mut pod = pod(json!({}));
            pod["status"] = json!({ "phase": phase });
            pod
        };
        let written = |old: &str, new: &str| {
            let (old, new) = (at(old), at(new));
            let verdict = update(&crate::pod::Pod, &world, &old, |request| {
                ResourceQuota.validate(&Request { subresource: "status", ..*request }, &new)
            });
            verdict.unwrap().writes.first().map(|write| write.object["status"]["used"].clone())
        };
        assert_eq!(written("Running", "Succeeded"), Some(json!({"pods": "1", "count/pods": "2"})));
        assert_eq!(written("Pending", "Running"), None);
        assert_eq!(written("Failed", "Failed"), None);
    }

    #[test]
    fn a_claim_that_grows_is_charged_the_growth() {
        let claim =
            |size: &str| json!({"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": size}}}});
        let world = world(&[quota(
            "q",
            json!({"requests.storage": "5Gi", "persistentvolumeclaims": "1"}),
            json!({"requests.storage": "1Gi", "persistentvolumeclaims": "1"}),
        )]);
        let kind = &crate::persistent_volume_claim::PersistentVolumeClaim;
        let grow =
            |size: &str| update(kind, &world, &claim("1Gi"), |request| ResourceQuota.validate(request, &claim(size)));
        let writes = grow("3Gi").unwrap().writes;
        assert_eq!(
            writes[0].object["status"]["used"],
            json!({"requests.storage": "3Gi", "persistentvolumeclaims": "1"})
        );
        assert!(grow("1Gi").unwrap().writes.is_empty());
        assert_eq!(
            grow("6Gi").unwrap_err().message,
            "persistentvolumeclaims \"c\" is forbidden: exceeded quota: q, requested: requests.storage=5Gi, used: requests.storage=1Gi, limited: requests.storage=5Gi"
        );
    }
}
