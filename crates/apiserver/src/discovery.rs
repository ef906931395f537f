//! What is served, told in every dialect of discovery. All of it is derived from `kinds::KINDS`.

use crate::negotiate;
use crate::respond::Answer;
use crate::route::ResourcePath;
use http::header::{ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use kinds::{KINDS, Kind, Scope};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2_BETA1: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
const JSON: &str = "application/json";

/// `/api`; `None` when the client takes none of our forms.
pub(crate) fn core_versions(headers: &HeaderMap) -> Option<Answer> {
    let form = negotiate::pick(headers, &[V2, V2_BETA1, JSON])?;
    let document = match form {
        JSON => json!({
            "kind": "APIVersions",
            "versions": versions(""),
            "serverAddressByClientCIDRs": [],
        }),
        _ => aggregated(form, |group| group.is_empty()),
    };
    Some(tagged(headers, form, &document))
}

/// `/apis`
pub(crate) fn groups(headers: &HeaderMap) -> Option<Answer> {
    let form = negotiate::pick(headers, &[V2, V2_BETA1, JSON])?;
    let document = match form {
        JSON => {
            let groups: Vec<Value> =
                group_names(|group| !group.is_empty()).iter().map(|group| group_json(group)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        _ => aggregated(form, |group| !group.is_empty()),
    };
    Some(tagged(headers, form, &document))
}

/// `/apis/GROUP`
pub(crate) fn group(group: &str) -> Option<Value> {
    if group.is_empty() || versions(group).is_empty() {
        return None;
    }
    let mut document = group_json(group);
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    Some(document)
}

/// `/api/VERSION`, `/apis/GROUP/VERSION`
pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    let kinds = of(group, version);
    if kinds.is_empty() {
        return None;
    }
    let resources: Vec<Value> = kinds.into_iter().flat_map(legacy_entries).collect();
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version(group, version),
        "resources": resources,
    }))
}

/// kubectl looks for custom resources before it says that a kind is unknown, and stumbles when it cannot. There are none.
pub(crate) fn no_custom_resources(path: &ResourcePath, revision: u64) -> Option<Value> {
    let asked = (path.group.as_str(), path.version.as_str(), path.resource.as_str(), path.name.as_str());
    (asked == ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "")).then(|| {
        json!({
            "kind": "CustomResourceDefinitionList",
            "apiVersion": "apiextensions.k8s.io/v1",
            "metadata": {"resourceVersion": revision.to_string()},
            "items": [],
        })
    })
}

fn legacy_entries(kind: &'static dyn Kind) -> Vec<Value> {
    let names = kind.names();
    let namespaced = names.scope == Scope::Namespaced;
    let mut entry = json!({
        "name": names.plural,
        "singularName": names.singular,
        "namespaced": namespaced,
        "kind": names.kind,
        "verbs": names.verbs,
    });
    if !names.short.is_empty() {
        entry["shortNames"] = json!(names.short);
    }
    if !names.categories.is_empty() {
        entry["categories"] = json!(names.categories);
    }
    let mut entries = vec![entry];
    for subresource in names.subresources {
        let (group, version, response) = response_kind(kind, subresource);
        let mut entry = json!({
            "name": format!("{}/{subresource}", names.plural),
            "singularName": "",
            "namespaced": namespaced,
            "kind": response,
            "verbs": subresource_verbs(subresource),
        });
        if (group, version) != (names.group, names.version) {
            entry["group"] = group.into();
            entry["version"] = version.into();
        }
        entries.push(entry);
    }
    entries
}

/// Group, version and kind of what a subresource answers or takes.
pub(crate) fn response_kind(kind: &'static dyn Kind, subresource: &str) -> (&'static str, &'static str, &'static str) {
    let names = kind.names();
    match subresource {
        "binding" => ("", "v1", "Binding"),
        "eviction" => ("policy", "v1", "Eviction"),
        "token" => ("authentication.k8s.io", "v1", "TokenRequest"),
        "exec" => ("", "v1", "PodExecOptions"),
        "attach" => ("", "v1", "PodAttachOptions"),
        "portforward" => ("", "v1", "PodPortForwardOptions"),
        _ => (names.group, names.version, names.kind),
    }
}

