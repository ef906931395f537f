//! Files of a volume that lie in each other's way: `a` and `a/b`.

use crate::at::At;
use meta::field::quote;
use std::collections::BTreeSet;

/// Texts for all volumes of a pod.
pub(super) fn overlaps(volumes: &At<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for volume in volumes.items() {
        let name = quote(volume.field("name").text());
        for (source, kind, name_field) in
            [("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"), ("downwardAPI", "DownwardAPI", "")]
        {
            let source = volume.field(source);
            warnings.extend(among(&paths(&source), &heading(&name, kind, &source, name_field, "")));
        }
        check_projected(&volume.field("projected"), &name, &mut warnings);
    }
    warnings
}

fn check_projected(projected: &At<'_>, volume: &str, warnings: &mut Vec<String>) {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for source in projected.field("sources").items() {
        if source.value.as_object().is_some_and(|kinds| kinds.values().all(serde_json::Value::is_null)) {
            warnings.push(format!("volume {volume} (Projected) has no sources provided"));
            continue;
        }
        let Some((own, heading)) = projected_source(&source, volume) else { continue };
        warnings.extend(among(&own, &heading));
        let together: BTreeSet<String> = own.iter().chain(&all).cloned().collect();
        let sorted: Vec<String> = together.into_iter().collect();
        warnings.extend(among(&sorted, &heading));
        all.extend(own);
    }
}

/// The paths of one source, and what its overlaps are headed with.
fn projected_source(source: &At<'_>, volume: &str) -> Option<(Vec<String>, String)> {
    for (kind, shown, name_field) in
        [("configMap", "ConfigMap", "name"), ("secret", "Secret", "name"), ("downwardAPI", "DownwardAPI", "")]
    {
        let at = source.field(kind);
        if at.field("items").len() > 0 {
            return Some((paths(&at), heading(volume, shown, &at, name_field, "Projected ")));
        }
    }
    let path = |at: &At<'_>| vec![at.field("path").text().to_owned()];
    let token = source.field("serviceAccountToken");
    if token.is_set() {
        return Some((path(&token), heading(volume, "ServiceAccountToken", &token, "", "Projected ")));
    }
    let bundle = source.field("clusterTrustBundle");
    let name = if bundle.field("name").is_set() { "name" } else { "signerName" };
    bundle.is_set().then(|| (path(&bundle), heading(volume, "ClusterTrustBundle", &bundle, name, "Projected ")))
}

fn heading(volume: &str, kind: &str, source: &At<'_>, name_field: &str, prefix: &str) -> String {
    let name = match name_field {
        "" => String::new(),
        field => format!(" {}", quote(source.field(field).text())),
    };
    format!("volume {volume} ({prefix}{kind}{name}): overlapping paths")
}

fn paths(source: &At<'_>) -> Vec<String> {
    source.field("items").items().map(|item| item.field("path").text().to_owned()).collect()
}

fn is_at_or_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn among(paths: &[String], heading: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for path in paths.iter().map(|path| path.trim_end_matches('/')) {
        let in_the_way = |other: &&&str| is_at_or_below(other, path) || is_at_or_below(path, other);
        if !path.is_empty()
            && let Some(other) = seen.iter().find(in_the_way)
        {
            warnings.push(format!("{heading}: {} with {}", quote(path), quote(other)));
        }
        if !path.is_empty() && !seen.contains(&path) {
            seen.push(path);
        }
    }
    warnings
}
