//! How verbs name kinds and objects, and where these are on the server. Pure.

use kinds::{Kind, Scope};
use kube::Api;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::Value;

use crate::output::Problem;

/// One object, or a kind of them, that a command line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// The kind's word, as written: `job`, `jobs.batch`, `cj`.
    pub kind: &'a str,
    /// The object's name; none stands for all that a selector finds.
    pub name: Option<&'a str>,
}

/// Reads `TYPE/NAME…`, or `TYPE NAME…`, or `TYPE`, as kubectl does.
pub fn parse(words: &[String]) -> Result<Vec<Named<'_>>, Problem> {
    let with_slash = words.iter().filter(|word| word.contains('/')).count();
    if 0 < with_slash {
        if with_slash < words.len() {
            return Err(Problem::usage("TYPE/NAME and TYPE NAME do not go together")
                .remedy("name every object as TYPE/NAME, e.g. job/pi"));
        }
        return words.iter().map(|word| pair(word)).collect();
    }
    let Some((kind, names)) = words.split_first() else {
        return Err(Problem::usage("no object is named").remedy("name one as TYPE/NAME, e.g. job/pi"));
    };
    if names.is_empty() {
        return Ok(vec![Named { kind, name: None }]);
    }
    Ok(names.iter().map(|name| Named { kind, name: Some(name) }).collect())
}

fn pair(word: &str) -> Result<Named<'_>, Problem> {
    match word.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Named { kind, name: Some(name) })
        }
        _ => Err(Problem::usage(format!("{word:?} is not TYPE/NAME")).remedy("name an object like this: job/pi")),
    }
}

/// The kind that a word means: plural, singular or short name, perhaps with its group: `jobs`, `Job`, `cj`, `jobs.batch`, `jobs.v1.batch`.
pub fn kind_named(word: &str) -> Result<&'static dyn Kind, Problem> {
    let lower = word.to_lowercase();
    let (name, qualifier) = lower.split_once('.').unwrap_or((&lower, ""));
    let found = kinds::KINDS.iter().copied().find(|kind| {
        let names = kind.names();
        let is_called = name == names.plural || name == names.singular || names.short.contains(&name);
        let versioned = format!("{}.{}", names.version, names.group);
        is_called && (qualifier.is_empty() || qualifier == names.group || qualifier == versioned.trim_end_matches('.'))
    });
    found.ok_or_else(|| {
        let known = kinds::KINDS.iter().flat_map(|kind| [kind.names().plural, kind.names().singular]);
        let nearest = known.max_by(|a, b| strsim::jaro_winkler(a, &lower).total_cmp(&strsim::jaro_winkler(b, &lower)));
        Problem::usage(format!("the server doesn't have a resource type {word:?}"))
            .remedy(format!("did you mean {:?}?", nearest.unwrap_or("jobs")))
    })
}

/// The kind an object says it is, if kiln serves it.
pub fn kind_of(object: &Value) -> Option<&'static dyn Kind> {
    kinds::by_kind(object["apiVersion"].as_str()?, object["kind"].as_str()?)
}

/// The kinds that there are, for people who named another.
pub fn served() -> String {
    let names: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.names().plural).collect();
    names.join(", ")
}

/// `job.batch` or `pod`: what stands before the slash where kubectl names an object.
pub fn qualified(kind: &dyn Kind) -> String {
    let names = kind.names();
    if names.group.is_empty() { names.singular.to_owned() } else { format!("{}.{}", names.singular, names.group) }
}

/// `job.batch/pi`: an object as kubectl names it.
pub fn title(object: &Value) -> String {
    let name = meta::object::name(object);
    match kind_of(object) {
        Some(kind) => format!("{}/{name}", qualified(kind)),
        None => format!("{}/{name}", object["kind"].as_str().unwrap_or_default().to_lowercase()),
    }
}

/// The problem of an object whose kind there is not here.
pub fn not_served(object: &Value) -> Problem {
    let text = |field: &str| object[field].as_str().filter(|text| !text.is_empty()).unwrap_or("nothing").to_owned();
    Problem::failed(format!("no matches for kind {:?} in version {:?}", text("kind"), text("apiVersion")))
        .remedy(format!("there are {}", served()))
}

/// `batch/v1`, or `v1`.
pub fn api_version(kind: &dyn Kind) -> String {
    let names = kind.names();
    format!("{}/{}", names.group, names.version).trim_start_matches('/').to_owned()
}

/// `/apis/batch/v1/namespaces/default/jobs`. No namespace is all of them.
pub fn collection(kind: &dyn Kind, namespace: Option<&str>) -> String {
    let names = kind.names();
    let root = if names.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", names.group) };
    let namespace = namespace.filter(|_| names.scope == Scope::Namespaced);
    let namespace = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
    format!("{root}/{}{namespace}/{}", names.version, names.plural)
}

/// The objects of an answer. Those of a list do not say what they are, for the list does.
pub fn items(kind: &dyn Kind, mut answer: Value) -> Result<Vec<Value>, Problem> {
    let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) else {
        return if answer.is_object() { Ok(vec![answer]) } else { Err(unreadable(&answer)) };
    };
    let api_version = api_version(kind);
    let complete = |mut item: Value| {
        let Some(fields) = item.as_object_mut() else { return Err(unreadable(&item)) };
        fields.insert("apiVersion".into(), api_version.as_str().into());
        fields.insert("kind".into(), kind.names().kind.into());
        Ok(item)
    };
    std::mem::take(items).into_iter().map(complete).collect()
}