/// What can be done with a subresource, by its name.
pub(crate) fn subresource_verbs(subresource: &str) -> &'static [&'static str] {
    match subresource {
        "log" => &["get"],
        "binding" | "eviction" | "token" => &["create"],
        "exec" | "attach" | "portforward" => &["create", "get"],
        "finalize" => &["update"],
        _ => &["get", "patch", "update"],
    }
}

fn aggregated(form: &str, wanted: impl Fn(&str) -> bool) -> Value {
    let version = match form {
        V2 => "apidiscovery.k8s.io/v2",
        _ => "apidiscovery.k8s.io/v2beta1",
    };
    let items: Vec<Value> = group_names(wanted)
        .into_iter()
        .map(|group| {
            let versions: Vec<Value> = versions(group)
                .into_iter()
                .map(|version| {
                    let resources: Vec<Value> = of(group, version).into_iter().map(aggregated_entry).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            json!({
                "metadata": {"name": group, "creationTimestamp": null},
                "versions": versions,
            })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": version,
        "metadata": {},
        "items": items,
    })
}

fn aggregated_entry(kind: &'static dyn Kind) -> Value {
    let names = kind.names();
    let gvk = |(group, version, kind)| json!({"group": group, "version": version, "kind": kind});
    let mut entry = json!({
        "resource": names.plural,
        "responseKind": gvk((names.group, names.version, names.kind)),
        "scope": match names.scope {
            Scope::Namespaced => "Namespaced",
            Scope::Cluster => "Cluster",
        },
        "singularResource": names.singular,
        "verbs": names.verbs,
    });
    if !names.short.is_empty() {
        entry["shortNames"] = json!(names.short);
    }
    if !names.categories.is_empty() {
        entry["categories"] = json!(names.categories);
    }
    if !names.subresources.is_empty() {
        entry["subresources"] = names
            .subresources
            .iter()
            .map(|subresource| {
                json!({
                    "subresource": subresource,
                    "responseKind": gvk(response_kind(kind, subresource)),
                    "verbs": subresource_verbs(subresource),
                })
            })
            .collect();
    }
    entry
}

fn group_json(group: &str) -> Value {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|version| json!({"groupVersion": group_version(group, version), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn group_version(group: &str, version: &str) -> String {
    match group {
        "" => version.to_owned(),
        _ => format!("{group}/{version}"),
    }
}

fn of(group: &str, version: &str) -> Vec<&'static dyn Kind> {
    KINDS.iter().copied().filter(|kind| kind.names().group == group && kind.names().version == version).collect()
}

/// Groups in the order of `KINDS`.
fn group_names(wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for kind in KINDS {
        let group = kind.names().group;
        if wanted(group) && !names.contains(&group) {
            names.push(group);
        }
    }
    names
}

fn versions(group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.names().group == group) {
        if !versions.contains(&kind.names().version) {
            versions.push(kind.names().version);
        }
    }
    versions
}

/// An answer with an ETag, or 304 when the client has it already.
pub(crate) fn tagged(headers: &HeaderMap, content_type: &'static str, document: &Value) -> Answer {
    let text = document.to_string();
    let tag = format!("\"{}\"", hash(text.as_bytes()));
    let has_it = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim() == tag || value.trim() == "*");
    let mut answer = match has_it {
        true => Answer::whole(StatusCode::NOT_MODIFIED, content_type, ""),
        false => Answer::whole(StatusCode::OK, content_type, text),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers.push((ETAG, tag));
    }
    answer.headers.push((VARY, HeaderValue::from_static("Accept")));
    answer
}

/// SHA-256 as upper-case hex, as API servers write their ETags.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}
