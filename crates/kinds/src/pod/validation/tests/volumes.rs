//! Volumes of every kind, and where they are mounted.

use super::{check_container_rules, check_rules};
use serde_json::{Value, json};

const V: &str = "spec.volumes[0]";

/// A pod with one volume of this source.
#[track_caller]
fn check(source: Value, expect: &[&str]) {
    let mut volume = json!({"name": "v"});
    volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    check_rules(json!({"serviceAccountName": "me", "volumes": [volume]}), expect);
}

#[test]
fn sound_volumes_of_every_kind_pass() {
    for source in [
        json!({"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}),
        json!({"hostPath": {"path": "/data", "type": "DirectoryOrCreate"}}),
        json!({"gitRepo": {"repository": "r", "directory": "a/b"}}),
        json!({"gcePersistentDisk": {"pdName": "d", "partition": 0}}),
        json!({"awsElasticBlockStore": {"volumeID": "v"}}),
        json!({"secret": {"secretName": "s"}}),
        json!({"nfs": {"server": "s", "path": "/p"}}),
        json!({"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:storage", "lun": 0, "initiatorName": "eui.0123456789abcdef"}}),
        json!({"glusterfs": {"endpoints": "e", "path": "p"}}),
        json!({"flocker": {"datasetName": "d"}}),
        json!({"persistentVolumeClaim": {"claimName": "c"}}),
        json!({"rbd": {"monitors": ["m"], "image": "i"}}),
        json!({"cinder": {"volumeID": "v"}}),
        json!({"cephfs": {"monitors": ["m"]}}),
        json!({"quobyte": {"registry": "h:1,[::1]:2", "volume": "v"}}),
        json!({"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1m"}}]}}),
        json!({"fc": {"targetWWNs": ["w"], "lun": 1}}),
        json!({"flexVolume": {"driver": "a/b", "options": {"x": "y"}}}),
        json!({"configMap": {"name": "c"}}),
        json!({"azureFile": {"secretName": "s", "shareName": "n"}}),
        json!({"vsphereVolume": {"volumePath": "p"}}),
        json!({"photonPersistentDisk": {"pdID": "p"}}),
        json!({"portworxVolume": {"volumeID": "v"}}),
        json!({"azureDisk": {"diskName": "d", "diskURI": "https://x"}}),
        json!({"storageos": {"volumeName": "v"}}),
        json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "c", "items": [{"key": "k", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}),
        json!({"scaleIO": {"gateway": "g", "system": "s", "volumeName": "v"}}),
        json!({"csi": {"driver": "Inline.csi.example", "nodePublishSecretRef": {"name": "s"}}}),
        json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}),
        json!({"image": {"reference": "a:1"}}),
    ] {
        check(source, &[]);
    }
}

