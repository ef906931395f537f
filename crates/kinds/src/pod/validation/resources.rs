//! Rules for what containers ask for and may use at most.

use crate::at::At;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;

const WRONG_QUANTITY: &str = "must be greater than or equal to 0";

/// `resources` of a container.
pub(super) fn check(resources: &At<'_>, errors: &mut Vec<FieldError>) {
    let (limits, requests) = (resources.field("limits"), resources.field("requests"));
    check_quantities(&limits, errors);
    for (resource, request) in requests.entries() {
        check_name(resource, &request, errors);
        let Some(request) = read(&request, errors) else { continue };
        let Some(limit) = limits.value[resource].as_str().and_then(|limit| limit.parse::<Quantity>().ok()) else {
            continue;
        };
        if limit < request {
            let detail = format!("must be less than or equal to {resource} limit of {limit}");
            errors.push(FieldError::invalid(&requests.path, request.canonical(), &detail));
        }
    }
}

/// A list of resources: known names, nothing below zero.
pub(crate) fn check_quantities(list: &At<'_>, errors: &mut Vec<FieldError>) {
    for (resource, quantity) in list.entries() {
        check_name(resource, &quantity, errors);
        read(&quantity, errors);
    }
}

/// cpu, memory, ephemeral-storage, hugepages-…, or a name with a domain.
fn check_name(resource: &str, at: &At<'_>, errors: &mut Vec<FieldError>) {
    let wrong = names::qualified_name_errors(resource);
    errors.extend(wrong.iter().map(|detail| FieldError::invalid(&at.path, resource, detail)));
    let is_standard = matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with("hugepages-");
    if wrong.is_empty() && !is_standard && !resource.contains('/') {
        let detail = "must be a standard resource type or fully qualified";
        errors.push(FieldError::invalid(&at.path, resource, detail));
    }
}

fn read(at: &At<'_>, errors: &mut Vec<FieldError>) -> Option<Quantity> {
    match at.text().parse::<Quantity>() {
        Ok(quantity) if quantity.is_negative() => {
            errors.push(FieldError::invalid(&at.path, quantity.canonical(), WRONG_QUANTITY));
            None
        }
        Ok(quantity) => Some(quantity),
        Err(wrong) => {
            errors.push(at.invalid(&wrong));
            None
        }
    }
}
