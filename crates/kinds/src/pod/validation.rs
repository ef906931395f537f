//! Rules for pods and templates of pods (K:pkg/apis/core/validation/validation.go, as of 1.36). Finds every mistake at
//! once. Some of Kubernetes' paths have slips (`downwarAPI`, `volumeMounts.subPath`); they are part of its API and kept.

mod affinity;
mod annotations;
mod containers;
mod env;
mod files;
mod mounts;
mod network;
mod os;
mod probes;
mod projected;
mod resources;
mod scheduling;
mod security;
mod status;
mod volumes;
mod windows;

pub(crate) use affinity::check_label_selector;
pub(super) use annotations::check_changed as check_changed_annotations;
pub(super) use resources::is_pod_resource;
pub(crate) use resources::{check_quantities, check_quantity};
pub(crate) use scheduling::{check_toleration, check_tolerations};
pub(super) use status::check as check_status;

use super::kind::NAMES;
use crate::at::At;
use crate::metadata::{self, check_annotations, check_labels};
use meta::field::FieldError;
use meta::{names, object};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MOST_SECONDS: i64 = i32::MAX as i64;
/// Longest name that the kernel takes (K: 1.34's hostnameOverride).
const HOST_NAME_BYTES: usize = 64;

/// What the rules for parts of a pod ask of the whole.
struct Pod<'a> {
    /// The pod's name; none for a template, which stands for many.
    name: Option<&'a str>,
    spec: At<'a>,
    /// Volumes without mistakes, by name.
    volumes: BTreeMap<&'a str, At<'a>>,
    /// Names of `resourceClaims`.
    claims: BTreeSet<&'a str>,
}

impl<'a> Pod<'a> {
    fn is_template(&self) -> bool {
        self.name.is_none()
    }
    fn restart_policy(&self) -> &'a str {
        self.spec.field("restartPolicy").text()
    }
    fn grace_seconds(&self) -> Option<i64> {
        self.spec.field("terminationGracePeriodSeconds").int()
    }
    /// Whether the pod's users are the machine's.
    fn has_host_users(&self) -> bool {
        !self.spec.field("hostUsers").is_false()
    }
    fn os(&self) -> &'a str {
        self.spec.fields(&["os", "name"]).text()
    }
    /// Init, app and ephemeral containers, in Kubernetes' order.
    fn all_containers(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let spec = self.spec.clone();
        ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(move |list| spec.field(list).items())
    }
}

/// Every mistake in a new pod.
pub(super) fn validate_pod(pod: &Value) -> Vec<FieldError> {
    let mut errors = validate_whole(pod);
    let spec = At::root(pod).field("spec");
    if spec.field("ephemeralContainers").len() > 0 {
        errors.push(spec.field("ephemeralContainers").forbidden("cannot be set on create"));
    }
    if !spec.field("nodeName").text().is_empty() && spec.field("schedulingGates").len() > 0 {
        errors.push(spec.field("nodeName").forbidden("cannot be set until all schedulingGates have been cleared"));
    }
    annotations::check_match(&At::root(pod).fields(&["metadata", "annotations"]), &spec, &mut errors);
    errors
}

/// Every mistake in a pod, new or changed.
pub(super) fn validate_whole(pod: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(pod, NAMES.scope, names::dns_subdomain_errors);
    let root = At::root(pod);
    let spec = root.field("spec");
    annotations::check(&root.fields(&["metadata", "annotations"]), &spec, &mut errors);
    check_spec(&spec, Some(object::name(pod)), &mut errors);
    if spec.field("serviceAccountName").text().is_empty() {
        for source in spec.field("volumes").items().flat_map(|volume| volume.fields(&["projected", "sources"]).items())
        {
            let token = source.field("serviceAccountToken");
            if token.is_set() {
                errors.push(token.forbidden("must not be specified when serviceAccountName is not set"));
            }
        }
    }
    for list in ["containers", "initContainers"] {
        spec.field(list).items().for_each(|container| containers::check_image_of_pod(&container, &mut errors));
    }
    errors
}

