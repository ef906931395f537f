//! Rules for volumes: a name, and exactly one source.

use super::{Pod, check_label_selector, env, files, projected};
use crate::at::At;
use crate::metadata::{check_annotations, check_labels};
use crate::persistent_volume_claim::check_spec;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;
use std::collections::{BTreeMap, BTreeSet};

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const CSI_DRIVER_BYTES: usize = 63;
const ISCSI_BYTES: usize = 64;

/// What a source is checked by.
type Rule = fn(&Source<'_, '_>, &mut Vec<FieldError>);

/// Sources in Kubernetes' order: field, how its path reads when it is one too many, how it reads in its own mistakes.
const SOURCES: &[(&str, &str, &str, Rule)] = &[
    ("emptyDir", "emptyDir", "emptyDir", empty_dir),
    ("hostPath", "hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", "gitRepo", git_repo),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", gce_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", aws_disk),
    ("secret", "secret", "secret", secret),
    ("nfs", "nfs", "nfs", nfs),
    ("iscsi", "iscsi", "iscsi", iscsi),
    ("glusterfs", "glusterfs", "glusterfs", |source, errors| source.require(&["endpoints", "path"], errors)),
    ("flocker", "flocker", "flocker", flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", |source, errors| {
        source.require(&["claimName"], errors);
    }),
    ("rbd", "rbd", "rbd", |source, errors| {
        source.require_items("monitors", errors);
        source.require(&["image"], errors);
    }),
    ("cinder", "cinder", "cinder", |source, errors| {
        source.require(&["volumeID"], errors);
        source.require_secret_name(errors);
    }),
    ("cephfs", "cephFS", "cephfs", |source, errors| source.require_items("monitors", errors)),
    ("quobyte", "quobyte", "quobyte", quobyte),
    ("downwardAPI", "downwarAPI", "downwardAPI", downward),
    ("fc", "fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", "flexVolume", flex),
    ("configMap", "configMap", "configMap", config_map),
    ("azureFile", "azureFile", "azureFile", |source, errors| source.require(&["secretName", "shareName"], errors)),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", |source, errors| source.require(&["volumePath"], errors)),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", |source, errors| {
        source.require(&["pdID"], errors);
    }),
    ("portworxVolume", "portworxVolume", "portworxVolume", |source, errors| source.require(&["volumeID"], errors)),
    ("azureDisk", "azureDisk", "azureDisk", azure_disk),
    ("storageos", "storageos", "storageos", storage_os),
    ("projected", "projected", "projected", |source, errors| projected::check(&source.at, errors)),
    ("scaleIO", "scaleIO", "scaleIO", |source, errors| source.require(&["gateway", "system", "volumeName"], errors)),
    ("csi", "csi", "csi", csi),
    ("ephemeral", "ephemeral", "ephemeral", ephemeral),
    ("image", "image", "image", image),
];

/// One source of one volume.
struct Source<'a, 'p> {
    at: At<'a>,
    volume: &'p At<'a>,
    pod: &'p Pod<'a>,
}

impl<'a> Source<'a, '_> {
    fn field(&self, field: &str) -> At<'a> {
        self.at.field(field)
    }
    fn text(&self, field: &str) -> &'a str {
        self.at.field(field).text()
    }
    fn require(&self, fields: &[&str], errors: &mut Vec<FieldError>) {
        fields.iter().for_each(|field| self.field(field).check_required(errors));
    }
    fn require_items(&self, field: &str, errors: &mut Vec<FieldError>) {
        if self.field(field).len() == 0 {
            errors.push(self.field(field).required(""));
        }
    }
    fn require_secret_name(&self, errors: &mut Vec<FieldError>) {
        if self.field("secretRef").is_set() {
            self.at.fields(&["secretRef", "name"]).check_required(errors);
        }
    }
}

