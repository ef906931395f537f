//! `metadata.managedFields`: who wrote which fields last, and with what kind of request
//! (K:apimachinery/pkg/util/managedfields).

use super::compare::Changes;
use super::set::Set;
use super::step::Step;
use super::wire;
use serde_json::{Map, Value};

/// Entries of updates beyond this many are joined, the oldest first.
const MAX_UPDATERS: usize = 10;
/// The manager that joined entries go by.
const ANCIENT: &str = "ancient-changes";
/// Whoever does not say who he is.
const UNKNOWN: &str = "unknown";

/// With what kind of request fields were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply: what the manager leaves out next time goes.
    Apply,
    /// Everything else.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One manager's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Who: `kubectl-create`, `kube-controller-manager`.
    pub manager: String,
    /// How.
    pub operation: Operation,
    /// The version the fields are named in.
    pub api_version: String,
    /// Through which subresource; empty for none.
    pub subresource: String,
    /// When the manager last changed something, RFC 3339.
    pub time: Option<String>,
    /// Canonical FieldsV1. Most writes only look something up in it.
    fields: Value,
}

impl Entry {
    /// An entry for these fields.
    pub fn new(writer: &Writer<'_>, operation: Operation, fields: &Set) -> Self {
        let manager = if writer.manager.is_empty() { UNKNOWN } else { writer.manager };
        Self {
            manager: manager.to_owned(),
            operation,
            api_version: writer.api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: None,
            fields: wire::print(fields),
        }
    }

    /// The fields as a set.
    pub fn set(&self) -> Set {
        wire::parse(&self.fields).unwrap_or_default()
    }

    /// Whether this is where `writer`'s fields belong. An applier is the same in every version.
    pub fn is_of(&self, writer: &Writer<'_>, operation: Operation) -> bool {
        let manager = if writer.manager.is_empty() { UNKNOWN } else { writer.manager };
        self.operation == operation
            && self.manager == manager
            && self.subresource == writer.subresource
            && (operation == Operation::Apply || self.api_version == writer.api_version)
    }

    /// Takes fields away; false when none is left.
    pub(super) fn lose(&mut self, fields: &Set) -> bool {
        if !wire::overlaps(&self.fields, fields) {
            return true;
        }
        let left = self.set().difference(fields);
        self.fields = wire::print(&left);
        !left.is_empty()
    }

    fn gain(&mut self, fields: &Set) {
        if !wire::covers(&self.fields, fields) {
            self.fields = wire::print(&self.set().union(fields));
        }
    }

    /// Entries that agree in this are one entry.
    fn identity(&self) -> (Operation, &str, &str, &str) {
        let version = if self.operation == Operation::Apply { "" } else { self.api_version.as_str() };
        (self.operation, &self.manager, version, &self.subresource)
    }

    /// Seconds do not matter beyond their order, and RFC 3339 in UTC sorts by time.
    fn age(&self) -> &str {
        self.time.as_deref().unwrap_or("")
    }
}

/// Who writes, as what, when.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The request's fieldManager, or the start of its User-Agent.
    pub manager: &'a str,
    /// The version of the request's path.
    pub api_version: &'a str,
    /// The subresource written; empty for none.
    pub subresource: &'a str,
    /// Now, RFC 3339 to the second.
    pub now: &'a str,
}

/// Whether a request asks to forget who owns what: an empty list, or a list of one empty entry.
pub fn is_reset(managed_fields: &Value) -> bool {
    match managed_fields.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(entry)]) => entry.values().all(Value::is_null),
        _ => false,
    }
}

/// Reads managedFields as a client wrote it; fields become canonical.
pub fn read(managed_fields: &Value) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, entry) in managed_fields.as_array().into_iter().flatten().enumerate() {
        let entry = read_entry(entry, index)?;
        match entries.iter_mut().find(|known| known.identity() == entry.identity()) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

fn read_entry(entry: &Value, index: usize) -> Result<Entry, String> {
    let text = |field: &str| entry[field].as_str().unwrap_or("").to_owned();
    let operation = match entry["operation"].as_str() {
        Some("Apply") => Operation::Apply,
        Some("Update") => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType").as_str() {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
        other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}")),
    }
    Ok(Entry {
        manager: text("manager"),
        operation,
        api_version,
        subresource: text("subresource"),
        time: entry["time"].as_str().map(str::to_owned),
        fields: wire::print(&wire::parse(&entry["fieldsV1"])?),
    })
}

