//! Fields of a Job's spec that the Job controller does not honour yet. Whoever makes it honour one takes its row away.

use crate::unsupported::{Unsupported, When, refuse};

/// Paths start at the Job's spec.
pub(crate) const TABLE: &[Unsupported] = &[
    refuse("completionMode", When::Is("Indexed"), "use NonIndexed"),
    refuse("podFailurePolicy", When::Set, "leave it out; backoffLimit counts every failed pod"),
    refuse("successPolicy", When::Set, "leave it out; the job succeeds when its completions are reached"),
    refuse("backoffLimitPerIndex", When::Set, "use backoffLimit"),
    refuse("maxFailedIndexes", When::Set, "use backoffLimit"),
    refuse("ttlSecondsAfterFinished", When::Set, "leave it out and delete the job when it is no longer needed"),
];