/// The volumes of a pod; returns those without mistakes, for mounts to refer to.
pub(super) fn check<'a>(pod: &Pod<'a>, errors: &mut Vec<FieldError>) -> BTreeMap<&'a str, At<'a>> {
    let volumes = pod.spec.field("volumes");
    let made_claims: BTreeSet<String> = volumes
        .items()
        .filter(|volume| volume.field("ephemeral").is_set())
        .filter_map(|volume| Some(format!("{}-{}", pod.name?, volume.field("name").text())))
        .collect();
    let mut sound = BTreeMap::new();
    for volume in volumes.items() {
        let n_errors = errors.len();
        let name = volume.field("name");
        check_source(&volume, pod, errors);
        name.check_required_rule(names::dns_label_errors, errors);
        if sound.contains_key(name.text()) {
            errors.push(FieldError::duplicate(&name.path, name.text()));
        }
        if errors.len() == n_errors {
            sound.insert(name.text(), volume.clone());
        }
        let claim = volume.fields(&["persistentVolumeClaim", "claimName"]);
        if made_claims.contains(claim.text()) {
            errors.push(claim.invalid("must not reference a PVC that gets created for an ephemeral volume"));
        }
    }
    sound
}

fn check_source<'a>(volume: &At<'a>, pod: &Pod<'a>, errors: &mut Vec<FieldError>) {
    let mut n_sources = 0;
    for (field, shown_extra, shown, rule) in SOURCES {
        let at = volume.field(field);
        if !at.is_set() {
            continue;
        }
        n_sources += 1;
        if n_sources > 1 {
            errors.push(volume.field(shown_extra).forbidden("may not specify more than 1 volume type"));
        } else {
            rule(&Source { at: At { path: volume.field(shown).path, ..at }, volume, pod }, errors);
        }
    }
    if n_sources == 0 {
        errors.push(volume.required("must specify a volume type"));
    }
}

fn empty_dir(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let size = source.field("sizeLimit");
    if size.text().parse::<Quantity>().is_ok_and(|size| size.is_negative()) {
        errors.push(size.forbidden("SizeLimit field must be a valid resource quantity"));
    }
}

fn host_path(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let path = source.field("path");
    if path.text().is_empty() {
        errors.push(path.required(""));
        return;
    }
    files::check_no_backsteps(&path, errors);
    source.field("type").check_among(HOST_PATH_TYPES, errors);
}

fn git_repo(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["repository"], errors);
    files::check_descending(&source.field("directory"), errors);
}

fn gce_disk(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["pdName"], errors);
    check_partition(source, errors);
}

fn aws_disk(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["volumeID"], errors);
    check_partition(source, errors);
}

fn check_partition(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let partition = source.field("partition");
    if partition.int().is_some_and(|number| !(0..=255).contains(&number)) {
        // 0 is allowed, whatever the text says: it means none.
        errors.push(partition.invalid("must be between 1 and 255, inclusive"));
    }
}

fn secret(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    check_files(source, "secretName", errors);
}

fn config_map(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    check_files(source, "name", errors);
}

fn check_files(source: &Source<'_, '_>, name: &str, errors: &mut Vec<FieldError>) {
    source.require(&[name], errors);
    files::check_mode(&source.field("defaultMode"), errors);
    source.field("items").items().for_each(|item| files::check_item(&item, errors));
}

fn downward(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    files::check_mode(&source.field("defaultMode"), errors);
    check_downward_items(&source.at, errors);
}

/// Files that hold what a pod knows of itself. Kubernetes leaves `items[0]` out of these paths.
pub(super) fn check_downward_items(source: &At<'_>, errors: &mut Vec<FieldError>) {
    for item in source.field("items").items() {
        let item = At { path: source.path.clone(), ..item };
        let (field, resource) = (item.field("fieldRef"), item.field("resourceFieldRef"));
        item.field("path").check_required(errors);
        files::check_unreserved(&item.field("path"), errors);
        if field.is_set() {
            env::check_field(&field, env::FILE_FIELDS, errors);
            if resource.is_set() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(FieldError::invalid(&item.path, "resource", detail));
            }
        } else if resource.is_set() {
            env::check_resource_of_container(&resource, errors);
        } else {
            errors.push(item.required("one of fieldRef and resourceFieldRef is required"));
        }
        files::check_mode(&item.field("mode"), errors);
    }
}

fn nfs(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["server", "path"], errors);
    if !source.text("path").starts_with('/') {
        errors.push(source.field("path").invalid_text("must be an absolute path"));
    }
}

