//! Claims find their volumes. Each test plays the writes on objects until nothing is left to do, and again with every
//! write cut off once: a binding that was interrupted anywhere ends the same.

use super::claims::{self, Around};
use super::local::{self, Provision, Removal};
use super::readiness::{Readiness, Wanted, check};
use super::steps::Step;
use crate::testing::now;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn claim(spec: Value) -> Value {
    let mut claim = json!({"metadata": {"name": "c", "namespace": "n", "uid": "claim-uid", "resourceVersion": "1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, "storageClassName": ""},
        "status": {"phase": "Pending"}});
    merge(&mut claim["spec"], &spec);
    claim
}

pub(super) fn volume(name: &str, storage: &str, spec: Value) -> Value {
    let mut volume = json!({"metadata": {"name": name, "uid": format!("{name}-uid"), "resourceVersion": "1"},
        "spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": storage},
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/data"}},
        "status": {"phase": "Available"}});
    merge(&mut volume["spec"], &spec);
    volume
}

fn class(name: &str, provisioner: &str, mode: &str, is_default: bool) -> Value {
    json!({"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": is_default.to_string()}},
        "provisioner": provisioner, "volumeBindingMode": mode, "reclaimPolicy": "Delete"})
}

/// What the server does with a patch, as far as these tests go.
pub(super) fn merge(object: &mut Value, patch: &Value) {
    for (key, value) in patch.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().shift_remove(key)),
            Value::Object(_) if object[key].is_object() => merge(&mut object[key], value),
            _ if key.starts_with('$') => object["finalizers"] = json!([]),
            _ => object[key] = value.clone(),
        }
    }
}

struct World {
    claim: Value,
    volumes: Vec<Value>,
    classes: Vec<Value>,
    has_consumer: bool,
    labels: BTreeMap<String, String>,
    told: Vec<String>,
}

impl World {
    fn new(claim: Value, volumes: Vec<Value>, classes: Vec<Value>) -> Self {
        let labels = [("kubernetes.io/hostname".to_owned(), "box".to_owned())].into();
        Self { claim, volumes, classes, has_consumer: false, labels, told: Vec::new() }
    }

    fn steps(&self) -> Vec<Step> {
        let volumes: Vec<&Value> = self.volumes.iter().collect();
        claims::sync(
            &self.claim,
            Around {
                volumes: &volumes,
                classes: &self.classes,
                has_consumer: self.has_consumer,
                node: Some(("box", &self.labels)),
                now: now(),
            },
        )
    }

    fn obey(&mut self, step: &Step) {
        match step {
            Step::PatchClaim(patch) | Step::ClaimStatus(patch) => merge(&mut self.claim, patch),
            Step::PatchVolume { name, patch } | Step::VolumeStatus { name, patch } => {
                let volume = self.volumes.iter_mut().find(|volume| volume["metadata"]["name"] == **name).unwrap();
                merge(volume, patch);
            }
            Step::TellClaim(told) | Step::TellVolume(told) => {
                self.told.push(format!("{}: {}", told.reason, told.message))
            }
        }
    }

    /// Obeys until nothing is left to write; one step at a time when `interrupted`.
    fn settle(&mut self, interrupted: bool) {
        for _ in 0..20 {
            let steps = self.steps();
            let writes = steps.iter().any(|step| !matches!(step, Step::TellClaim(_) | Step::TellVolume(_)));
            let n = if interrupted && writes { 1 } else { steps.len() };
            steps.iter().take(n).for_each(|step| self.obey(step));
            if !writes {
                return;
            }
        }
        panic!("never settles: {:?}", self.steps());
    }

    /// The claim's phase and volume, and what was told last.
    fn outcome(&self) -> (String, String, String) {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let told = self.told.last().cloned().unwrap_or_default();
        (text(&self.claim["status"]["phase"]), text(&self.claim["spec"]["volumeName"]), told)
    }
}

#[track_caller]
fn check_binding(make: impl Fn() -> World, expect: (&str, &str, &str)) -> World {
    let mut world = make();
    world.settle(false);
    let (phase, volume, told) = world.outcome();
    assert_eq!((phase.as_str(), volume.as_str(), told.as_str()), expect);
    let mut cut = make();
    cut.settle(true);
    assert_eq!((&cut.claim, &cut.volumes), (&world.claim, &world.volumes), "interrupted");
    world
}

