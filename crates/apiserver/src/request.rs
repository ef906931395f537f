//! What a request asks for, in the words that authorization, limits, metrics and the request log share
//! (K:apiserver/pkg/endpoints/request/requestinfo.go). Pure.

use crate::auth::Attributes;
use crate::query::Query;
use crate::route::{ResourcePath, Route, Verb};
use http::Method;
use meta::selector::FieldSelector;

/// A request, classified. Everything of a resource is empty when a path is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// A resource is asked for, not a path.
    pub is_resource: bool,
    /// get, list, watch, create, update, patch, delete, deletecollection; else the method in lower case.
    pub verb: String,
    /// As it stands in the request line.
    pub path: String,
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

impl RequestInfo {
    pub(crate) fn of(route: &Route, method: &Method, path: &str, query: &Query) -> Self {
        let lower = method.as_str().to_ascii_lowercase();
        let Route::Resource(resource) = route else {
            let verb = if lower == "head" { "get".into() } else { lower };
            return Self { verb, path: path.into(), ..Self::default() };
        };
        let verb = Verb::of(method, resource, query.flag("watch"));
        // Who may see one object by name may list and watch it by name: the selector says which.
        let name = match verb {
            Some(Verb::List | Verb::Watch) => selected_name(query).unwrap_or_default(),
            _ => resource.name.clone(),
        };
        Self {
            is_resource: true,
            verb: verb.map_or(lower, |verb| verb.name().into()),
            path: path.into(),
            group: resource.group.clone(),
            version: resource.version.clone(),
            resource: resource.resource.clone(),
            subresource: resource.subresource.clone(),
            namespace: namespace(resource).to_owned(),
            name,
        }
    }

    /// What the authorizer is asked.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            verb: &self.verb,
            group: &self.group,
            resource: &self.resource,
            subresource: &self.subresource,
            namespace: &self.namespace,
            name: &self.name,
            path: (!self.is_resource).then_some(&self.path),
        }
    }

    /// Streams that last as long as their client wants: no deadline holds for them, no place is kept
    /// (K:controlplane/apiserver/config.go BasicLongRunningRequestCheck).
    pub(crate) fn is_long_running(&self) -> bool {
        self.verb == "watch" || matches!(self.subresource.as_str(), "attach" | "exec" | "proxy" | "log" | "portforward")
    }

    /// Whether the request only reads.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// A namespace itself counts as being in it: who may see what is in a namespace may be let see the namespace.
fn namespace(path: &ResourcePath) -> &str {
    match (path.group.as_str(), path.resource.as_str()) {
        ("", "namespaces") => &path.name,
        _ => &path.namespace,
    }
}

fn selected_name(query: &Query) -> Option<String> {
    let selector = FieldSelector::parse(query.text("fieldSelector")).ok()?;
    let name = selector.required("metadata.name")?;
    let can_stand_in_a_path = !matches!(name, "." | "..") && !name.contains(['/', '%']);
    can_stand_in_a_path.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    fn info(method: &str, target: &str) -> RequestInfo {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        RequestInfo::of(&route::parse(path), &method, path, &Query::parse(Some(query)))
    }

    #[test]
    fn requests_are_classified() {
        for (method, target, verb, name, is_long_running) in [
            ("GET", "/api/v1/pods", "list", "", false),
            ("GET", "/api/v1/pods?watch=true", "watch", "", true),
            ("GET", "/api/v1/pods?watch=0", "list", "", false),
            ("GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db", "list", "b", false),
            ("GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3D..", "list", "", false),
            ("GET", "/api/v1/namespaces/a/pods/b", "get", "b", false),
            ("GET", "/api/v1/namespaces/a/pods/b/log", "get", "b", true),
            ("POST", "/api/v1/namespaces/a/pods/b/exec", "create", "b", true),
            ("DELETE", "/apis/batch/v1/namespaces/a/jobs", "deletecollection", "", false),
            ("BREW", "/api/v1/pods", "brew", "", false),
            ("HEAD", "/version", "get", "", false),
        ] {
            let info = info(method, target);
            let found = (info.verb.as_str(), info.name.as_str(), info.is_long_running());
            assert_eq!(found, (verb, name, is_long_running), "{method} {target}");
        }
        let blue = info("GET", "/api/v1/namespaces/blue");
        assert_eq!((blue.namespace.as_str(), blue.name.as_str()), ("blue", "blue"));
        assert_eq!(info("GET", "/api/v1/namespaces").namespace, "");
        assert_eq!(info("GET", "/version").attributes().path, Some("/version"));
        assert_eq!(info("GET", "/api/v1/pods").attributes().path, None);
    }
}
