//! Fields of a Job's spec that the Job controller does not honour yet. Whoever makes it honour one takes its row away.

use crate::at::At;
use crate::pod;
use crate::unsupported::{Unsupported, When, refuse};
use meta::field::FieldError;

/// Names every refused field in the spec of a Job, its template among them. It is looked at beside the rules, last.
pub(crate) fn check(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    crate::unsupported::check(spec, TABLE, errors);
    pod::unsupported::check(&spec.fields(&["template", "spec"]), errors);
}

/// Paths start at the Job's spec.
const TABLE: &[Unsupported] = &[
    refuse("completionMode", When::Is("Indexed"), "use NonIndexed"),
    refuse("podFailurePolicy", When::Set, "leave it out; backoffLimit counts every failed pod"),
    refuse("successPolicy", When::Set, "leave it out; the job succeeds when its completions are reached"),
    refuse("backoffLimitPerIndex", When::Set, "use backoffLimit"),
    refuse("maxFailedIndexes", When::Set, "use backoffLimit"),
    refuse("ttlSecondsAfterFinished", When::Set, "leave it out and delete the job when it is no longer needed"),
];