#[test]
fn each_kind_says_what_it_misses() {
    for (source, expect) in [
        (json!({"hostPath": {}}), vec!["hostPath.path: Required value"]),
        (
            json!({"hostPath": {"path": "/a/../b", "type": "Disk"}}),
            vec![
                "hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
                "hostPath.type: Unsupported value: \"Disk\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"",
            ],
        ),
        (
            json!({"gitRepo": {"directory": "/a"}}),
            vec![
                "gitRepo.repository: Required value",
                "gitRepo.directory: Invalid value: \"/a\": must be a relative path",
            ],
        ),
        (
            json!({"gcePersistentDisk": {"partition": 256}}),
            vec![
                "persistentDisk.pdName: Required value",
                "persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
            ],
        ),
        (
            json!({"nfs": {"path": "p"}}),
            vec!["nfs.server: Required value", "nfs.path: Invalid value: \"p\": must be an absolute path"],
        ),
        (
            json!({"iscsi": {"iqn": "x", "lun": 256, "chapAuthSession": true, "initiatorName": "iqn.2001.x"}}),
            vec![
                "iscsi.targetPortal: Required value",
                "iscsi.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa",
                "iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
                "iscsi.secretRef: Required value",
                "iscsi.initiatorname: Invalid value: \"iqn.2001.x\": must be valid format",
            ],
        ),
        (json!({"glusterfs": {}}), vec!["glusterfs.endpoints: Required value", "glusterfs.path: Required value"]),
        (json!({"flocker": {}}), vec!["flocker: Required value: one of datasetName and datasetUUID is required"]),
        (
            json!({"flocker": {"datasetName": "a/b", "datasetUUID": "u"}}),
            vec![
                "flocker: Invalid value: \"resource\": datasetName and datasetUUID can not be specified simultaneously",
                "flocker.datasetName: Invalid value: \"a/b\": must not contain '/'",
            ],
        ),
        (json!({"persistentVolumeClaim": {}}), vec!["persistentVolumeClaim.claimName: Required value"]),
        (json!({"rbd": {}}), vec!["rbd.monitors: Required value", "rbd.image: Required value"]),
        (
            json!({"cinder": {"secretRef": {}}}),
            vec!["cinder.volumeID: Required value", "cinder.secretRef.name: Required value"],
        ),
        (json!({"cephfs": {}}), vec!["cephfs.monitors: Required value"]),
        (
            json!({"quobyte": {"registry": "h"}}),
            vec![
                "quobyte.registry: Invalid value: \"h\": must be a host:port pair or multiple pairs separated by commas",
                "quobyte.volume: Required value",
            ],
        ),
        (
            json!({"fc": {"targetWWNs": ["w"], "wwids": ["i"]}}),
            vec![
                "fc.targetWWNs: Invalid value: [\"w\"]: targetWWNs and wwids can not be specified simultaneously",
                "fc.lun: Required value: lun is required if targetWWNs is specified",
            ],
        ),
        (
            json!({"fc": {}}),
            vec!["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"],
        ),
        (
            json!({"flexVolume": {"options": {"kubernetes.io/x": "y"}}}),
            vec![
                "flexVolume.driver: Required value",
                "flexVolume.options[kubernetes.io/x]: Invalid value: \"kubernetes.io/x\": kubernetes.io and k8s.io namespaces are reserved",
            ],
        ),
        (json!({"azureFile": {}}), vec!["azureFile.secretName: Required value", "azureFile.shareName: Required value"]),
        (
            json!({"azureDisk": {"diskName": "d", "diskURI": "x", "kind": "Managed", "cachingMode": "Some"}}),
            vec![
                "azureDisk.cachingMode: Unsupported value: \"Some\": supported values: \"None\", \"ReadOnly\", \"ReadWrite\"",
                "azureDisk.diskURI: Unsupported value: \"x\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\"",
            ],
        ),
        (json!({"storageos": {}}), vec!["storageos.volumeName: Required value"]),
        (
            json!({"scaleIO": {}}),
            vec![
                "scaleIO.gateway: Required value",
                "scaleIO.system: Required value",
                "scaleIO.volumeName: Required value",
            ],
        ),
        (
            json!({"csi": {"driver": "a".repeat(64), "nodePublishSecretRef": {}}}),
            vec![
                "csi.driver: Too long: may not be more than 63 bytes",
                "csi.nodePublishSecretRef.name: Required value",
            ],
        ),
        (json!({"ephemeral": {}}), vec!["ephemeral.volumeClaimTemplate: Required value"]),
        (
            json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "x"}, "spec": {}}}}),
            vec![
                "ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
                "ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required",
                "ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
            ],
        ),
        (json!({"image": {}}), vec!["image.reference: Required value"]),
    ] {
        let expect: Vec<String> = expect.into_iter().map(|text| format!("{V}.{text}")).collect();
        let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
        check(source, &expect);
    }
}

