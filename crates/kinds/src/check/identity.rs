//! What an object says it is: the kind, or what to say instead.

use super::object::{self, Object};
use super::{Finding, Manifest};
use crate::{KINDS, Kind, Names};
use serde_json::Value;

/// The kind of a manifest.
pub(super) fn of(manifest: &Manifest, findings: &mut Vec<Finding>) -> Option<&'static dyn Kind> {
    let text = |field: &str| manifest.object[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let error = |field: &str, what: &str| object::error(manifest, field, what);
    if !manifest.object.is_object() {
        findings.push(error("", "is no object").because(format!("it is {}", shown(&manifest.object))).remedy(
            "write fields: apiVersion, kind, metadata, spec; documents of a file are separated by a line with ---",
        ));
        return None;
    }
    if kind.is_empty() {
        let remedy = "say what it is, e.g. kind: Job";
        findings.push(error("kind", "kind: Required value: kind not set").remedy(remedy));
    }
    if api_version.is_empty() {
        let remedy = match named(kind) {
            Some(names) => format!("{} are of apiVersion: {}", names.plural, api_version_of(names)),
            None => {
                "say of which API it is, e.g. apiVersion: batch/v1 for Jobs and CronJobs, v1 for ConfigMaps".to_owned()
            }
        };
        findings.push(error("apiVersion", "apiVersion: Required value: apiVersion not set").remedy(remedy));
    }
    if kind.is_empty() || api_version.is_empty() {
        return None;
    }
    let found = crate::by_kind(api_version, kind);
    if found.is_none() {
        let what = format!("no matches for kind {kind:?} in version {api_version:?}");
        findings.push(error("kind", &what).remedy(instead(kind)));
    }
    found
}

fn instead(kind: &str) -> String {
    if let Some(names) = named(kind) {
        return format!("write apiVersion: {}", api_version_of(names));
    }
    let distance = |names: &Names| {
        let (wanted, kind) = (names.kind.to_lowercase(), kind.to_lowercase());
        strsim::damerau_levenshtein(&wanted, &kind).min(strsim::damerau_levenshtein(names.plural, &kind))
    };
    let nearest = KINDS.iter().map(|kind| kind.names()).min_by_key(|names| distance(names));
    match nearest.filter(|names| distance(names) <= kind.len() / 3) {
        Some(names) => format!("did you mean kind: {} (apiVersion: {})?", names.kind, api_version_of(names)),
        None => {
            let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.names().kind).collect();
            format!("kiln has no such kind; there are {}", kinds.join(", "))
        }
    }
}

fn named(kind: &str) -> Option<&'static Names> {
    KINDS.iter().map(|found| found.names()).find(|names| names.kind == kind)
}

fn api_version_of(names: &Names) -> String {
    format!("{}/{}", names.group, names.version).trim_start_matches('/').to_owned()
}

fn shown(value: &Value) -> String {
    let text: String = value.to_string().chars().take(40).collect();
    match value {
        Value::Array(_) => "a list".to_owned(),
        _ => text,
    }
}

/// `job.batch/pi`, as kubectl names objects; without a name of its own `job.batch/PREFIX*`.
pub(super) fn title(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let name = match (meta::object::name(object), meta::object::text(object, "generateName")) {
        ("", "") => "?".to_owned(),
        ("", prefix) => format!("{prefix}*"),
        (name, _) => name.to_owned(),
    };
    match crate::by_kind(text("apiVersion"), text("kind")).map(Kind::names) {
        Some(names) if names.group.is_empty() => format!("{}/{name}", names.singular),
        Some(names) => format!("{}.{}/{name}", names.singular, names.group),
        None if text("kind").is_empty() => name,
        None => format!("{}/{name}", text("kind").to_lowercase()),
    }
}

impl Object<'_> {
    /// Whether it is one of these, e.g. `ConfigMap`. No two kinds that are looked for have the same name.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.names().kind == kind
    }
}
