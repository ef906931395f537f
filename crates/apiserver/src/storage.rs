//! Objects in the store: their keys, the form they are kept in, and how a revision gets into it on the way out.
//!
//! Every value begins `{"apiVersion":…,"kind":…,"metadata":{`, so that resourceVersion can be spliced in, and a list's
//! item cut out, without parsing.

use crate::error::Failure;
use crate::sealing;
use bytes::Bytes;
use kinds::{KINDS, Kind, Scope};
use meta::status::Status;
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use store::Record;

/// `/group/resource/`: what a kind's objects and events are found under.
pub(crate) fn resource_prefix(kind: &dyn Kind) -> String {
    let (group, plural) = kind.storage();
    let group = if group.is_empty() { "core" } else { group };
    format!("/{group}/{plural}/")
}

/// The prefix of a namespace's objects; of all, when the namespace is empty and the kind lives in namespaces.
pub(crate) fn prefix(kind: &dyn Kind, namespace: &str) -> String {
    let resource = resource_prefix(kind);
    match (kind.names().scope, namespace) {
        (Scope::Namespaced, "") => resource,
        (Scope::Namespaced, _) => format!("{resource}{namespace}/"),
        (Scope::Cluster, _) => format!("{resource}/"),
    }
}

/// One object's key.
pub(crate) fn key(kind: &dyn Kind, namespace: &str, name: &str) -> String {
    let namespace = match kind.names().scope {
        Scope::Namespaced => namespace,
        Scope::Cluster => "",
    };
    format!("{}{namespace}/{name}", resource_prefix(kind))
}

/// `v1`, `batch/v1`.
pub(crate) fn api_version(kind: &dyn Kind) -> String {
    let names = kind.names();
    match names.group {
        "" => names.version.to_owned(),
        group => format!("{group}/{}", names.version),
    }
}

/// What handlers need of a stored object, extracted once.
#[derive(Debug)]
pub(crate) struct View {
    /// The whole object, defaulted, without resourceVersion.
    bytes: Bytes,
    /// Where `"metadata":{` begins.
    head: usize,
    labels: Vec<(String, String)>,
    /// What field selectors may name.
    fields: Vec<(&'static str, String)>,
}

const METADATA: &str = "\"metadata\":{";

impl View {
    /// The view of an object in hand.
    fn of(kind: &dyn Kind, object: &Value, bytes: Bytes) -> Self {
        let labels = meta::object::labels(object).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut fields = kind.selectable_fields(object);
        fields.push(("metadata.name", meta::object::name(object).to_owned()));
        fields.push(("metadata.namespace", meta::object::namespace(object).to_owned()));
        Self { head: head(kind).len(), bytes, labels, fields }
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn field(&self, name: &str) -> String {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// About as many bytes as writing it takes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + 32
    }

    /// Appends the object with its kind and revision.
    pub(crate) fn write_object(&self, out: &mut Vec<u8>, revision: u64) {
        out.extend_from_slice(&self.bytes[..self.head]);
        self.write_rest(out, revision);
    }

    /// Appends the object as a list's item: without apiVersion and kind.
    pub(crate) fn write_item(&self, out: &mut Vec<u8>, revision: u64) {
        out.push(b'{');
        self.write_rest(out, revision);
    }

    fn write_rest(&self, out: &mut Vec<u8>, revision: u64) {
        let after = self.head + METADATA.len();
        out.extend_from_slice(METADATA.as_bytes());
        out.extend_from_slice(b"\"resourceVersion\":\"");
        out.extend_from_slice(revision.to_string().as_bytes());
        // Metadata always has a name, so a comma always fits.
        out.extend_from_slice(b"\",");
        out.extend_from_slice(&self.bytes[after..]);
    }
}

/// What `Record::note` holds: views in the form of the kind it is stored as, and of another that shares its storage.
#[derive(Default)]
struct Note {
    own: OnceLock<Arc<View>>,
    shared: OnceLock<Arc<View>>,
}

fn note(record: &Record) -> Option<&Note> {
    record.note.get_or_init(|| Box::new(Note::default())).downcast_ref()
}

fn is_own_storage(kind: &dyn Kind) -> bool {
    kind.storage() == (kind.names().group, kind.names().plural)
}

/// The view of a record. An error means that the store holds what this server never wrote.
pub(crate) fn view(kind: &dyn Kind, record: &Record) -> Result<Arc<View>, Failure> {
    let slot = note(record).map(|note| match is_own_storage(kind) {
        true => &note.own,
        false => &note.shared,
    });
    if let Some(view) = slot.and_then(OnceLock::get) {
        return Ok(view.clone());
    }
    let object = decode(kind, record)?;
    let encoded = encode(kind, &object);
    // The same bytes, as a rule: then one copy is kept, not two.
    let bytes = match encoded == record.value {
        true => record.value.clone(),
        false => encoded.into(),
    };
    let view = Arc::new(View::of(kind, &object, bytes));
    Ok(match slot {
        Some(slot) => slot.get_or_init(|| view).clone(),
        None => view,
    })
}

/// The object of a record, defaulted and with its resourceVersion.
pub(crate) fn object(kind: &dyn Kind, record: &Record) -> Result<Value, Failure> {
    let mut object = decode(kind, record)?;
    set_revision(&mut object, record.revision);
    Ok(object)
}

/// Writes metadata.resourceVersion.
pub(crate) fn set_revision(object: &mut Value, revision: u64) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), revision.to_string().into());
    }
}