#[test]
fn a_volume_has_one_source_and_a_name_of_its_own() {
    check_rules(
        json!({"volumes": [{"name": "a", "emptyDir": {}, "cephfs": {"monitors": []}, "downwardAPI": {}}, {"name": "b"}, {"name": "b"}, {}]}),
        &[
            "spec.volumes[0].cephFS: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[0].downwarAPI: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[2].name: Duplicate value: \"b\"",
            "spec.volumes[3].name: Required value",
        ],
    );
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    check_rules(
        json!({"volumes": [{"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}, {"name": "p", "persistentVolumeClaim": {"claimName": "p-e"}}]}),
        &[
            "spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: \"p-e\": must not reference a PVC that gets created for an ephemeral volume",
        ],
    );
}

#[test]
fn what_a_pod_knows_of_itself_comes_as_files() {
    check(
        json!({"downwardAPI": {"defaultMode": 512, "items": [{"path": "../a", "mode": 512}, {"fieldRef": {"fieldPath": "spec.nodeName"}},
            {"path": "a", "fieldRef": {"fieldPath": "metadata.name"}, "resourceFieldRef": {"resource": "limits.cpu"}},
            {"path": "b", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
        &[
            &format!(
                "{V}.downwardAPI.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"
            ),
            &format!("{V}.downwardAPI.path: Invalid value: \"../a\": must not contain '..'"),
            &format!("{V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"),
            &format!(
                "{V}.downwardAPI.mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"
            ),
            &format!("{V}.downwardAPI.path: Required value"),
            &format!(
                "{V}.downwardAPI.fieldRef.fieldPath: Unsupported value: \"spec.nodeName\": supported values: \"metadata.annotations\", \"metadata.labels\", \"metadata.name\", \"metadata.namespace\", \"metadata.uid\""
            ),
            &format!(
                "{V}.downwardAPI: Invalid value: \"resource\": fieldRef and resourceFieldRef can not be specified simultaneously"
            ),
            &format!("{V}.downwardAPI.resourceFieldRef.containerName: Required value"),
        ],
    );
}

#[test]
fn projected_files_do_not_meet() {
    let at = format!("{V}.projected");
    check(
        json!({"projected": {"sources": [
            {"configMap": {"name": "c", "items": [{"key": "k", "path": "a"}]}, "secret": {"items": [{"key": "k", "path": "a"}]}},
            {"serviceAccountToken": {"expirationSeconds": 10}}, {"clusterTrustBundle": {"path": "a"}},
            {"clusterTrustBundle": {"name": "x", "signerName": "y", "path": "b"}}]}}),
        &[
            &format!("{at}.sources[0].secret.name: Required value"),
            &format!("{at}: Invalid value: \"c\": conflicting duplicate paths"),
            &format!("{at}.sources[0]: Forbidden: may not specify more than 1 volume type per source"),
            &format!(
                "{at}.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes"
            ),
            &format!("{at}.path: Required value"),
            &format!("{at}.sources[2].clusterTrustBundle: Required value: either name or signerName must be specified"),
            &format!("{at}: Invalid value: \"a\": conflicting duplicate paths"),
            &format!(
                "{at}.sources[3].clusterTrustBundle: Invalid value: {{\"name\":\"x\",\"signerName\":\"y\",\"path\":\"b\"}}: only one of name and signerName may be used"
            ),
        ],
    );
    check_rules(
        json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}),
        &[&format!(
            "{at}.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set"
        )],
    );
}

#[test]
fn mounts_stay_inside_their_volume() {
    let at = "spec.containers[0].volumeMounts";
    let mount = |rest: Value| {
        let mut mount = json!({"name": "v", "mountPath": "/v"});
        mount.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"volumeMounts": [mount]})
    };
    check_container_rules(mount(json!({"subPath": "a/b", "readOnly": true, "recursiveReadOnly": "Enabled"})), &[]);
    check_container_rules(
        mount(json!({"subPath": "/a", "subPathExpr": "../$(B)"})),
        &[
            &format!("{at}.subPath: Invalid value: \"/a\": must be a relative path"),
            &format!("{at}[0].subPathExpr: Invalid value: \"../$(B)\": subPathExpr and subPath are mutually exclusive"),
            &format!("{at}.subPathExpr: Invalid value: \"../$(B)\": must not contain '..'"),
        ],
    );
    check_container_rules(
        mount(json!({"mountPropagation": "Bidirectional", "recursiveReadOnly": "IfPossible"})),
        &[
            &format!(
                "{at}.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers"
            ),
            &format!("{at}.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"),
            &format!(
                "{at}.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified"
            ),
        ],
    );
    check_container_rules(
        mount(json!({"mountPropagation": "Up", "recursiveReadOnly": "Deep"})),
        &[
            &format!(
                "{at}.mountPropagation: Unsupported value: \"Up\": supported values: \"Bidirectional\", \"HostToContainer\", \"None\""
            ),
            &format!(
                "{at}.recursiveReadOnly: Unsupported value: \"Deep\": supported values: \"Disabled\", \"Enabled\", \"IfPossible\""
            ),
        ],
    );
}

#[test]
fn devices_are_claims_and_not_mounted_too() {
    let at = "spec.containers[0].volumeDevices";
    check_rules(
        json!({"volumes": [{"name": "p", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e"}],
            "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "p", "mountPath": "/p"}],
                "volumeDevices": [{"name": "p", "devicePath": "/p"}, {"name": "e", "devicePath": "/a/../b"}, {"name": "x"}]}]}),
        &[
            "spec.containers[0].volumeMounts[0].name: Invalid value: \"p\": must not already exist in volumeDevices",
            "spec.containers[0].volumeMounts[0].mountPath: Invalid value: \"/p\": must not already exist as a path in volumeDevices",
            &format!("{at}[0].name: Invalid value: \"p\": must not already exist in volumeMounts"),
            &format!("{at}[0].devicePath: Invalid value: \"/p\": must not already exist as a path in volumeMounts"),
            &format!(
                "{at}[1].name: Invalid value: \"e\": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            ),
            &format!("{at}[1].devicePath: Invalid value: \"/a/../b\": can not contain backsteps ('..')"),
            &format!("{at}[2].name: Not found: \"x\""),
            &format!("{at}[2].devicePath: Required value"),
        ],
    );
}