/// Takes apart what this server itself wrote.
pub fn read_own(managed_fields: Value) -> Vec<Entry> {
    let Value::Array(entries) = managed_fields else { return Vec::new() };
    let read = |mut entry: Value| {
        let mut take = |field: &str| match entry.get_mut(field).map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (manager, api_version, subresource) = (take("manager"), take("apiVersion"), take("subresource"));
        let operation = if take("operation") == "Apply" { Operation::Apply } else { Operation::Update };
        let time = Some(take("time")).filter(|time| !time.is_empty());
        let fields = entry.get_mut("fieldsV1").map(Value::take).unwrap_or_default();
        Entry { manager, operation, api_version, subresource, time, fields }
    };
    entries.into_iter().map(read).collect()
}

/// Entries as they stand in an object, in Kubernetes' order; `None` when there are none.
pub fn write(mut entries: Vec<Entry>) -> Option<Value> {
    if entries.is_empty() {
        return None;
    }
    entries.sort_by(|left, right| {
        let key = |entry: &Entry| (entry.operation.name(), entry.age().to_owned());
        key(left).cmp(&key(right)).then_with(|| left.identity().cmp(&right.identity()))
    });
    Some(entries.into_iter().map(write_entry).collect())
}

fn write_entry(entry: Entry) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        if value != "" {
            fields.insert(name.to_owned(), value);
        }
    };
    put("manager", entry.manager.into());
    put("operation", entry.operation.name().into());
    put("apiVersion", entry.api_version.into());
    put("time", entry.time.unwrap_or_default().into());
    put("fieldsType", "FieldsV1".into());
    put("fieldsV1", entry.fields);
    put("subresource", entry.subresource.into());
    Value::Object(fields)
}

/// Records a write that was no apply: the writer takes what changed, and nobody owns what is gone
/// (K:structured-merge-diff merge/update.go Update). `changes_at` tells what changed as other versions name it; `None`
/// when there is no such version, whose entries go.
pub fn update(
    entries: &mut Vec<Entry>,
    changes: &Changes,
    writer: &Writer<'_>,
    changes_at: &mut dyn FnMut(&str) -> Option<Changes>,
) {
    let mut gained = changes.set.difference(&changes.removed);
    strip(&mut gained);
    let touched = changes.touched();
    entries.retain_mut(|entry| {
        if entry.api_version != writer.api_version {
            return changes_at(&entry.api_version).is_some_and(|changes| entry.lose(&changes.touched()));
        }
        if entry.is_of(writer, Operation::Update) {
            return entry.lose(&changes.removed) || !gained.is_empty();
        }
        entry.lose(&touched)
    });
    if !gained.is_empty() {
        let mine = entries.iter_mut().find(|entry| entry.is_of(writer, Operation::Update));
        let mine = match mine {
            Some(mine) => {
                mine.gain(&gained);
                mine
            }
            None => {
                entries.push(Entry::new(writer, Operation::Update, &gained));
                entries.last_mut().expect("it was just pushed")
            }
        };
        mine.time = Some(writer.now.to_owned());
    }
    cap(entries);
}

/// Joins the oldest updaters of each version until few enough are left.
fn cap(entries: &mut Vec<Entry>) {
    let n_updaters = entries.iter().filter(|entry| entry.operation == Operation::Update).count();
    if n_updaters <= MAX_UPDATERS {
        return;
    }
    let (mut updaters, mut others): (Vec<Entry>, Vec<Entry>) =
        entries.drain(..).partition(|entry| entry.operation == Operation::Update);
    updaters.sort_by(|left, right| left.age().cmp(right.age()).then_with(|| left.identity().cmp(&right.identity())));
    let mut n_left = updaters.len();
    let mut kept: Vec<Entry> = Vec::with_capacity(n_left);
    for entry in updaters {
        let first = kept.iter_mut().find(|first| first.api_version == entry.api_version);
        match first {
            Some(first) if MAX_UPDATERS < n_left => {
                ANCIENT.clone_into(&mut first.manager);
                first.subresource.clear();
                first.gain(&entry.set());
                first.time = entry.time;
                n_left -= 1;
            }
            _ => kept.push(entry),
        }
    }
    others.append(&mut kept);
    *entries = others;
}