/// Every mistake in a template for pods.
pub(crate) fn check_template(template: &At<'_>, errors: &mut Vec<FieldError>) {
    // Kubernetes leaves "metadata" out of these paths.
    let metadata = |field: &str| At { value: &template.value["metadata"][field], ..template.field(field) };
    let spec = template.field("spec");
    let annotations = metadata("annotations");
    check_labels(&metadata("labels"), errors);
    check_annotations(&annotations, errors);
    annotations::check(&annotations, &spec, errors);
    check_spec(&spec, None, errors);
    annotations::check_seccomp_match(&annotations, &spec, errors);
    if spec.field("ephemeralContainers").len() > 0 {
        errors.push(spec.field("ephemeralContainers").forbidden("ephemeral containers not allowed in pod template"));
    }
}

/// ValidatePodSpec; `name` is that of the pod, none for a template.
fn check_spec<'a>(spec: &At<'a>, name: Option<&'a str>, errors: &mut Vec<FieldError>) {
    if !spec.field("terminationGracePeriodSeconds").is_set() {
        errors.push(spec.field("terminationGracePeriodSeconds").required(""));
    }
    let claims = spec.field("resourceClaims").items().map(|claim| claim.field("name").text());
    let mut pod = Pod {
        name,
        spec: spec.clone(),
        volumes: BTreeMap::new(),
        claims: claims.filter(|name| !name.is_empty()).collect(),
    };
    pod.volumes = volumes::check(&pod, errors);
    resources::check_pod_claims(&spec.field("resourceClaims"), errors);
    containers::check_all(&pod, errors);
    resources::check_pod(&pod, errors);
    network::check_host_ports(&pod, errors);
    spec.field("restartPolicy").check_choice(&["Always", "OnFailure", "Never"], errors);
    spec.field("dnsPolicy").check_choice(&["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    check_labels(&spec.field("nodeSelector"), errors);
    security::check_pod(spec, errors);
    affinity::check(&spec.field("affinity"), errors);
    network::check_dns(&spec.field("dnsConfig"), spec.field("dnsPolicy").text(), errors);
    scheduling::check_gates(spec, errors);
    scheduling::check_spread(&spec.field("topologySpreadConstraints"), errors);
    windows::check_host_process(&pod, errors);
    security::check_host_users(spec, errors);
    spec.field("serviceAccountName").check_optional_rule(names::dns_subdomain_errors, errors);
    spec.field("nodeName").check_optional_rule(names::dns_subdomain_errors, errors);
    spec.field("activeDeadlineSeconds").check_within(1..=MOST_SECONDS, errors);
    spec.field("hostname").check_optional_rule(names::dns_label_errors, errors);
    spec.field("subdomain").check_optional_rule(names::dns_label_errors, errors);
    check_host_name_override(spec, errors);
    check_tolerations(&spec.field("tolerations"), errors);
    network::check_host_aliases(&spec.field("hostAliases"), errors);
    spec.field("priorityClassName").check_optional_rule(names::dns_subdomain_errors, errors);
    if spec.field("runtimeClassName").is_set() {
        spec.field("runtimeClassName").check_rule(names::dns_subdomain_errors, errors);
    }
    if spec.field("preemptionPolicy").is_set() {
        spec.field("preemptionPolicy").check_choice(&["PreemptLowerPriority", "Never"], errors);
    }
    resources::check_overhead(&spec.field("overhead"), errors);
    os::check(&pod, errors);
}

fn check_host_name_override(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let name = spec.field("hostnameOverride");
    if !name.is_set() {
        return;
    }
    name.check_rule(names::dns_subdomain_errors, errors);
    if HOST_NAME_BYTES < name.text().len() {
        errors.push(FieldError::too_long(&name.path, HOST_NAME_BYTES));
    }
    if spec.field("setHostnameAsFQDN").is_true() {
        errors.push(name.forbidden("may not be specified when setHostnameAsFQDN is true"));
    }
    if spec.field("hostNetwork").is_true() {
        errors.push(name.forbidden("may not be specified when hostNetwork is true"));
    }
}

/// Complains about the second of two equal texts.
pub(crate) fn check_unique<'a>(at: &At<'a>, seen: &mut BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    if !at.text().is_empty() && !seen.insert(at.text()) {
        errors.push(FieldError::duplicate(&at.path, at.text()));
    }
}

#[cfg(test)]
mod tests;
