//! "did you mean": the field that a misspelt one is near to.

use super::Type;

/// No field is nearly as long; comparing takes time and space by the product of the lengths.
const MAX_BYTES: usize = 64;

/// The field of `ty` nearest to `name`, if any is near: a third of its letters may be wrong.
pub fn nearest(ty: &'static Type, name: &str) -> Option<&'static str> {
    if MAX_BYTES < name.len() {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    let allowed = wanted.chars().count() / 3;
    ty.fields
        .iter()
        .map(|field| {
            let distance = strsim::damerau_levenshtein(&wanted, &field.name.to_ascii_lowercase());
            (distance, field.name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::lookup;

    #[test]
    fn near_fields_are_suggested_and_far_ones_are_not() {
        for (ty, name, expected) in [
            ("io.k8s.api.batch.v1.CronJobSpec", "startingDelineSeconds", Some("startingDeadlineSeconds")),
            ("io.k8s.api.batch.v1.JobSpec", "activeDeradlineSeconds", Some("activeDeadlineSeconds")),
            ("io.k8s.api.batch.v1.JobSpec", "backofflimit", Some("backoffLimit")),
            ("io.k8s.api.batch.v1.JobSpec", "paralellism", Some("parallelism")),
            ("io.k8s.api.batch.v1.JobSpec", "x", None),
            ("io.k8s.api.batch.v1.JobSpec", "restartPolicy", None),
            ("io.k8s.api.core.v1.Container", "TTY", Some("tty")),
            ("io.k8s.api.core.v1.Container", "enviroment", None),
            ("io.k8s.api.core.v1.Container", &"image".repeat(1_000_000), None),
        ] {
            assert_eq!(nearest(lookup(ty).unwrap().ty(), name), expected, "{name}");
        }
    }
}
