//! What a method and a path ask for. Pure: knows paths, not kinds.

use http::Method;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Resource(ResourcePath),
    /// `/`
    Root,
    /// `/version`
    Version,
    /// `/healthz`, `/livez`, `/readyz`, with or without a check's name after it.
    Health {
        endpoint: &'static str,
        /// Empty: all of them.
        check: String,
    },
    /// `/metrics`
    Metrics,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/VERSION` (empty group) or `/apis/GROUP/VERSION`
    Resources {
        group: String,
        version: String,
    },
    /// `/.well-known/openid-configuration`
    OpenIdConfiguration,
    /// `/openid/v1/jwks`
    JsonWebKeys,
    OpenApiV2,
    OpenApiV3Index,
    /// `/openapi/v3/PATH`
    OpenApiV3(String),
    Unknown,
}

/// A path below a group and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub group: String,
    pub version: String,
    /// Empty when the path names none.
    pub namespace: String,
    pub resource: String,
    /// Empty for collections.
    pub name: String,
    /// Empty for the object itself.
    pub subresource: String,
}

/// Parses a path as it stands in the request line.
pub(crate) fn parse(path: &str) -> Route {
    let Some(segments) = segments(path) else {
        return Route::Unknown;
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [] => Route::Root,
        ["version"] => Route::Version,
        ["healthz", check @ ..] => Route::Health { endpoint: "healthz", check: check.join("/") },
        ["livez", check @ ..] => Route::Health { endpoint: "livez", check: check.join("/") },
        ["readyz", check @ ..] => Route::Health { endpoint: "readyz", check: check.join("/") },
        ["metrics"] => Route::Metrics,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).into()),
        ["api", version] => Route::Resources { group: String::new(), version: (*version).into() },
        ["apis", group, version] => Route::Resources { group: (*group).into(), version: (*version).into() },
        ["api", version, rest @ ..] => below("", version, rest),
        ["apis", group, version, rest @ ..] => below(group, version, rest),
        [".well-known", "openid-configuration"] => Route::OpenIdConfiguration,
        ["openid", "v1", "jwks"] => Route::JsonWebKeys,
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", rest @ ..] => Route::OpenApiV3(rest.join("/")),
        _ => Route::Unknown,
    }
}

/// Decoded segments without empty ones at the end; `None` when one is empty, not text, or could leave its place in a
/// storage key.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.split('/')
        .map(|segment| {
            let segment = crate::query::percent_decode(segment, false)?;
            let odd = segment.is_empty()
                || segment == "."
                || segment == ".."
                || segment.contains(['/', '\\', '%', '\0'])
                || segment.chars().any(char::is_control);
            (!odd).then_some(segment)
        })
        .collect()
}

fn below(group: &str, version: &str, rest: &[&str]) -> Route {
    let of = |namespace: &str, resource: &str, name: &str, subresource: &str| {
        Route::Resource(ResourcePath {
            group: group.into(),
            version: version.into(),
            namespace: namespace.into(),
            resource: resource.into(),
            name: name.into(),
            subresource: subresource.into(),
        })
    };
    match rest {
        // The namespace object itself and its own subresources; everything else below it lives in it.
        ["namespaces", name, sub @ ("status" | "finalize")] => of("", "namespaces", name, sub),
        ["namespaces", namespace, resource] => of(namespace, resource, "", ""),
        ["namespaces", namespace, resource, name] => of(namespace, resource, name, ""),
        ["namespaces", namespace, resource, name, sub] => of(namespace, resource, name, sub),
        [resource] => of("", resource, "", ""),
        [resource, name] => of("", resource, name, ""),
        // Whatever comes after belongs to whom the request is for.
        ["namespaces", namespace, resource, name, "proxy", ..] => of(namespace, resource, name, "proxy"),
        [resource, name, sub] => of("", resource, name, sub),
        [resource, name, "proxy", ..] => of("", resource, name, "proxy"),
        _ => Route::Unknown,
    }
}

/// POST bindings is an older form of POST pods/NAME/binding, in which only the body names the pod.
pub(crate) fn as_binding(path: ResourcePath, verb: Option<Verb>) -> ResourcePath {
    let is_core = path.group.is_empty() && path.version == "v1";
    if is_core && path.resource == "bindings" && path.name.is_empty() && verb == Some(Verb::Create) {
        return ResourcePath { resource: "pods".into(), subresource: "binding".into(), ..path };
    }
    path
}

/// The API's own word for what a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// `None` when no verb has this method here: 405.
    pub(crate) fn of(method: &Method, path: &ResourcePath, watch: bool) -> Option<Self> {
        let collection = path.name.is_empty();
        Some(match *method {
            Method::GET | Method::HEAD if !collection => Self::Get,
            Method::GET | Method::HEAD if watch => Self::Watch,
            Method::GET | Method::HEAD => Self::List,
            Method::POST if collection || !path.subresource.is_empty() => Self::Create,
            Method::PUT if !collection => Self::Update,
            Method::PATCH if !collection => Self::Patch,
            Method::DELETE if !collection => Self::Delete,
            Method::DELETE => Self::DeleteCollection,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> [String; 6] {
        match parse(path) {
            Route::Resource(p) => [p.group, p.version, p.namespace, p.resource, p.name, p.subresource],
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn resource_paths() {
        for (path, expect) in [
            ("/api/v1/pods", ["", "v1", "", "pods", "", ""]),
            ("/api/v1/namespaces/a/pods/b/log", ["", "v1", "a", "pods", "b", "log"]),
            ("/api/v1/namespaces/a", ["", "v1", "", "namespaces", "a", ""]),
            ("/api/v1/namespaces/a/finalize", ["", "v1", "", "namespaces", "a", "finalize"]),
            ("/apis/batch/v1/namespaces/a/jobs/", ["batch", "v1", "a", "jobs", "", ""]),
            ("/apis/batch/v1/namespaces/a/jobs/x%2dy", ["batch", "v1", "a", "jobs", "x-y", ""]),
        ] {
            assert_eq!(resource(path), expect.map(String::from), "{path}");
        }
    }

    #[test]
    fn paths_that_name_nothing() {
        for path in [
            "",
            "x",
            "///",
            "/foo",
            "/api//pods",
            "/api/v1/namespaces/a%2fb/pods",
            "/apis/batch/v1/../..",
            "/api/v1/namespaces/a/pods/b/log/c",
            "/api/v1/pods/%zz",
            "/api/v1/pods/%ff",
            "/api/v1/pods/a%00",
        ] {
            assert_eq!(parse(path), Route::Unknown, "{path:?}");
        }
    }
}