/// The problem of something that a server sent where an object belongs.
pub fn unreadable(sent: &Value) -> Problem {
    let shown: String = sent.to_string().chars().take(100).collect();
    Problem::internal("the server's answer is unreadable")
        .because(format!("this is no object: {}", crate::output::printable(&shown)))
        .remedy("see what it is that answers: kiln status")
}

/// The objects of a kind, for what needs no more of them than JSON. No namespace is all of them.
pub fn api(client: &kube::Client, kind: &dyn Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    let names = kind.names();
    let resource = ApiResource {
        group: names.group.into(),
        version: names.version.into(),
        api_version: api_version(kind),
        kind: names.kind.into(),
        plural: names.plural.into(),
    };
    match namespace.filter(|_| names.scope == Scope::Namespaced) {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// A request. What people gave as names must have been checked: see `check_name`.
pub fn request(method: &str, path: &str, content_type: &str, body: Vec<u8>) -> http::Request<Vec<u8>> {
    let request = http::Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, content_type);
    request.body(body).expect("paths are made of checked names")
}

/// Names become parts of paths, so they are checked before one is made; otherwise they are the server's to judge.
pub fn check_name(name: &str) -> Result<(), Problem> {
    let is_segment = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    if is_segment && !name.is_empty() && !matches!(name, "." | "..") {
        return Ok(());
    }
    Err(Problem::usage(format!("{name:?} is not a name that an object can have"))
        .remedy("names have letters, digits, - and . only"))
}

/// A namespace's name, checked for use in a path.
pub fn check_namespace(namespace: &str) -> Result<(), Problem> {
    let errors = meta::names::dns_label_errors(namespace);
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::usage(format!("metadata.namespace: {namespace:?} is not a namespace's name"))
        .because(errors.join("\n")))
}

/// What stands at the bottom of an error: `Connection refused` rather than `ServiceError`.
pub fn innermost<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn objects_are_named_as_with_kubectl() {
        let named = |kind, name| Named { kind, name };
        for (line, expect) in [
            ("job/a", vec![named("job", Some("a"))]),
            ("job/a pods/b", vec![named("job", Some("a")), named("pods", Some("b"))]),
            ("jobs a b", vec![named("jobs", Some("a")), named("jobs", Some("b"))]),
            ("jobs", vec![named("jobs", None)]),
        ] {
            assert_eq!(parse(&words(line)).unwrap(), expect, "{line}");
        }
        for line in ["", "job/a b", "job/", "/a", "job/a/b"] {
            assert_eq!(parse(&words(line)).unwrap_err().exit.code(), 2, "{line}");
        }
    }

    #[test]
    fn a_kind_goes_by_many_names() {
        for (word, plural) in [
            ("job", "jobs"),
            ("Jobs", "jobs"),
            ("jobs.batch", "jobs"),
            ("jobs.v1.batch", "jobs"),
            ("cj", "cronjobs"),
            ("po", "pods"),
            ("pods.v1", "pods"),
            ("pvc", "persistentvolumeclaims"),
        ] {
            assert_eq!(kind_named(word).unwrap().names().plural, plural, "{word}");
        }
        for (word, hint) in [("jbos", "jobs"), ("jobs.apps", "jobs"), ("cronjbs", "cronjobs")] {
            let problem = kind_named(word).map(|_| ()).unwrap_err();
            assert!(problem.render().contains(&format!("did you mean {hint:?}?")), "{}", problem.render());
        }
    }

    #[test]
    fn objects_have_a_path_and_a_name() {
        let job = kind_named("job").unwrap();
        assert_eq!(collection(job, Some("default")), "/apis/batch/v1/namespaces/default/jobs");
        assert_eq!(collection(job, None), "/apis/batch/v1/jobs");
        assert_eq!(collection(kind_named("node").unwrap(), Some("default")), "/api/v1/nodes");
        assert_eq!((qualified(job).as_str(), qualified(kind_named("po").unwrap()).as_str()), ("job.batch", "pod"));
    }

    #[test]
    fn odd_answers_are_problems() {
        let (job, json) = (kind_named("job").unwrap(), |text: &str| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(items(job, json(r#"{"items": [{}]}"#)).unwrap()[0]["kind"], "Job");
        assert_eq!(items(job, json(r#"{"kind": "Job"}"#)).unwrap().len(), 1);
        for text in [r#"{"items": [1]}"#, r#"{"items": [{}, []]}"#, "[]", "\"x\""] {
            assert_eq!(items(job, json(text)).unwrap_err().exit.code(), 125, "{text}");
        }
    }

    #[test]
    fn what_could_not_stand_in_a_path_is_refused() {
        for (name, is_good) in
            [("pi-2.x", true), ("system:admin", true), ("", false), ("..", false), ("a b", false), ("a/b?c", false)]
        {
            assert_eq!(check_name(name).is_ok(), is_good, "{name}");
        }
        for (namespace, is_good) in [("default", true), ("a b", false), ("a/b?c", false)] {
            assert_eq!(check_namespace(namespace).is_ok(), is_good, "{namespace}");
        }
    }
}
