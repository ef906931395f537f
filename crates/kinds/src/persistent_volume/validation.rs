//! Rules for volumes (K:pkg/apis/core/validation/validation.go, ValidatePersistentVolume and …Update).

use super::kind::NAMES;
use crate::at::{At, is_same};
use crate::kind::Part;
use crate::unsupported::{Unsupported, When, refuse};
use crate::volumes::{check_access_modes, check_positive, check_volume_mode};
use crate::{diff, metadata, unsupported};
use meta::field::FieldError;
use meta::names;
use serde_json::{Map, Value};

/// Where the bytes may lie: API name, and the field of Go's type that is dumped in a refusal.
const SOURCES: [(&str, &str); 22] = [
    ("gcePersistentDisk", "GCEPersistentDisk"),
    ("awsElasticBlockStore", "AWSElasticBlockStore"),
    ("hostPath", "HostPath"),
    ("glusterfs", "Glusterfs"),
    ("nfs", "NFS"),
    ("rbd", "RBD"),
    ("quobyte", "Quobyte"),
    ("iscsi", "ISCSI"),
    ("flexVolume", "FlexVolume"),
    ("cinder", "Cinder"),
    ("cephfs", "CephFS"),
    ("fc", "FC"),
    ("flocker", "Flocker"),
    ("azureFile", "AzureFile"),
    ("vsphereVolume", "VsphereVolume"),
    ("azureDisk", "AzureDisk"),
    ("photonPersistentDisk", "PhotonPersistentDisk"),
    ("portworxVolume", "PortworxVolume"),
    ("scaleIO", "ScaleIO"),
    ("local", "Local"),
    ("storageos", "StorageOS"),
    ("csi", "CSI"),
];
/// Those that this machine can mount.
const MOUNTABLE: [&str; 2] = ["hostPath", "local"];

const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

const UNSUPPORTED: &[Unsupported] = &[
    refuse("mountOptions", When::Set, "leave it out"),
    refuse("volumeAttributesClassName", When::Set, "leave it out"),
];

/// Every mistake in a volume.
pub(super) fn validate(volume: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(volume, NAMES.scope, names::dns_subdomain_errors);
    let spec = At::root(volume).field("spec");
    check_access_modes(&spec.field("accessModes"), "", &mut errors);
    check_capacity(&spec.field("capacity"), &mut errors);
    let policy = spec.field("persistentVolumeReclaimPolicy");
    policy.check_among(&["Delete", "Recycle", "Retain"], &mut errors);
    let affinity = spec.field("nodeAffinity");
    if affinity.is_set() {
        check_node_affinity(&affinity, &mut errors);
    }
    check_source(&spec, &mut errors);
    let class = spec.field("storageClassName");
    if !class.text().is_empty() {
        class.check_rule(names::dns_subdomain_errors, &mut errors);
    }
    check_volume_mode(&spec.field("volumeMode"), &mut errors);
    unsupported::check(&spec, UNSUPPORTED, &mut errors);
    errors
}

fn check_capacity(capacity: &At<'_>, errors: &mut Vec<FieldError>) {
    if capacity.len() == 0 {
        errors.push(capacity.required(""));
    }
    if !capacity.field("storage").is_set() || 1 < capacity.len() {
        errors.push(FieldError::not_supported(&capacity.path, capacity.value.clone(), &["storage"]));
    }
    capacity.entries().for_each(|(_, amount)| check_positive(&amount, errors));
}