#[test]
fn the_smallest_volume_that_fits_is_bound() {
    let volumes = || {
        vec![
            volume("small", "1Gi", json!({})),
            volume("large", "10Gi", json!({})),
            volume("right", "3Gi", json!({})),
            volume("of-a-class", "2Gi", json!({"storageClassName": "fast"})),
            volume("a-device", "2Gi", json!({"volumeMode": "Block"})),
            volume("read-only", "2Gi", json!({"accessModes": ["ReadOnlyMany"]})),
            volume("taken", "2Gi", json!({"claimRef": {"namespace": "n", "name": "other"}})),
        ]
    };
    let world = check_binding(|| World::new(claim(json!({})), volumes(), vec![]), ("Bound", "right", ""));
    let annotations = json!({"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"});
    assert_eq!(world.claim["metadata"]["annotations"], annotations);
    assert_eq!(
        world.claim["status"],
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": "3Gi"}})
    );
    let bound = &world.volumes[2];
    assert_eq!(bound["spec"]["claimRef"]["uid"], "claim-uid");
    assert_eq!(bound["metadata"]["annotations"], json!({"pv.kubernetes.io/bound-by-controller": "yes"}));
    assert_eq!(bound["status"], json!({"phase": "Bound", "lastPhaseTransitionTime": "2026-01-01T01:00:00Z"}));
}

#[test]
fn a_reservation_or_a_selector_decides() {
    let reserved = || {
        vec![
            volume("free", "2Gi", json!({})),
            volume("mine", "9Gi", json!({"claimRef": {"namespace": "n", "name": "c"}, "storageClassName": "any"})),
        ]
    };
    let world = check_binding(|| World::new(claim(json!({})), reserved(), vec![]), ("Bound", "mine", ""));
    assert!(world.volumes[1]["metadata"]["annotations"].is_null(), "a user reserved it");
    let selects = claim(json!({"selector": {"matchLabels": {"disk": "ssd"}}}));
    let mut labelled = volume("labelled", "9Gi", json!({}));
    labelled["metadata"]["labels"] = json!({"disk": "ssd"});
    let volumes = vec![volume("free", "2Gi", json!({})), labelled];
    check_binding(|| World::new(selects.clone(), volumes.clone(), vec![]), ("Bound", "labelled", ""));
}

#[test]
fn a_claim_that_names_its_volume_gets_it_or_hears_why_not() {
    let named = || claim(json!({"volumeName": "v"}));
    let world = check_binding(|| World::new(named(), vec![volume("v", "2Gi", json!({}))], vec![]), ("Bound", "v", ""));
    assert_eq!(world.claim["metadata"]["annotations"], json!({"pv.kubernetes.io/bind-completed": "yes"}));
    check_binding(|| World::new(named(), vec![], vec![]), ("Pending", "v", ""));
    for (spec, why) in [
        (json!({"capacity": {"storage": "1Gi"}}), "requested PV is too small"),
        (json!({"storageClassName": "fast"}), "storageClassName does not match"),
        (json!({"volumeMode": "Block"}), "incompatible volumeMode"),
        (json!({"accessModes": ["ReadOnlyMany"]}), "incompatible accessMode"),
    ] {
        let told = format!("VolumeMismatch: Cannot bind to requested volume \"v\": {why}");
        check_binding(|| World::new(named(), vec![volume("v", "2Gi", spec.clone())], vec![]), ("Pending", "v", &told));
    }
    let taken = json!({"claimRef": {"namespace": "n", "name": "c", "uid": "another"}});
    check_binding(
        || World::new(named(), vec![volume("v", "2Gi", taken.clone())], vec![]),
        ("Pending", "v", "FailedBinding: volume \"v\" already bound to a different claim."),
    );
}

#[test]
fn a_claim_without_a_volume_asks_its_class() {
    let of = |class: &str| claim(json!({ "storageClassName": class }));
    check_binding(
        || World::new(claim(json!({})), vec![], vec![]),
        ("Pending", "", "FailedBinding: no persistent volumes available for this claim and no storage class is set"),
    );
    check_binding(
        || World::new(of("x"), vec![], vec![]),
        ("Pending", "", "ProvisioningFailed: storageclass.storage.k8s.io \"x\" not found"),
    );
    check_binding(
        || World::new(of("x"), vec![], vec![class("x", "kubernetes.io/no-provisioner", "Immediate", false)]),
        ("Pending", "", "ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner"),
    );
    let world = check_binding(
        || World::new(of("x"), vec![], vec![class("x", "example.com/disk", "Immediate", false)]),
        (
            "Pending",
            "",
            "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
        ),
    );
    assert_eq!(world.claim["metadata"]["annotations"]["volume.kubernetes.io/storage-provisioner"], "example.com/disk");
}

