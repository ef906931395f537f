//! Rules for what containers and pods ask for and may use at most, and for the claims they refer to.

use super::{Pod, check_unique};
use crate::at::At;
use crate::pod::requests;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

const NEGATIVE: &str = "must be greater than or equal to 0";
const HUGE_PAGES: &str = "hugepages-";
/// What a quota may count by a name without a domain (K:pkg/apis/core/helper).
const STANDARD_RESOURCES: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// What is wrong with the name of a resource: texts.
type NameRule = fn(&At<'_>, &str, &mut Vec<FieldError>);

/// `resources` of a container; `claims` are the names of the pod's resourceClaims.
pub(super) fn check_container(resources: &At<'_>, claims: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    check_requirements(resources, check_container_resource, errors);
    check_claims(&resources.field("claims"), claims, errors);
}

/// What a pod costs beside its containers.
pub(super) fn check_overhead(overhead: &At<'_>, errors: &mut Vec<FieldError>) {
    let limits = At { path: format!("{}.limits", overhead.path), ..overhead.clone() };
    let nothing = At { value: &Value::Null, path: overhead.path.clone() };
    check_lists(&limits, &nothing, overhead, check_container_resource, errors);
}

/// A list of resources: known names, nothing below zero.
pub(crate) fn check_quantities(list: &At<'_>, errors: &mut Vec<FieldError>) {
    for (resource, quantity) in list.entries() {
        check_container_resource(&quantity, resource, errors);
        check_quantity(&quantity, resource, errors);
    }
}

/// `resources` of the pod as a whole (KEP-2837).
pub(super) fn check_pod(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let resources = pod.spec.field("resources");
    if !resources.is_set() {
        return;
    }
    if resources.field("claims").is_set() {
        errors.push(resources.field("claims").forbidden("claims cannot be set for Resources at pod-level"));
    }
    check_requirements(&resources, check_pod_resource, errors);
    let of_pod = |list: &str, resource: &str| -> Option<Quantity> {
        resources.value[list][resource].as_str().and_then(|text| text.parse().ok())
    };
    for (resource, wanted) in requests::containers_total(pod.spec.value, "requests") {
        let given = of_pod("requests", &resource).unwrap_or(Quantity::ZERO);
        if is_pod_resource(&resource) && given < wanted {
            let detail = format!("must be greater than or equal to aggregate container requests of {wanted}");
            let path = format!("{}[{resource}]", resources.field("requests").path);
            errors.push(FieldError::invalid(path, given.canonical(), &detail));
        }
    }
    for (index, container) in pod.spec.field("containers").items().enumerate() {
        for (resource, limit) in container.fields(&["resources", "limits"]).entries() {
            let Ok(limit) = limit.text().parse::<Quantity>() else { continue };
            if let Some(of_pod) = of_pod("limits", resource).filter(|of_pod| *of_pod < limit) {
                let detail = format!("must be less than or equal to pod limits of {of_pod}");
                // The path is Kubernetes' own.
                let path = format!("{}.containers[{index}][{resource}].limits", resources.path);
                errors.push(FieldError::invalid(path, limit.canonical(), &detail));
            }
        }
    }
}

fn check_requirements(resources: &At<'_>, rule: NameRule, errors: &mut Vec<FieldError>) {
    check_lists(&resources.field("limits"), &resources.field("requests"), resources, rule, errors);
}

fn check_lists(limits: &At<'_>, requests: &At<'_>, whole: &At<'_>, rule: NameRule, errors: &mut Vec<FieldError>) {
    for (resource, limit) in limits.entries() {
        rule(&limit, resource, errors);
        check_quantity(&limit, resource, errors);
        check_huge_pages(&limit, resource, errors);
    }
    for (resource, request) in requests.entries() {
        rule(&request, resource, errors);
        if let Some(quantity) = check_quantity(&request, resource, errors) {
            check_against_limit(quantity, resource, limits, requests, errors);
        }
        check_huge_pages(&request, resource, errors);
    }
    let names = || limits.entries().chain(requests.entries()).map(|(resource, _)| resource);
    let has_huge_pages = names().any(|resource| resource.starts_with(HUGE_PAGES));
    if has_huge_pages && !names().any(|resource| matches!(resource, "cpu" | "memory")) {
        errors.push(whole.forbidden("HugePages require cpu or memory"));
    }
}

/// What cannot be overcommitted is asked for exactly as it is limited.
fn check_against_limit(
    request: Quantity,
    resource: &str,
    limits: &At<'_>,
    requests: &At<'_>,
    errors: &mut Vec<FieldError>,
) {
    let may_overcommit = is_native(resource) && !resource.starts_with(HUGE_PAGES);
    let limit = limits.value.get(resource).and_then(Value::as_str).and_then(|text| text.parse::<Quantity>().ok());
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&requests.path, request.canonical(), detail));
    match limit {
        Some(limit) if request != limit && !may_overcommit => {
            complain(&format!("must be equal to {resource} limit of {limit}"));
        }
        Some(limit) if limit < request => {
            complain(&format!("must be less than or equal to {resource} limit of {limit}"))
        }
        None if !may_overcommit => errors.push(limits.required("Limit must be set for non overcommitable resources")),
        _ => {}
    }
}