fn iscsi(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["targetPortal"], errors);
    let name = source.field("iqn");
    if name.text().is_empty() {
        errors.push(name.required(""));
    } else {
        check_iscsi_name(&name, errors);
    }
    let lun = source.field("lun");
    if lun.int().is_some_and(|lun| !(0..=255).contains(&lun)) {
        errors.push(lun.invalid("must be between 0 and 255, inclusive"));
    }
    let authenticates = ["chapAuthDiscovery", "chapAuthSession"].iter().any(|field| source.field(field).is_true());
    if authenticates && !source.field("secretRef").is_set() {
        errors.push(source.field("secretRef").required(""));
    }
    let initiator = source.field("initiatorName");
    if !initiator.is_set() {
        return;
    }
    check_iscsi_name(&At { path: source.field("initiatorname").path, ..initiator }, errors);
    let volume_name = source.volume.field("name");
    if ISCSI_BYTES < volume_name.text().len() + 1 + source.text("targetPortal").len() {
        let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        errors.push(volume_name.invalid_text(detail));
    }
}

/// `iqn.YYYY-MM.DOMAIN:NAME`, `eui.` and 16 characters, or `naa.` and 32.
fn check_iscsi_name(name: &At<'_>, errors: &mut Vec<FieldError>) {
    let text = name.text();
    let is_numbered = |rest: &str, n_chars: usize| {
        let rest = rest.as_bytes();
        rest.len() == n_chars + 1 && rest[1..].iter().all(u8::is_ascii_alphanumeric)
    };
    let is_sound = match text.get(..3) {
        Some("iqn") => is_qualified_iscsi_name(text),
        Some("eui") => is_numbered(&text[3..], 16),
        Some("naa") => is_numbered(&text[3..], 32),
        _ => {
            errors.push(name.invalid_text("must be valid format starting with iqn, eui, or naa"));
            return;
        }
    };
    if !is_sound {
        errors.push(name.invalid_text("must be valid format"));
    }
}

fn is_qualified_iscsi_name(text: &str) -> bool {
    let Some((authority, name)) = text.split_once(':') else { return false };
    let is_date = |date: &str| {
        let bytes = date.as_bytes();
        bytes.len() == 7 && bytes[4] == b'-' && bytes.iter().enumerate().all(|(i, b)| i == 4 || b.is_ascii_digit())
    };
    let mut parts = authority.splitn(3, '.');
    parts.next() == Some("iqn")
        && parts.next().is_some_and(is_date)
        && parts.next().is_some_and(|domain| {
            !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        })
        && !name.is_empty()
        && !name.contains(|c: char| ",;*&$|".contains(c) || c.is_whitespace())
}

fn flocker(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let (name, uuid) = (source.text("datasetName"), source.text("datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errors.push(source.at.required("one of datasetName and datasetUUID is required"));
    }
    if !name.is_empty() && !uuid.is_empty() {
        let detail = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(FieldError::invalid(&source.at.path, "resource", detail));
    }
    if name.contains('/') {
        errors.push(source.field("datasetName").invalid("must not contain '/'"));
    }
}

fn quobyte(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    let registry = source.field("registry");
    if registry.text().is_empty() {
        errors.push(registry.required(detail));
    } else if 65 <= source.text("tenant").len() {
        let too_long = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(source.field("tenant").required(too_long));
    } else {
        let is_pair =
            |pair: &str| pair.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let wrong = registry.text().split(',').filter(|pair| !is_pair(pair));
        errors.extend(wrong.map(|_| registry.invalid(detail)));
    }
    source.require(&["volume"], errors);
}

fn fibre_channel(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let (targets, wwids, lun) = (source.field("targetWWNs"), source.field("wwids"), source.field("lun"));
    if targets.len() == 0 && wwids.len() == 0 {
        errors.push(targets.required("must specify either targetWWNs or wwids, but not both"));
    }
    if targets.len() > 0 && wwids.len() > 0 {
        errors.push(targets.invalid("targetWWNs and wwids can not be specified simultaneously"));
    }
    if targets.len() == 0 {
        return;
    }
    if !lun.is_set() {
        errors.push(lun.required("lun is required if targetWWNs is specified"));
    }
    lun.check_within(0..=255, errors);
}

fn flex(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["driver"], errors);
    for (key, option) in source.field("options").entries() {
        let domain = key.split_once('/').map_or(key, |(domain, _)| domain);
        let domain = format!(".{}", domain.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(FieldError::invalid(option.path, key, detail));
        }
    }
}