#[test]
fn a_default_class_that_comes_late_is_taken() {
    let mut without = claim(json!({}));
    without["spec"].as_object_mut().unwrap().shift_remove("storageClassName");
    let classes = vec![class("late", "example.com/disk", "Immediate", true)];
    let mut world = World::new(without, vec![], classes);
    world.settle(false);
    assert_eq!(world.claim["spec"]["storageClassName"], "late");
}

#[test]
fn a_claim_may_wait_for_its_first_pod() {
    let of = |class: &str| claim(json!({ "storageClassName": class }));
    let classes = || vec![class("lazy", "kiln.dev/local", "WaitForFirstConsumer", false)];
    check_binding(
        || World::new(of("lazy"), vec![volume("v", "2Gi", json!({"storageClassName": "lazy"}))], classes()),
        ("Pending", "", "WaitForFirstConsumer: waiting for first consumer to be created before binding"),
    );
    let used = |node: &str| {
        let affinity = json!({"storageClassName": "lazy", "nodeAffinity": {"required": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}}});
        let mut world = World::new(of("lazy"), vec![volume("v", "2Gi", affinity)], classes());
        world.has_consumer = true;
        world
    };
    check_binding(|| used("box"), ("Bound", "v", ""));
    let mut elsewhere = used("other");
    elsewhere.settle(false);
    assert_eq!(elsewhere.claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"], "box");
    let Provision::Make(made) = local::provision(&elsewhere.claim, Some(&elsewhere.classes[0]), "box", "/volumes/x")
    else {
        panic!("{:?}", elsewhere.claim);
    };
    assert_eq!(made["metadata"]["name"], "pvc-claim-uid");
}

#[test]
fn a_claim_whose_volume_is_gone_is_lost() {
    let bound = |volume: &str| {
        let mut claim = claim(json!({"volumeName": volume}));
        claim["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
        claim["status"] = json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}});
        claim
    };
    check_binding(
        || World::new(bound("v"), vec![], vec![]),
        ("Lost", "v", "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
    );
    check_binding(
        || World::new(bound(""), vec![], vec![]),
        ("Lost", "", "ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"),
    );
    let taken = json!({"claimRef": {"namespace": "n", "name": "c", "uid": "another"}});
    check_binding(
        || World::new(bound("v"), vec![volume("v", "2Gi", taken.clone())], vec![]),
        ("Lost", "v", "ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly"),
    );
    check_binding(|| World::new(bound("v"), vec![volume("v", "2Gi", json!({}))], vec![]), ("Bound", "v", ""));
}

