use super::PersistentVolumeClaim;
use crate::kind::{Kind, Part};
use crate::testing::{cells, check_errors, check_update_errors, created, texts};
use serde_json::{Value, json};

fn claim() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "n"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
}

fn bound() -> Value {
    let mut claim = claim();
    claim["spec"]["volumeName"] = "v".into();
    claim["spec"]["storageClassName"] = "standard".into();
    claim["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]});
    claim
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), expect: &[&str]) {
    let mut claim = claim();
    change(&mut claim);
    check_errors(&PersistentVolumeClaim, &claim, expect);
}

#[track_caller]
fn check_change(old: Value, change: impl FnOnce(&mut Value), expect: &[&str]) {
    let mut new = old.clone();
    change(&mut new);
    check_update_errors(&PersistentVolumeClaim, &new, &old, expect);
}

#[test]
fn a_new_claim_is_a_pending_one_for_a_file_system() {
    let mut claim = claim();
    claim["status"] = json!({"phase": "Bound"});
    let claim = created(&PersistentVolumeClaim, &claim);
    assert_eq!(claim["spec"]["volumeMode"], "Filesystem");
    assert_eq!(claim["status"], json!({"phase": "Pending"}));
    assert!(claim["metadata"].get("generation").is_none(), "claims count no generations");
    check(|_| {}, &[]);
}

#[test]
fn every_mistake_is_named() {
    check(
        |claim| claim["spec"] = json!({}),
        &[
            "spec.accessModes: Required value: at least 1 access mode is required",
            "spec.resources[storage]: Required value",
        ],
    );
    check(
        |claim| {
            claim["spec"] = json!({"accessModes": ["ReadWriteOncePod", "ReadWriteOnce", "Odd"], "volumeMode": "Odd",
                "storageClassName": "Odd!", "resources": {"requests": {"storage": "0"}}, "selector": {"matchExpressions": [{"key": "k", "operator": "In"}]},
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "x"}});
        },
        &[
            r#"spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#,
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            r#"spec.resources[storage]: Invalid value: "0": must be greater than zero"#,
            r#"spec.storageClassName: Invalid value: "Odd!": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
            r#"spec.volumeMode: Unsupported value: "Odd": supported values: "Block", "Filesystem""#,
            "spec.dataSource: Forbidden: not supported by this version of kiln: leave it out; a new volume is empty",
        ],
    );
}

#[test]
fn the_spec_is_sealed_and_the_refusal_shows_the_change() {
    check_change(
        claim(),
        |claim| claim["spec"]["accessModes"] = json!(["ReadWriteMany"]),
        &[
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n\
           @@ -1,6 +1,6 @@\n {\n  \"AccessModes\": [\n-  \"ReadWriteOnce\"\n+  \"ReadWriteMany\"\n  ],\n  \"Selector\": null,\n  \"Resources\": {\n",
        ],
    );
    check_change(
        claim(),
        |claim| claim["spec"]["resources"]["requests"]["storage"] = "2Gi".into(),
        &[
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n\
           @@ -6,7 +6,7 @@\n  \"Resources\": {\n   \"Limits\": null,\n   \"Requests\": {\n-   \"storage\": \"1Gi\"\n+   \"storage\": \"2Gi\"\n   }\n  },\n  \"VolumeName\": \"\",\n",
        ],
    );
    check_change(claim(), |claim| claim["spec"]["volumeName"] = "v".into(), &[]);
    check_change(claim(), |claim| claim["spec"]["storageClassName"] = "late".into(), &[]);
    check_change(claim(), |claim| claim["metadata"]["labels"] = json!({"a": "b"}), &[]);
}

#[test]
fn a_bound_claim_may_grow_and_nothing_else() {
    check_change(bound(), |claim| claim["spec"]["resources"]["requests"]["storage"] = "2Gi".into(), &[]);
    check_change(
        bound(),
        |claim| claim["spec"]["resources"]["requests"]["storage"] = "1Mi".into(),
        &["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
    );
    let mut new = bound();
    new["spec"]["volumeName"] = "w".into();
    let refused = texts(&PersistentVolumeClaim.validate_update(&new, &bound(), Part::Spec));
    assert!(refused[0].contains("- \"VolumeName\": \"v\",\n+ \"VolumeName\": \"w\",\n"), "{refused:?}");
    new = bound();
    new["metadata"]["annotations"] = json!({"volume.beta.kubernetes.io/storage-class": "x"});
    assert_eq!(
        texts(&PersistentVolumeClaim.validate_update(&new, &bound(), Part::Spec)),
        ["metadata.annotations[volume.beta.kubernetes.io/storage-class]: Invalid value: \"x\": field is immutable"]
    );
}

#[test]
fn a_growth_that_failed_may_be_taken_back_but_not_below_what_is_there() {
    let mut grown = bound();
    grown["spec"]["resources"]["requests"]["storage"] = "3Gi".into();
    check_change(grown.clone(), |claim| claim["spec"]["resources"]["requests"]["storage"] = "2Gi".into(), &[]);
    check_change(
        grown,
        |claim| claim["spec"]["resources"]["requests"]["storage"] = "1Gi".into(),
        &["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
    );
}

#[test]
fn rows_show_the_volume_once_there_is_one() {
    assert_eq!(
        cells(&PersistentVolumeClaim, &created(&PersistentVolumeClaim, &claim())),
        ["c", "Pending", "", "", "", "", "<unset>", "<unknown>", "Filesystem"]
    );
    assert_eq!(
        cells(&PersistentVolumeClaim, &bound()),
        ["c", "Bound", "v", "1Gi", "RWO", "standard", "<unset>", "<unknown>", "<unset>"]
    );
    let mut doomed = bound();
    doomed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(cells(&PersistentVolumeClaim, &doomed)[1], "Terminating");
}

#[test]
fn a_class_by_annotation_is_deprecated() {
    let mut old = claim();
    old["metadata"]["annotations"] = json!({"volume.beta.kubernetes.io/storage-class": "x"});
    assert_eq!(
        PersistentVolumeClaim.warnings(&old),
        [
            "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        ]
    );
    assert_eq!(PersistentVolumeClaim.warnings(&claim()), Vec::<String>::new());
}
