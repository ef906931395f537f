//! The context `kiln` in the kubeconfig that the user has: what is put into it, and what is taken out again. Pure.

use serde_json::{Map, Value, json};

/// The name of context, cluster and user.
const NAME: &str = "kiln";
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// What was done to a kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It had no such context.
    Added,
    /// It had one of this server with an older address or certificate.
    Refreshed,
    /// It had it.
    None,
}

/// A kubeconfig with the context in it.
#[derive(Debug, PartialEq)]
pub struct Merged {
    /// All of it.
    pub config: Value,
    /// What became different.
    pub change: Change,
    /// The context that commands use without `--context`.
    pub current: String,
}

/// Why a kubeconfig is left as it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its context, cluster or user `kiln` belongs to something else, which is at this address if it has one.
    Foreign(String),
    /// It is no kubeconfig.
    Unreadable,
}

/// Puts `ours` in, the server's admin kubeconfig. `others` are what else the user's contexts are looked for in: none of them is
/// overruled by becoming the current one.
pub fn merge(existing: Value, ours: &Value, others: &[Value]) -> Result<Merged, Refused> {
    let mut config = whole(existing)?;
    let before = config.clone();
    let had_one = named(&config, "contexts").is_some();
    if let Some(foreign) = foreign(&config, &ca_of(ours), &ours["clusters"][0]["cluster"]["server"]) {
        return Err(Refused::Foreign(foreign));
    }
    for list in LISTS {
        let mut entry = named(ours, list).cloned().unwrap_or_default();
        if let Some(namespace) = named(&config, list).and_then(|entry| entry["context"].get("namespace")) {
            // The user's choice.
            entry["context"]["namespace"] = namespace.clone();
        }
        put(&mut config, list, entry);
    }
    let current = usable_current(&config, others).unwrap_or_else(|| {
        config["current-context"] = NAME.into();
        NAME.to_owned()
    });
    let change = match (had_one, config == before) {
        (_, true) => Change::None,
        (true, false) => Change::Refreshed,
        (false, false) => Change::Added,
    };
    Ok(Merged { config, change, current })
}

/// Takes it out again, if it is that of the server with this authority. `None`: there is nothing to take out.
pub fn forget(existing: Value, ca: &Value) -> Result<Option<Value>, Refused> {
    let mut config = whole(existing)?;
    let before = config.clone();
    if let Some(foreign) = foreign(&config, ca, &Value::Null) {
        return Err(Refused::Foreign(foreign));
    }
    for list in LISTS {
        if let Some(entries) = config[list].as_array_mut() {
            entries.retain(|entry| entry["name"] != NAME);
        }
    }
    if config["current-context"] == NAME {
        config["current-context"] = "".into();
    }
    Ok((config != before).then_some(config))
}

/// The authority that the cluster `kiln` of a kubeconfig is known by.
pub fn ca_of(config: &Value) -> Value {
    named(config, "clusters").map_or(Value::Null, |entry| entry["cluster"]["certificate-authority-data"].clone())
}

/// An empty file is a kubeconfig without anything in it.
fn whole(existing: Value) -> Result<Value, Refused> {
    let mut fields = match existing {
        Value::Null => Map::new(),
        Value::Object(fields) => fields,
        _ => return Err(Refused::Unreadable),
    };
    let is_list = |value: &Value| value.is_array() || value.is_null();
    if !LISTS.iter().all(|list| fields.get(*list).is_none_or(is_list))
        || fields.get("kind").is_some_and(|kind| kind != "Config")
    {
        return Err(Refused::Unreadable);
    }
    for (field, value) in [("apiVersion", "v1"), ("kind", "Config")] {
        fields.entry(field).or_insert_with(|| value.into());
    }
    for list in LISTS {
        let entries = fields.entry(list).or_insert_with(|| json!([]));
        if entries.is_null() {
            *entries = json!([]);
        }
    }
    Ok(Value::Object(fields))
}

fn named<'a>(config: &'a Value, list: &str) -> Option<&'a Value> {
    config[list].as_array()?.iter().find(|entry| entry["name"] == NAME)
}

fn put(config: &mut Value, list: &str, entry: Value) {
    let Some(entries) = config[list].as_array_mut() else { return };
    match entries.iter_mut().find(|entry| entry["name"] == NAME) {
        Some(existing) => *existing = entry,
        None => entries.push(entry),
    }
}

/// Whose the entries called `kiln` are, unless they are ours: a cluster's by its authority, or by its address, at which only one can
/// listen; a user's and a context's by their cluster.
fn foreign(config: &Value, ca: &Value, server: &Value) -> Option<String> {
    let context = named(config, "contexts").map(|entry| &entry["context"]);
    let is_our_context = context.is_none_or(|context| context["cluster"] == NAME && context["user"] == NAME);
    let text = |value: &Value| value.as_str().unwrap_or("another cluster").to_owned();
    match named(config, "clusters").map(|entry| &entry["cluster"]) {
        None if context.is_none() && named(config, "users").is_none() => None,
        None => Some(text(context.map_or(&Value::Null, |context| &context["cluster"]))),
        Some(cluster) => {
            let is_ours =
                cluster["certificate-authority-data"] == *ca || !server.is_null() && cluster["server"] == *server;
            (!is_ours || !is_our_context).then(|| text(&cluster["server"]))
        }
    }
}

