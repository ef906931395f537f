//! Keeps `metadata.managedFields`: each write leaves a note of who wrote which fields
//! (K:apimachinery/pkg/util/managedfields/internal/fieldmanager.go).
//!
//! A write that changes nobody's fields costs a comparison of the two objects, one that changes fields their writer owned
//! already costs a few lookups more: most status writes of controllers.

use super::Call;
use crate::query::FIELD_MANAGER_MAX_BYTES;
use crate::storage;
use kinds::schema::{self, ValueType};
use kinds::{KINDS, Kind, Part};
use meta::fields::{self, Changes, Entry, Set, Step, Writer};
use serde_json::Value;

/// Who a request says it is: its fieldManager, else its User-Agent up to the first slash.
pub(crate) fn manager(call: &Call<'_>) -> String {
    match call.query.text("fieldManager") {
        "" => call.headers.get(http::header::USER_AGENT).map_or(String::new(), |agent| {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            let prefix = agent.split('/').next().unwrap_or("");
            let mut manager = String::new();
            for character in prefix.chars().filter(|character| meta::field::is_printable(*character)) {
                if FIELD_MANAGER_MAX_BYTES < manager.len() + character.len_utf8() {
                    break;
                }
                manager.push(character);
            }
            manager
        }),
        manager => manager.to_owned(),
    }
}

/// The type of the call's objects, for ownership.
pub(crate) fn value_type(kind: &dyn Kind) -> Option<ValueType> {
    schema::lookup(kind.type_name()).map(ValueType::from)
}

/// Fields that a write of this part never changes.
pub(crate) fn ignored(kind: &dyn Kind, part: Part) -> Set {
    let mut ignored = Set::default();
    for path in kind.reset_fields(part) {
        let path: Vec<Step> = path.iter().map(|name| Step::field(name)).collect();
        ignored.insert(&path);
    }
    ignored
}

/// The entries of a new object: all that the request set is its writer's.
pub(crate) fn on_create(call: &Call<'_>, object: &mut Value) {
    created(call.kind, object, &manager(call), &call.server.now_text());
}

/// The entries of an object that `manager` makes now.
pub(crate) fn created(kind: &dyn Kind, object: &mut Value, manager: &str, now: &str) {
    take(object);
    let Some(ty) = value_type(kind) else { return };
    let changes = fields::compare(&Value::Object(serde_json::Map::new()), object, ty);
    let changes = changes.without(&ignored(kind, Part::Spec));
    let api_version = storage::api_version(kind);
    let writer = Writer { manager, api_version: &api_version, subresource: "", now };
    let mut entries = Vec::new();
    fields::update(&mut entries, &changes, &writer, &mut |_| None);
    put(object, entries);
}

/// The entries of `new`, which a request made of `old`. Both are whole, before anything is put back as it was.
pub(crate) fn on_update(call: &Call<'_>, part: Part, old: &Value, new: &mut Value) {
    let given = take(new);
    let kept = &old["metadata"]["managedFields"];
    let mut entries = match given {
        Some(given) if given == *kept => fields::read_own(given),
        // Who owns what cannot be set through a subresource.
        Some(given) if call.path.subresource.is_empty() && fields::is_reset(&given) => Vec::new(),
        Some(given) if call.path.subresource.is_empty() => match fields::read(&given) {
            Ok(entries) if !entries.is_empty() => entries,
            // Clients that do not understand them shall not delete them by accident.
            _ => fields::read_own(kept.clone()),
        },
        _ => fields::read_own(kept.clone()),
    };
    // Of an object that nobody's fields are known of nothing is noted before its first apply.
    if let (false, Some(ty)) = (entries.is_empty(), value_type(call.kind)) {
        let changes = fields::compare(old, new, ty).without(&ignored(call.kind, part));
        if !changes.is_empty() {
            let new: &Value = new;
            record(call, &mut entries, &changes, &mut |version| changes_at(call, version, part, old, new));
        }
    }
    put(new, entries);
}

/// Notes a write's changes.
pub(crate) fn record(
    call: &Call<'_>,
    entries: &mut Vec<Entry>,
    changes: &Changes,
    changes_at: &mut dyn FnMut(&str) -> Option<Changes>,
) {
    let (manager, api_version, now) = (manager(call), storage::api_version(call.kind), call.server.now_text());
    let writer =
        Writer { manager: &manager, api_version: &api_version, subresource: &call.path.subresource, now: &now };
    fields::update(entries, changes, &writer, changes_at);
}

/// What changed as another version of the same stored objects names it.
pub(crate) fn changes_at(call: &Call<'_>, version: &str, part: Part, old: &Value, new: &Value) -> Option<Changes> {
    let is_other = |kind: &&&dyn Kind| kind.storage() == call.kind.storage() && storage::api_version(**kind) == version;
    let other = *KINDS.iter().find(is_other)?;
    let converted = |object: &Value| {
        let mut object = object.clone();
        call.kind.to_storage(&mut object);
        other.from_storage(&mut object);
        object
    };
    let changes = fields::compare(&converted(old), &converted(new), value_type(other)?);
    Some(changes.without(&ignored(other, part)))
}

/// Takes the entries out of an object.
pub(crate) fn take(object: &mut Value) -> Option<Value> {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut)?;
    metadata.shift_remove("managedFields").filter(|entries| !entries.is_null())
}

/// Puts entries into an object that has none.
pub(crate) fn put(object: &mut Value, entries: Vec<Entry>) {
    if let Some(entries) = fields::write(entries) {
        meta::object::metadata(object).insert("managedFields".into(), entries);
    }
}

/// An object that is what it was but for the times at which its fields were written is what it was: writing it would
/// only wake everybody up.
pub(crate) fn keep_times(old: &Value, new: &mut Value) {
    let is_same_without = {
        let fields = |object: &Value| object["metadata"].as_object().map_or(0, serde_json::Map::len);
        fields(old) == fields(new) && same_but_times(old, new)
    };
    if is_same_without {
        let kept = old["metadata"]["managedFields"].clone();
        if !kept.is_null() {
            meta::object::metadata(new).insert("managedFields".into(), kept);
        }
    }
}

fn same_but_times(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return false };
    let same_part = |name: &String, value: &Value| match (name.as_str(), value, new.get(name)) {
        ("metadata", Value::Object(old), Some(Value::Object(new))) => {
            old.iter().all(|(name, value)| match (name.as_str(), new.get(name)) {
                ("resourceVersion", _) => true,
                ("managedFields", Some(new)) => same_entries(value, new),
                (_, other) => other == Some(value),
            })
        }
        (_, value, other) => other == Some(value),
    };
    old.len() == new.len() && old.iter().all(|(name, value)| same_part(name, value))
}

fn same_entries(old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_array(), new.as_array()) else { return false };
    let same = |old: &Value, new: &Value| match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) => ["manager", "operation", "apiVersion", "subresource", "fieldsV1"]
            .iter()
            .all(|field| old.get(*field) == new.get(*field)),
        _ => false,
    };
    // Times order the entries, so that the same ones may stand in another order.
    old.len() == new.len() && old.iter().all(|entry| new.iter().any(|other| same(entry, other)))
}