/// Takes out what nobody owns: what an object is called and what only the server writes
/// (K:managedfields/internal/stripmeta.go).
pub(super) fn strip(fields: &mut Set) {
    const METADATA: [&str; 9] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    fields.retain(|step, node| {
        let Step::Field(name) = step else { return };
        match name.as_ref() {
            "apiVersion" | "kind" => node.is_member = false,
            "metadata" => {
                node.is_member = false;
                node.below.retain(|step, node| {
                    if matches!(step, Step::Field(name) if METADATA.contains(&name.as_ref())) {
                        node.is_member = false;
                    }
                });
            }
            _ => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::compared;
    use super::*;
    use serde_json::json;

    fn by<'a>(manager: &'a str, now: &'a str) -> Writer<'a> {
        Writer { manager, api_version: "toys/v1", subresource: "", now }
    }

    fn written(entries: &[Entry]) -> Value {
        write(entries.to_vec()).unwrap_or_default()
    }

    fn entry(manager: &str, time: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "toys/v1", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn who_changes_a_field_owns_it() {
        let mut entries = Vec::new();
        let mut change = |old: Value, new: Value, who: &str, now: &str, expect: Value| {
            update(&mut entries, &compared(&old, &new), &by(who, now), &mut |_| None);
            assert_eq!(written(&entries), expect, "{old} {new}");
        };
        let (first, second) = (json!({"n": 1, "t": "x"}), json!({"n": 2, "t": "x"}));
        change(json!({}), first.clone(), "a", "1", json!([entry("a", "1", json!({"f:n": {}, "f:t": {}}))]));
        change(
            first,
            second.clone(),
            "b",
            "2",
            json!([entry("a", "1", json!({"f:t": {}})), entry("b", "2", json!({"f:n": {}}))]),
        );
        // What changes nothing leaves the times; what goes belongs to nobody.
        change(
            second.clone(),
            second.clone(),
            "a",
            "3",
            json!([entry("a", "1", json!({"f:t": {}})), entry("b", "2", json!({"f:n": {}}))]),
        );
        change(second, json!({"n": 2}), "b", "4", json!([entry("b", "2", json!({"f:n": {}}))]));
        change(json!({"n": 2}), json!({"n": 3}), "b", "5", json!([entry("b", "5", json!({"f:n": {}}))]));
        change(json!({"n": 3}), json!({}), "c", "6", json!(null));
    }

    #[test]
    fn names_and_what_the_server_writes_belong_to_nobody() {
        let mut set = wire::parse(&json!({
            "f:apiVersion": {}, "f:kind": {},
            "f:metadata": {".": {}, "f:name": {}, "f:uid": {}, "f:labels": {".": {}, "f:name": {}}},
            "f:spec": {"f:name": {}},
        }))
        .unwrap();
        strip(&mut set);
        let expect = json!({"f:metadata": {"f:labels": {".": {}, "f:name": {}}}, "f:spec": {"f:name": {}}});
        assert_eq!(wire::print(&set), expect);
    }

    #[test]
    fn the_oldest_of_many_updaters_are_joined() {
        let mut entries = Vec::new();
        let mut old = json!({"labels": {}});
        for index in 0..14 {
            let mut new = old.clone();
            new["labels"][format!("l{index:02}")] = json!("x");
            let (manager, now) = (format!("m{index:02}"), format!("{index:02}"));
            update(&mut entries, &compared(&old, &new), &by(&manager, &now), &mut |_| None);
            old = new;
        }
        assert_eq!(entries.len(), MAX_UPDATERS);
        let written = written(&entries);
        let labels = json!({"f:l00": {}, "f:l01": {}, "f:l02": {}, "f:l03": {}, "f:l04": {}});
        assert_eq!(written[0], entry("ancient-changes", "04", json!({"f:labels": labels})));
        assert_eq!(written[1]["manager"], "m05");
    }

    #[test]
    fn entries_of_clients_are_checked_and_made_canonical() {
        let good = json!([{"manager": "a", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:b": {}, "f:a": {".": {}}}}]);
        let entries = read(&good).unwrap();
        assert_eq!(written(&entries)[0]["fieldsV1"].to_string(), r#"{"f:a":{},"f:b":{}}"#);
        assert_eq!(read_own(written(&entries)), entries);
        for (field, value, error) in [
            ("operation", json!("Patch"), "operation must be `Apply` or `Update`"),
            ("apiVersion", json!(""), "apiVersion must not be empty"),
            ("fieldsType", json!(null), "missing fieldsType in managed fields entry 0"),
            ("fieldsType", json!("FieldsV2"), "invalid fieldsType \"FieldsV2\" in managed fields entry 0"),
            ("fieldsV1", json!({"a": {}}), "key must be 2 characters long"),
        ] {
            let mut bad = good.clone();
            bad[0][field] = value;
            assert_eq!(read(&bad).unwrap_err(), error);
        }
        for (list, expect) in
            [(json!([]), true), (json!([{}]), true), (json!(null), false), (good, false), (json!([{}, {}]), false)]
        {
            assert_eq!(is_reset(&list), expect, "{list}");
        }
    }
}
