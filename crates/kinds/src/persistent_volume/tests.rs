use super::PersistentVolume;
use crate::kind::Kind;
use crate::testing::{cells, check_errors, check_update_errors, created};
use serde_json::{Value, json};

fn volume() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}})
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), expect: &[&str]) {
    let mut volume = volume();
    change(&mut volume);
    check_errors(&PersistentVolume, &volume, expect);
}

#[test]
fn a_new_volume_is_pending_and_kept_when_its_claim_goes() {
    let volume = created(&PersistentVolume, &volume());
    assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert_eq!(volume["spec"]["volumeMode"], "Filesystem");
    assert_eq!(volume["spec"]["hostPath"], json!({"path": "/data", "type": ""}));
    assert_eq!(volume["status"], json!({"phase": "Pending", "lastPhaseTransitionTime": "2026-01-01T00:00:00Z"}));
    check(|_| {}, &[]);
}

#[test]
fn every_mistake_is_named() {
    check(
        |volume| volume["spec"] = json!({}),
        &[
            "spec.accessModes: Required value",
            "spec.capacity: Required value",
            "spec.capacity: Unsupported value: null: supported values: \"storage\"",
            "spec: Required value: must specify a volume type",
        ],
    );
    check(
        |volume| {
            volume["spec"] = json!({"accessModes": ["Odd"], "capacity": {"storage": "-1"}, "persistentVolumeReclaimPolicy": "Odd",
            "hostPath": {"path": "/a/../b", "type": "Odd"}, "local": {"path": ""}, "nfs": {"server": "s", "path": "/"}, "mountOptions": ["x"]});
        },
        &[
            r#"spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#,
            r#"spec.capacity[storage]: Invalid value: "-1": must be greater than zero"#,
            r#"spec.persistentVolumeReclaimPolicy: Unsupported value: "Odd": supported values: "Delete", "Recycle", "Retain""#,
            "spec.nfs: Forbidden: may not specify more than 1 volume type",
            "spec.local: Forbidden: may not specify more than 1 volume type",
            "spec.nfs: Forbidden: not supported by this version of kiln: use hostPath or local",
            r#"spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'"#,
            r#"spec.hostPath.type: Unsupported value: "Odd": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket""#,
            "spec.local.path: Required value",
            "spec.nodeAffinity: Required value: Local volume requires node affinity",
            "spec.mountOptions: Forbidden: not supported by this version of kiln: leave it out",
        ],
    );
    check(
        |volume| {
            volume["spec"]["persistentVolumeReclaimPolicy"] = "Recycle".into();
            volume["spec"]["hostPath"]["path"] = "/".into();
            volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "In"}, {"key": "k", "operator": "Odd"}]}]}});
        },
        &[
            "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[1].operator: Invalid value: \"Odd\": not a valid selector operator",
            "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
        ],
    );
}

#[test]
fn the_source_stays_and_the_rest_may_change() {
    let old = created(&PersistentVolume, &volume());
    let mut new = old.clone();
    new["spec"]["persistentVolumeReclaimPolicy"] = "Delete".into();
    new["spec"]["capacity"]["storage"] = "2Gi".into();
    new["spec"]["claimRef"] = json!({"namespace": "n", "name": "c"});
    check_update_errors(&PersistentVolume, &new, &old, &[]);
    new["spec"]["hostPath"]["path"] = "/other".into();
    new["spec"]["volumeMode"] = "Block".into();
    check_update_errors(
        &PersistentVolume,
        &new,
        &old,
        &[
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n\
             @@ -2,7 +2,7 @@\n  \"GCEPersistentDisk\": null,\n  \"AWSElasticBlockStore\": null,\n  \"HostPath\": {\n-  \"Path\": \"/data\",\n+  \"Path\": \"/other\",\n   \"Type\": \"\"\n  },\n  \"Glusterfs\": null,\n",
            "volumeMode: Invalid value: \"Block\": field is immutable",
        ],
    );
}

#[test]
fn rows_show_the_claim() {
    let mut volume = created(&PersistentVolume, &volume());
    volume["spec"]["claimRef"] = json!({"namespace": "n", "name": "c"});
    volume["spec"]["storageClassName"] = "standard".into();
    volume["status"] = json!({"phase": "Failed", "reason": "Why"});
    assert_eq!(
        cells(&PersistentVolume, &volume),
        ["v", "1Gi", "RWO,RWX", "Retain", "Failed", "n/c", "standard", "<unset>", "Why", "60m", "Filesystem"]
    );
}

#[test]
fn recycling_is_deprecated() {
    let mut volume = volume();
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Recycle".into();
    assert_eq!(
        PersistentVolume.warnings(&volume),
        [
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
        ]
    );
}