fn decode(kind: &dyn Kind, record: &Record) -> Result<Value, Failure> {
    let unreadable = || {
        let why = sealing::why_sealed(&record.value);
        let text = why.unwrap_or_else(|| "it is damaged".into());
        Failure::from(Status::internal(format!("{} in the store is unreadable: {text}", record.key)))
    };
    let mut object: Value = serde_json::from_slice(&record.value).map_err(|_| unreadable())?;
    if !object["metadata"].is_object() || meta::object::name(&object).is_empty() {
        return Err(unreadable());
    }
    kind.from_storage(&mut object);
    kind.default(&mut object);
    Ok(object)
}

/// The start of every value of a kind.
fn head(kind: &dyn Kind) -> String {
    format!("{{\"apiVersion\":\"{}\",\"kind\":\"{}\",", api_version(kind), kind.names().kind)
}

/// The form that is kept: head, metadata without resourceVersion, the rest in its order.
pub(crate) fn encode(kind: &dyn Kind, object: &Value) -> Vec<u8> {
    let mut out = head(kind).into_bytes();
    out.extend_from_slice(METADATA.as_bytes());
    let mut first = true;
    for (key, value) in object["metadata"].as_object().into_iter().flatten() {
        // Managed fields come last: whoever reads an object reads what it says first, and the same object is the same
        // bytes whichever way it was made.
        if matches!(key.as_str(), "resourceVersion" | "managedFields" | "selfLink") {
            continue;
        }
        write_pair(&mut out, &mut first, key, value);
    }
    if let Some(entries) = object["metadata"].get("managedFields").filter(|entries| !entries.is_null()) {
        write_pair(&mut out, &mut first, "managedFields", entries);
    }
    out.push(b'}');
    first = false;
    for (key, value) in object.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            write_pair(&mut out, &mut first, key, value);
        }
    }
    out.push(b'}');
    out
}

fn write_pair(out: &mut Vec<u8>, first: &mut bool, key: &str, value: &Value) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, key).expect("a Vec takes every write");
    out.push(b':');
    serde_json::to_writer(&mut *out, value).expect("a Vec takes every write");
}

/// What to store for an object of this kind.
pub(crate) fn stored_form(kind: &dyn Kind, object: &Value) -> Bytes {
    if is_own_storage(kind) {
        return encode(kind, object).into();
    }
    let (group, plural) = kind.storage();
    let mut object = object.clone();
    kind.to_storage(&mut object);
    let owner = KINDS.iter().find(|other| (other.names().group, other.names().plural) == (group, plural));
    match owner {
        Some(owner) => encode(*owner, &object).into(),
        None => encode(kind, &object).into(),
    }
}

/// Remembers what is known of a record just written, so that nobody has to parse it.
pub(crate) fn remember(kind: &dyn Kind, record: &Record, object: &Value) {
    if is_own_storage(kind)
        && let Some(note) = note(record)
    {
        let _ = note.own.set(Arc::new(View::of(kind, object, record.value.clone())));
    }
}