fn check_source(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let sources: Vec<At<'_>> =
        SOURCES.iter().map(|(source, _)| spec.field(source)).filter(|source| source.is_set()).collect();
    if sources.is_empty() {
        errors.push(spec.required("must specify a volume type"));
    }
    for other in sources.iter().skip(1) {
        errors.push(other.forbidden("may not specify more than 1 volume type"));
    }
    for source in &sources {
        let is_mountable = MOUNTABLE.iter().any(|known| source.path.ends_with(&format!(".{known}")));
        if !is_mountable {
            errors.push(source.forbidden("not supported by this version of kiln: use hostPath or local"));
        }
    }
    let (host_path, local) = (spec.field("hostPath"), spec.field("local"));
    if host_path.is_set() {
        check_path(&host_path.field("path"), errors);
        host_path.field("type").check_among(&HOST_PATH_TYPES, errors);
        let recycles = spec.field("persistentVolumeReclaimPolicy").text() == "Recycle";
        let is_root = host_path.field("path").text().split('/').all(|part| matches!(part, "" | "."));
        if recycles && is_root {
            let policy = spec.field("persistentVolumeReclaimPolicy");
            errors.push(policy.forbidden("may not be 'recycle' for a hostPath mount of '/'"));
        }
    }
    if local.is_set() {
        check_path(&local.field("path"), errors);
        let terms = spec.fields(&["nodeAffinity", "required"]);
        if !terms.is_set() {
            errors.push(spec.field("nodeAffinity").required("Local volume requires node affinity"));
        }
    }
}

fn check_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if path.text().is_empty() {
        errors.push(path.required(""));
    }
    if path.text().split('/').any(|part| part == "..") {
        errors.push(path.invalid("must not contain '..'"));
    }
}

fn check_node_affinity(affinity: &At<'_>, errors: &mut Vec<FieldError>) {
    let required = affinity.field("required");
    if !required.is_set() {
        errors.push(required.required("must specify required node constraints"));
        return;
    }
    let terms = required.field("nodeSelectorTerms");
    if terms.len() == 0 {
        errors.push(terms.required("must have at least one node selector term"));
    }
    for expression in terms.items().flat_map(|term| term.field("matchExpressions").items()) {
        let values = expression.field("values");
        let operator = expression.field("operator");
        match operator.text() {
            "In" | "NotIn" if values.len() == 0 => {
                errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "Exists" | "DoesNotExist" if 0 < values.len() => {
                errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            }
            "Gt" | "Lt" if values.len() != 1 => {
                errors.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            _ => errors.push(operator.invalid("not a valid selector operator")),
        }
        expression.field("key").check_rule(names::qualified_name_errors, errors);
    }
}

/// Every mistake in changing `old` into `volume`.
pub(super) fn validate_update(volume: &Value, old: &Value, part: Part) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if part == Part::Status {
        return errors;
    }
    let is_moved = SOURCES.iter().any(|(source, _)| !is_same(&volume["spec"][source], &old["spec"][source]));
    if is_moved {
        let changes = diff::unified(&as_go_has_it(&old["spec"]), &as_go_has_it(&volume["spec"]));
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{changes}");
        errors.push(FieldError::forbidden("spec.persistentvolumesource", &detail));
    }
    // Kubernetes leaves "spec" out of these paths.
    let (new, old) = (At::root(&volume["spec"]), At::root(&old["spec"]));
    new.field("volumeMode").check_immutable(&old.field("volumeMode"), &mut errors);
    if old.field("nodeAffinity").is_set() {
        new.field("nodeAffinity").check_immutable(&old.field("nodeAffinity"), &mut errors);
    }
    errors
}

/// The source as Go's internal type is dumped: all its fields, in their order.
fn as_go_has_it(spec: &Value) -> Value {
    let sources = SOURCES.iter().map(|(source, field)| ((*field).to_owned(), fields_as_go_has_them(&spec[source])));
    Value::Object(sources.collect())
}

fn fields_as_go_has_them(source: &Value) -> Value {
    let Some(fields) = source.as_object() else { return Value::Null };
    let named = |(key, value): (&String, &Value)| {
        let mut letters = key.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let name: String = first.into_iter().chain(letters).collect();
        (name.replace("FsType", "FSType"), value.clone())
    };
    let mut dumped: Map<String, Value> = fields.iter().map(named).collect();
    if dumped.len() == 1 && dumped.contains_key("Path") {
        dumped.insert("FSType".to_owned(), Value::Null);
    }
    Value::Object(dumped)
}