/// The current context, if there is such a context anywhere.
fn usable_current(config: &Value, others: &[Value]) -> Option<String> {
    let all = || std::iter::once(config).chain(others);
    let current = all().filter_map(|config| config["current-context"].as_str()).find(|name| !name.is_empty())?;
    let mut contexts = all().filter_map(|config| config["contexts"].as_array()).flatten();
    contexts.any(|context| context["name"] == current).then(|| current.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(port: u16) -> Value {
        json!({
            "clusters": [{ "name": "kiln", "cluster": { "server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": "Q0E=" } }],
            "contexts": [{ "name": "kiln", "context": { "cluster": "kiln", "user": "kiln", "namespace": "default" } }],
            "users": [{ "name": "kiln", "user": { "client-key-data": "a2V5" } }],
        })
    }

    fn prod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod", "odd": 1,
            "clusters": [{ "name": "prod", "cluster": { "server": "https://prod" } }],
            "contexts": [{ "name": "prod", "context": { "cluster": "prod", "user": "ann" } }],
            "users": [{ "name": "ann", "user": { "token": "t" } }],
        })
    }

    fn names(config: &Value, list: &str) -> Vec<String> {
        config[list].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_there_stays_and_stays_current() {
        let merged = merge(prod(), &ours(6443), &[]).unwrap();
        assert_eq!((merged.change, merged.current.as_str()), (Change::Added, "prod"));
        for (list, first) in [("clusters", "prod"), ("contexts", "prod"), ("users", "ann")] {
            assert_eq!(names(&merged.config, list), [first, "kiln"]);
        }
        assert_eq!(merged.config["odd"], 1);
        assert_eq!(forget(merged.config, &"Q0E=".into()).unwrap(), Some(prod()), "and it can be undone");
    }

    #[test]
    fn it_becomes_current_where_nothing_usable_is() {
        let with_current = |current: &str| json!({ "current-context": current });
        for (existing, others, current) in [
            (Value::Null, vec![], "kiln"),
            (with_current(""), vec![], "kiln"),
            (with_current("gone"), vec![], "kiln"),
            (with_current("prod"), vec![prod()], "prod"),
            (Value::Null, vec![prod()], "prod"),
        ] {
            let merged = merge(existing.clone(), &ours(6443), &others).unwrap();
            assert_eq!(merged.current, current, "{existing}");
        }
        let merged = merge(Value::Null, &ours(6443), &[]).unwrap();
        assert_eq!(merged.config["current-context"], "kiln");
        let left = forget(merged.config, &"Q0E=".into()).unwrap().unwrap();
        assert_eq!((&left["current-context"], names(&left, "users")), (&"".into(), vec![]));
    }

    #[test]
    fn an_older_one_of_the_same_server_is_refreshed() {
        let mut first = merge(prod(), &ours(6443), &[]).unwrap().config;
        assert_eq!(merge(first.clone(), &ours(6443), &[]).unwrap().change, Change::None);
        first["contexts"][1]["context"]["namespace"] = "mine".into();
        let moved = merge(first.clone(), &ours(7000), &[]).unwrap();
        assert_eq!(moved.change, Change::Refreshed);
        assert_eq!(moved.config["clusters"][1]["cluster"]["server"], "https://127.0.0.1:7000");
        assert_eq!(moved.config["contexts"][1]["context"]["namespace"], "mine");
        // The data directory was removed: another authority at the same address.
        first["clusters"][1]["cluster"]["certificate-authority-data"] = "b3RoZXI=".into();
        assert_eq!(merge(first, &ours(6443), &[]).unwrap().change, Change::Refreshed);
    }

    #[test]
    fn what_belongs_to_something_else_is_left_alone() {
        let cluster = json!({ "clusters": [{ "name": "kiln", "cluster": { "server": "https://far" } }] });
        let context = json!({ "contexts": [{ "name": "kiln", "context": { "cluster": "brick", "user": "kiln" } }] });
        let user = json!({ "users": [{ "name": "kiln", "user": { "token": "t" } }] });
        for (existing, whose) in [(cluster, "https://far"), (context, "brick"), (user, "another cluster")] {
            let expect = Refused::Foreign(whose.to_owned());
            assert_eq!(merge(existing.clone(), &ours(6443), &[]).unwrap_err(), expect);
            assert_eq!(forget(existing, &"Q0E=".into()).unwrap_err(), expect);
        }
        assert_eq!(forget(prod(), &"Q0E=".into()).unwrap(), None);
    }

    #[test]
    fn what_is_no_kubeconfig_is_left_alone() {
        for odd in [json!("text"), json!([1]), json!({ "clusters": 1 }), json!({ "kind": "Job" })] {
            assert_eq!(merge(odd, &ours(6443), &[]).unwrap_err(), Refused::Unreadable);
        }
    }
}