fn azure_disk(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.require(&["diskName", "diskURI"], errors);
    source.field("cachingMode").check_among(&["None", "ReadOnly", "ReadWrite"], errors);
    let (kind, uri) = (source.field("kind"), source.field("diskURI"));
    kind.check_among(&["Dedicated", "Managed", "Shared"], errors);
    let (prefix, form) = match kind.text() {
        _ if !kind.is_set() => return,
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"),
    };
    if !uri.text().starts_with(prefix) {
        errors.push(uri.not_supported(&[form]));
    }
}

fn storage_os(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    source.field("volumeName").check_required_rule(names::dns_label_errors, errors);
    source.field("volumeNamespace").check_optional_rule(names::dns_label_errors, errors);
    source.require_secret_name(errors);
}

fn csi(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let driver = source.field("driver");
    driver.check_required(errors);
    if CSI_DRIVER_BYTES < driver.text().len() {
        errors.push(FieldError::too_long(&driver.path, CSI_DRIVER_BYTES));
    }
    let wrong = names::dns_subdomain_errors(&driver.text().to_lowercase());
    errors.extend(wrong.iter().map(|detail| driver.invalid_text(detail)));
    let secret = source.field("nodePublishSecretRef");
    if secret.is_set() {
        let name = secret.field("name");
        match name.text() {
            "" => errors.push(name.required("")),
            _ => At { path: source.field("name").path, ..name }.check_rule(names::dns_subdomain_errors, errors),
        }
    }
}

fn ephemeral(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    let template = source.field("volumeClaimTemplate");
    match template.is_set() {
        true => check_claim_template(&template, errors),
        false => errors.push(template.required("")),
    }
    let name = source.volume.field("name");
    let Some(pod_name) = source.pod.name.filter(|pod_name| !pod_name.is_empty() && !name.text().is_empty()) else {
        return;
    };
    let claim = format!("{pod_name}-{}", name.text());
    for detail in names::dns_subdomain_errors(&claim) {
        errors.push(name.invalid(&format!("PVC name {}: {detail}", meta::field::quote(&claim))));
    }
}

fn image(source: &Source<'_, '_>, errors: &mut Vec<FieldError>) {
    // A template may leave the reference to whoever makes its pods.
    if !source.pod.is_template() {
        source.require(&["reference"], errors);
    }
    source.field("pullPolicy").check_choice(&["Always", "IfNotPresent", "Never"], errors);
}

/// A PersistentVolumeClaim to be made for a volume: its metadata and spec.
fn check_claim_template(template: &At<'_>, errors: &mut Vec<FieldError>) {
    let metadata = template.field("metadata");
    check_annotations(&metadata.field("annotations"), errors);
    check_labels(&metadata.field("labels"), errors);
    for (field, value) in metadata.value.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "annotations" | "labels") && !value.is_null() {
            errors.push(metadata.field(field).forbidden("cannot be set"));
        }
    }
    check_spec(&template.field("spec"), errors);
}

/// A bundle of trust anchors, by name or by who signs.
pub(super) fn check_trust_bundle(bundle: &At<'_>, errors: &mut Vec<FieldError>) {
    let (name, signer) = (bundle.field("name"), bundle.field("signerName"));
    match (name.is_set(), signer.is_set()) {
        (true, true) => errors.push(bundle.invalid("only one of name and signerName may be used")),
        (true, false) => {
            if name.text().is_empty() {
                errors.push(name.required("must be a valid object name"));
            }
            let last_part = name.text().rsplit(':').next().unwrap_or("");
            for detail in names::dns_subdomain_errors(last_part) {
                errors.push(name.invalid(&format!("not a valid clustertrustbundlename: {detail}")));
            }
            if bundle.field("labelSelector").is_set() {
                let detail = "labelSelector must be unset if name is specified";
                errors.push(bundle.field("labelSelector").invalid(detail));
            }
        }
        (false, true) => {
            if signer.text().is_empty() {
                errors.push(signer.required("must be a valid signer name"));
            }
            check_label_selector(&bundle.field("labelSelector"), errors);
        }
        (false, false) => errors.push(bundle.required("either name or signerName must be specified")),
    }
    bundle.field("path").check_required(errors);
    files::check_unreserved(&bundle.field("path"), errors);
}