#[test]
fn a_local_volume_is_made_grows_and_goes() {
    let class = class("standard", "kiln.dev/local", "Immediate", true);
    let mut claim = claim(json!({"storageClassName": "standard", "accessModes": ["ReadWriteMany"]}));
    let make = |claim: &Value, class: &Value| local::provision(claim, Some(class), "box", "/volumes/pvc-claim-uid");
    assert_eq!(make(&claim, &class), Provision::Nothing, "nobody has asked yet");
    let mut world = World::new(claim.clone(), vec![], vec![class.clone()]);
    world.settle(false);
    claim = world.claim.clone();
    let Provision::Make(made) = make(&claim, &class) else { panic!("{claim}") };
    let mut volume = *made;
    let errors = {
        use crate::kind::Kind;
        crate::persistent_volume::PersistentVolume
            .validate(&crate::testing::created(&crate::persistent_volume::PersistentVolume, &volume))
    };
    assert_eq!(errors, []);
    volume["metadata"]["uid"] = "v".into();
    world.volumes.push(volume);
    world.settle(true);
    let (claim, volume) = (world.claim.clone(), world.volumes[0].clone());
    assert_eq!((&claim["status"]["phase"], &claim["spec"]["volumeName"]), (&json!("Bound"), &json!("pvc-claim-uid")));
    assert_eq!(make(&claim, &class), Provision::Nothing);
    assert_eq!(local::expansion(&claim, &volume), None);
    let mut grown = claim;
    grown["spec"]["resources"]["requests"]["storage"] = "5Gi".into();
    assert_eq!(local::expansion(&grown, &volume), Some(json!({"storage": "5Gi"})));
    assert_eq!(local::removal(&volume), Removal::Keep);
    for (phase, deleted, policy, expect) in [
        ("Bound", true, "Delete", Removal::Keep),
        ("Released", false, "Delete", Removal::Remove),
        ("Failed", true, "Delete", Removal::Remove),
        ("Available", true, "Delete", Removal::Remove),
        ("Released", false, "Retain", Removal::Keep),
        ("Released", true, "Retain", Removal::Forget),
    ] {
        let mut volume = volume.clone();
        volume["status"]["phase"] = phase.into();
        volume["spec"]["persistentVolumeReclaimPolicy"] = policy.into();
        if deleted {
            volume["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        assert_eq!(local::removal(&volume), expect, "{phase} {deleted} {policy}");
    }
}

#[test]
fn what_the_local_provisioner_cannot_make_it_refuses() {
    let asked = |spec: Value| {
        let mut claim = claim(json!({"storageClassName": "standard"}));
        merge(&mut claim["spec"], &spec);
        claim["metadata"]["annotations"] = json!({"volume.kubernetes.io/storage-provisioner": "kiln.dev/local"});
        claim
    };
    let plain = class("standard", "kiln.dev/local", "Immediate", true);
    let mut tuned = plain.clone();
    tuned["parameters"] = json!({"type": "ssd"});
    for (claim, class, expect) in [
        (asked(json!({"volumeMode": "Block"})), &plain, "kiln.dev/local does not support block volume provisioning"),
        (
            asked(json!({"selector": {}})),
            &plain,
            "failed to provision volume with StorageClass \"standard\": claim Selector is not supported",
        ),
        (
            asked(json!({})),
            &tuned,
            "failed to provision volume with StorageClass \"standard\": unknown parameter \"type\"",
        ),
    ] {
        assert_eq!(local::provision(&claim, Some(class), "box", "/x"), Provision::Refuse(expect.to_owned()));
    }
}

#[test]
fn a_claim_in_use_stays() {
    let mut doomed = claim(json!({}));
    doomed["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    assert_eq!(claims::release(&doomed, false), None);
    doomed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(claims::release(&doomed, true), None);
    let patch = json!({"metadata": {"uid": "claim-uid", "$deleteFromPrimitiveList/finalizers": ["kubernetes.io/pvc-protection"]}});
    assert_eq!(claims::release(&doomed, false), Some(Step::PatchClaim(patch)));
}

#[test]
fn pods_wait_for_their_claims() {
    let lazy = [class("lazy", "kiln.dev/local", "WaitForFirstConsumer", false)];
    let labels: BTreeMap<String, String> = [("kubernetes.io/hostname".to_owned(), "box".to_owned())].into();
    let bound = |change: &dyn Fn(&mut Value)| {
        let mut claim = claim(json!({"volumeName": "v"}));
        claim["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
        claim["status"]["phase"] = "Bound".into();
        change(&mut claim);
        claim
    };
    let elsewhere = volume(
        "v",
        "2Gi",
        json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["other"]}]}]}}}),
    );
    let plain = Wanted { name: "c", made_for: None, claim: None, volume: None, is_used: false };
    let refused = |text: &str| Readiness::Unschedulable(text.to_owned());
    let exclusive = bound(&|claim| claim["spec"]["accessModes"] = json!(["ReadWriteOncePod"]));
    let doomed = bound(&|claim| claim["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into());
    let lost = bound(&|claim| claim["status"]["phase"] = "Lost".into());
    let (ready, pending, waits) = (bound(&|_| {}), claim(json!({})), claim(json!({"storageClassName": "lazy"})));
    for (wanted, expect) in [
        (plain, refused("persistentvolumeclaim \"c\" not found")),
        (
            Wanted { made_for: Some("p"), ..plain },
            refused("waiting for ephemeral volume controller to create the persistentvolumeclaim \"c\""),
        ),
        (
            Wanted { made_for: Some("p"), claim: Some(&ready), ..plain },
            refused("PVC \"c\" was not created for the pod (pod is not owner)"),
        ),
        (Wanted { claim: Some(&pending), ..plain }, refused("pod has unbound immediate PersistentVolumeClaims")),
        (Wanted { claim: Some(&doomed), ..plain }, refused("persistentvolumeclaim \"c\" is being deleted")),
        (
            Wanted { claim: Some(&lost), ..plain },
            refused("persistentvolumeclaim \"c\" bound to non-existent persistentvolume \"v\""),
        ),
        (Wanted { claim: Some(&waits), ..plain }, Readiness::Waiting),
        (
            Wanted { claim: Some(&ready), volume: Some(&elsewhere), ..plain },
            Readiness::Misfit("node(s) didn't match PersistentVolume's node affinity"),
        ),
        (Wanted { claim: Some(&ready), is_used: true, ..plain }, Readiness::Ready),
        (
            Wanted { claim: Some(&exclusive), is_used: true, ..plain },
            Readiness::InUse(
                "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
            ),
        ),
        (Wanted { claim: Some(&exclusive), ..plain }, Readiness::Ready),
    ] {
        assert_eq!(check(&[wanted], &lazy, &labels), expect);
    }
}
