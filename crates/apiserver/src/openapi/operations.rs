//! What can be done at which path, from the kinds' names: the part that both versions of OpenAPI share.

use crate::discovery::{response_kind, subresource_verbs};
use kinds::schema::{self, TypeRef};
use kinds::{Kind, Scope};

/// One method at one path.
#[derive(Debug)]
pub struct Operation {
    /// With `{namespace}` and `{name}`.
    pub path: String,
    /// `get`, `post` …
    pub method: &'static str,
    /// `x-kubernetes-action`.
    pub action: &'static str,
    pub id: String,
    /// Group, version and kind of what is acted on.
    pub gvk: [&'static str; 3],
    /// Type of the body, if it takes one that has a type.
    pub body: Option<TypeRef>,
    /// Type of the answer; `None` when it is text or not described.
    pub answer: Option<TypeRef>,
    pub query: Vec<Query>,
}

/// A query parameter: its name and JSON type.
pub type Query = (&'static str, &'static str);

const DRY_RUN: Query = ("dryRun", "string");
const WRITE: &[Query] = &[DRY_RUN, ("fieldManager", "string"), ("fieldValidation", "string")];
const SELECT: &[Query] = &[
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
];
const WATCH: &[Query] = &[("allowWatchBookmarks", "boolean"), ("watch", "boolean")];
const DELETE: &[Query] =
    &[DRY_RUN, ("gracePeriodSeconds", "integer"), ("orphanDependents", "boolean"), ("propagationPolicy", "string")];
const LOG: &[Query] = &[
    ("container", "string"),
    ("follow", "boolean"),
    ("limitBytes", "integer"),
    ("previous", "boolean"),
    ("sinceSeconds", "integer"),
    ("tailLines", "integer"),
    ("timestamps", "boolean"),
];

/// Everything that is served for these kinds, in their order.
pub fn operations(kinds: &[&'static dyn Kind]) -> Vec<Operation> {
    kinds.iter().flat_map(|kind| of_kind(*kind)).collect()
}

fn of_kind(kind: &'static dyn Kind) -> Vec<Operation> {
    let names = kind.names();
    let namespaced = names.scope == Scope::Namespaced;
    let base = match names.group {
        "" => format!("/api/{}", names.version),
        group => format!("/apis/{group}/{}", names.version),
    };
    let collection = match namespaced {
        true => format!("{base}/namespaces/{{namespace}}/{}", names.plural),
        false => format!("{base}/{}", names.plural),
    };
    let item = format!("{collection}/{{name}}");
    let mut found = Vec::new();
    for verb in names.verbs {
        found.extend(match *verb {
            "create" => Some(operation(kind, &collection, "create", "")),
            "list" => Some(operation(kind, &collection, "list", "")),
            "deletecollection" => Some(operation(kind, &collection, "deletecollection", "")),
            "get" | "update" | "patch" | "delete" => Some(operation(kind, &item, verb, "")),
            // Watching is a parameter of list.
            _ => None,
        });
    }
    if namespaced && names.verbs.contains(&"list") {
        let everywhere = format!("{base}/{}", names.plural);
        let mut list = operation(kind, &everywhere, "list", "");
        list.id = format!("list{}{}ForAllNamespaces", group_version(kind), names.kind);
        found.push(list);
    }
    for subresource in names.subresources {
        let path = format!("{item}/{subresource}");
        found.extend(subresource_verbs(subresource).iter().map(|verb| operation(kind, &path, verb, subresource)));
    }
    found
}

fn operation(kind: &'static dyn Kind, path: &str, verb: &str, subresource: &str) -> Operation {
    let names = kind.names();
    let (group, version, acted_on) = match subresource {
        "" => (names.group, names.version, names.kind),
        subresource => response_kind(kind, subresource),
    };
    let gvk = [group, version, acted_on];
    let own = match subresource {
        "log" => None,
        _ => schema::by_kind(&api_version(group, version), acted_on),
    };
    let meta = |name: &str| schema::lookup(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"));
    let list = schema::lookup(&format!("{}List", kind.type_name()));
    let (method, action, body, answer, query) = match verb {
        "create" => ("post", "post", own, own, WRITE.to_vec()),
        "list" => ("get", "list", None, list, [SELECT, WATCH].concat()),
        "deletecollection" => {
            ("delete", "deletecollection", meta("DeleteOptions"), meta("Status"), [SELECT, DELETE].concat())
        }
        "update" => ("put", "put", own, own, WRITE.to_vec()),
        "patch" => ("patch", "patch", None, own, [WRITE, &[("force", "boolean")]].concat()),
        "delete" if kind.returns_deleted() => ("delete", "delete", meta("DeleteOptions"), own, DELETE.to_vec()),
        "delete" => ("delete", "delete", meta("DeleteOptions"), meta("Status"), DELETE.to_vec()),
        _ if subresource == "log" => ("get", "get", None, None, LOG.to_vec()),
        _ => ("get", "get", None, own, Vec::new()),
    };
    let doing = match verb {
        "get" => "read",
        "update" => "replace",
        "deletecollection" => "delete",
        other => other,
    };
    let id = format!(
        "{doing}{}{}{}{}{}",
        group_version(kind),
        if verb == "deletecollection" { "Collection" } else { "" },
        if names.scope == Scope::Namespaced { "Namespaced" } else { "" },
        names.kind,
        capitalized(subresource),
    );
    Operation { path: path.to_owned(), method, action, id, gvk, body, answer, query }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// `BatchV1`, `CoreV1`: of the group only the first part of its name.
fn group_version(kind: &dyn Kind) -> String {
    let names = kind.names();
    let group = names.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
    capitalized(group) + &capitalized(names.version)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