fn check_huge_pages(at: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) {
    let Some(size) = resource.strip_prefix(HUGE_PAGES) else { return };
    let Ok(quantity) = at.text().parse::<Quantity>() else { return };
    let size = size.parse::<Quantity>().map_or(0, |size| size.value());
    if size <= 0 || quantity.value() % size != 0 {
        let detail = format!("{quantity} is not positive integer multiple of {resource}");
        errors.push(FieldError::invalid(&at.path, quantity.canonical(), &detail));
    }
}

/// cpu, memory, ephemeral-storage, hugepages-…, or a name with a domain.
fn check_container_resource(at: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) {
    check_resource(at, resource, errors);
    let mut complain = |detail: &str| errors.push(FieldError::invalid(&at.path, resource, detail));
    if !resource.contains('/') {
        let is_standard =
            matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with(HUGE_PAGES);
        if !is_standard {
            complain("must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        complain("doesn't follow extended resource name standard");
    }
}

fn check_pod_resource(at: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) {
    let n_errors = errors.len();
    check_resource(at, resource, errors);
    if errors.len() == n_errors && !is_pod_resource(resource) {
        errors.push(FieldError::not_supported(&at.path, resource, &["cpu", "memory"]));
    }
}

fn check_resource(at: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) {
    let wrong = names::qualified_name_errors(resource);
    errors.extend(wrong.iter().map(|detail| FieldError::invalid(&at.path, resource, detail)));
    let is_standard = STANDARD_RESOURCES.contains(&resource)
        || resource.starts_with(HUGE_PAGES)
        || resource.starts_with("requests.hugepages-");
    if wrong.is_empty() && !resource.contains('/') && !is_standard {
        errors.push(FieldError::invalid(&at.path, resource, "must be a standard resource type or fully qualified"));
    }
}

/// Whether a pod as a whole may ask for it.
pub(in crate::pod) fn is_pod_resource(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with(HUGE_PAGES)
}

/// Kubernetes' own: without a domain, or with its.
fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// Somebody else's, counted in whole ones: `example.com/gpu`.
fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && names::qualified_name_errors(&format!("requests.{resource}")).is_empty()
}

/// A quantity that is not negative, and whole where it counts things.
pub(crate) fn check_quantity(at: &At<'_>, resource: &str, errors: &mut Vec<FieldError>) -> Option<Quantity> {
    match at.text().parse::<Quantity>() {
        Ok(quantity) => {
            if quantity.is_negative() {
                errors.push(FieldError::invalid(&at.path, quantity.canonical(), NEGATIVE));
            }
            if is_counted(resource) && quantity.milli_value() % 1000 != 0 {
                errors.push(FieldError::invalid(&at.path, quantity.canonical(), "must be an integer"));
            }
            Some(quantity)
        }
        Err(wrong) => {
            errors.push(at.invalid(&wrong));
            None
        }
    }
}

fn is_counted(resource: &str) -> bool {
    let counted = [
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    ];
    counted.contains(&resource) || is_extended(resource)
}

/// What happens to a container whose resources change; each resource once.
pub(super) fn check_resize_policy(policies: &At<'_>, restart_policy: &str, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for policy in policies.items() {
        let (resource, restart) = (policy.field("resourceName"), policy.field("restartPolicy"));
        if !seen.insert(resource.text()) {
            errors.push(FieldError::duplicate(&policy.path, resource.text()));
        }
        let unindexed = |at: &At<'_>, supported: &[&str], errors: &mut Vec<FieldError>| {
            let at = At { value: at.value, path: policies.path.clone() };
            at.check_choice(supported, errors);
        };
        unindexed(&resource, &["cpu", "memory"], errors);
        unindexed(&restart, &["NotRequired", "RestartContainer"], errors);
        if restart_policy == "Never" && restart.text() != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(&policies.path, restart.text(), detail));
        }
    }
}

/// `resourceClaims` of a pod: names for devices that others allot.
pub(super) fn check_pod_claims(claims: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for claim in claims.items() {
        let name = claim.field("name");
        name.check_required_rule(names::dns_label_errors, errors);
        check_unique(&name, &mut seen, errors);
        let sources = ["resourceClaimName", "resourceClaimTemplateName"].map(|source| claim.field(source));
        match sources.iter().filter(|source| source.is_set()).count() {
            0 => errors.push(claim.invalid("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")),
            1 => {}
            _ => errors.push(
                claim.invalid("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
            ),
        }
        for source in sources.iter().filter(|source| source.is_set()) {
            source.check_rule(names::dns_subdomain_errors, errors);
        }
    }
}

/// `resources.claims` of a container: which of the pod's it uses.
fn check_claims(claims: &At<'_>, of_pod: &BTreeSet<&str>, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for claim in claims.items() {
        let (name, request) = (claim.field("name").text(), claim.field("request"));
        if name.is_empty() {
            errors.push(claim.required(""));
            continue;
        }
        if !request.text().is_empty() {
            request.check_rule(names::dns_label_errors, errors);
        }
        let overlaps = |(other, part): &(&str, &str)| {
            *other == name && (part.is_empty() || request.text().is_empty() || *part == request.text())
        };
        if seen.iter().any(overlaps) {
            errors.push(FieldError::duplicate(&claim.path, name));
        }
        seen.push((name, request.text()));
        if !of_pod.contains(name) {
            let known: Vec<&str> = of_pod.iter().copied().collect();
            let known = if known.is_empty() { " which is empty".to_owned() } else { format!(": {}", known.join(", ")) };
            let mut error = FieldError::not_found(&claim.path, name);
            error.body.push_str(&format!(": must be one of the names in pod.spec.resourceClaims{known}"));
            errors.push(error);
        }
    }
}
