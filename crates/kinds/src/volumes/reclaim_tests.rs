use super::claims_tests::{claim, volume};
use super::reclaim::{Decision, sync};
use super::steps::Step;
use crate::testing::now;
use serde_json::{Value, json};

fn held(spec: Value, phase: &str) -> Value {
    let mut volume = volume("v", "2Gi", json!({"claimRef": {"namespace": "n", "name": "c", "uid": "claim-uid"}}));
    super::claims_tests::merge(&mut volume["spec"], &spec);
    volume["status"]["phase"] = phase.into();
    volume
}

fn bound_to(name: &str) -> Value {
    claim(json!({ "volumeName": name }))
}

/// What is written, in words: phases, patches by what they touch, events.
fn words(decision: Decision) -> Vec<String> {
    let (mut words, steps) = match decision {
        Decision::Write(steps) => (vec![], steps),
        Decision::WriteIfClaimIsGone(steps) => (vec!["if the claim is gone".to_owned()], steps),
        Decision::LookAtClaim => return vec!["look at the claim".to_owned()],
    };
    words.extend(steps.iter().map(|step| match step {
        Step::VolumeStatus { patch, .. } => patch["status"]["phase"].as_str().unwrap().to_owned(),
        Step::PatchVolume { patch, .. } => patch["spec"].to_string(),
        Step::TellVolume(told) => format!("on the volume: {}: {}", told.reason, told.message),
        Step::TellClaim(told) => format!("on the claim: {}: {}", told.reason, told.message),
        Step::PatchClaim(_) | Step::ClaimStatus(_) => "the claim".to_owned(),
    }));
    words
}

#[track_caller]
fn check(volume: Value, claim: Option<Value>, expect: &[&str]) {
    assert_eq!(words(sync(&volume, claim.as_ref(), now())), expect);
}

#[test]
fn volumes_without_a_claim_are_available() {
    let mut new = volume("v", "2Gi", json!({}));
    new["status"]["phase"] = "Pending".into();
    check(new.clone(), None, &["Available"]);
    new["spec"]["claimRef"] = json!({"namespace": "n", "name": "c"});
    check(new.clone(), None, &["Available"]);
    new["status"]["phase"] = "Available".into();
    check(new, None, &[]);
}

#[test]
fn volumes_of_a_claim_are_bound_or_wait_for_the_binder() {
    check(held(json!({}), "Available"), Some(bound_to("v")), &["Bound"]);
    check(held(json!({}), "Bound"), Some(bound_to("v")), &[]);
    check(held(json!({}), "Bound"), Some(bound_to("")), &["look at the claim"]);
    check(
        held(json!({"volumeMode": "Block"}), "Bound"),
        Some(bound_to("")),
        &[
            "on the volume: VolumeMismatch: Cannot bind PersistentVolume to requested PersistentVolumeClaim \"c\" due to incompatible volumeMode.",
            "on the claim: VolumeMismatch: Cannot bind PersistentVolume \"v\" to requested PersistentVolumeClaim due to incompatible volumeMode.",
        ],
    );
}

#[test]
fn when_the_claim_is_gone_the_policy_counts() {
    let sure = "if the claim is gone";
    let mut another = bound_to("v");
    another["metadata"]["uid"] = "another".into();
    check(held(json!({}), "Bound"), None, &[sure, "Released"]);
    check(held(json!({}), "Bound"), Some(another), &[sure, "Released"]);
    check(held(json!({}), "Released"), None, &[sure]);
    check(
        held(json!({"persistentVolumeReclaimPolicy": "Delete"}), "Released"),
        None,
        &[
            sure,
            "Failed",
            "on the volume: VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched",
        ],
    );
    check(held(json!({"persistentVolumeReclaimPolicy": "Delete"}), "Failed"), None, &[sure]);
    check(
        held(json!({"persistentVolumeReclaimPolicy": "Recycle"}), "Released"),
        None,
        &[sure, "Failed", "on the volume: VolumeFailedRecycle: No recycler plugin found for the volume!"],
    );
    let mut made = held(json!({"persistentVolumeReclaimPolicy": "Delete"}), "Released");
    made["metadata"]["annotations"] = json!({"pv.kubernetes.io/provisioned-by": "kiln.dev/local"});
    check(made, None, &[sure]);
}

#[test]
fn a_volume_whose_claim_took_another_is_given_back() {
    let mut ours = held(json!({}), "Bound");
    ours["metadata"]["annotations"] = json!({"pv.kubernetes.io/bound-by-controller": "yes"});
    check(ours, Some(bound_to("w")), &["{\"claimRef\":null}", "Available"]);
    check(held(json!({}), "Bound"), Some(bound_to("w")), &["{\"claimRef\":{\"uid\":null}}", "Available"]);
    let mut made = held(json!({"persistentVolumeReclaimPolicy": "Delete"}), "Bound");
    made["metadata"]["annotations"] = json!({"pv.kubernetes.io/provisioned-by": "kiln.dev/local"});
    check(made, Some(bound_to("w")), &["Released"]);
}

#[test]
fn a_volume_that_is_being_deleted_goes_once_it_is_not_bound() {
    let mut doomed = held(json!({}), "Bound");
    doomed["metadata"]["finalizers"] = json!(["kubernetes.io/pv-protection"]);
    doomed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    check(doomed.clone(), Some(bound_to("v")), &[]);
    doomed["status"]["phase"] = "Released".into();
    check(doomed, None, &["null"]);
}
