//! What every server has from its first moment, as `kinds::bootstrap` lists it: some of it whenever a server starts, the
//! rest once.

use crate::error::{Failure, commit_failed};
use crate::server::ApiServer;
use crate::storage;
use kinds::Kind;
use meta::object;
use serde_json::{Value, json};
use store::{CommitError, Op, Txn};

/// Makes what is missing.
pub(crate) async fn always(server: &ApiServer) -> Result<(), Failure> {
    for object in kinds::bootstrap::always() {
        let Some(kind) = kind_of(&object) else { continue };
        let key = storage::key(kind, object::namespace(&object), object::name(&object));
        if server.store.get(&key).is_some() {
            continue;
        }
        let object = completed(server, kind, object);
        let put = Op::Put { key: key.clone(), value: storage::stored_form(kind, &object) };
        match server.store.commit(Txn { conditions: vec![(key, 0)], ops: vec![put] }).await {
            // Another request made it meanwhile.
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(commit_failed(&error)),
        }
    }
    Ok(())
}

/// The kind an object names.
fn kind_of(object: &Value) -> Option<&'static dyn Kind> {
    let api_version = object["apiVersion"].as_str().unwrap_or("");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    kinds::KINDS.iter().copied().find(|kind| kind.names().group == group && object["kind"] == kind.names().kind)
}

/// What has been made once, by resource and name, on the namespace kube-system.
const MADE_ONCE: &str = "kiln.dev/made-once";

/// Makes the objects that were never made here. That one was made is noted in the same transaction.
pub(crate) async fn once(server: &ApiServer) -> Result<(), Failure> {
    for make in kinds::bootstrap::ONCE {
        // Somebody else writes the namespace meanwhile: as often as there are writers, and then it is the next start's.
        for _ in 0..16 {
            match make_once(server, make()).await {
                Ok(()) => break,
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(commit_failed(&error)),
            }
        }
    }
    Ok(())
}

async fn make_once(server: &ApiServer, object: Value) -> Result<(), CommitError> {
    let namespaces = kinds::by_resource("", "namespaces");
    let (Some(kind), Some(namespaces)) = (kind_of(&object), namespaces) else { return Ok(()) };
    let namespace_key = storage::key(namespaces, "", "kube-system");
    let Some(record) = server.store.get(&namespace_key) else { return Ok(()) };
    let Ok(mut namespace) = storage::object(namespaces, &record) else { return Ok(()) };
    let note = format!("{}/{}", crate::error::what(kind.names()), meta::object::name(&object));
    let made =
        meta::object::annotations(&namespace).find(|(key, _)| *key == MADE_ONCE).map(|(_, made)| made.to_owned());
    let mut made: Vec<String> = made.iter().flat_map(|made| made.split(',')).map(str::to_owned).collect();
    if made.contains(&note) {
        return Ok(());
    }
    made.push(note);
    let annotations = meta::object::metadata(&mut namespace).entry("annotations").or_insert(json!({}));
    meta::object::as_map(annotations).insert(MADE_ONCE.into(), made.join(",").into());
    let mut txn = Txn {
        conditions: vec![(namespace_key.clone(), record.revision)],
        ops: vec![Op::Put { key: namespace_key, value: storage::stored_form(namespaces, &namespace) }],
    };
    let key = storage::key(kind, meta::object::namespace(&object), meta::object::name(&object));
    if server.store.get(&key).is_none() {
        let object = completed(server, kind, object);
        txn.conditions.push((key.clone(), 0));
        txn.ops.push(Op::Put { key, value: storage::stored_form(kind, &object) });
    }
    server.store.commit(txn).await.map(drop)
}

/// The object as a create would leave it.
fn completed(server: &ApiServer, kind: &dyn Kind, mut object: Value) -> Value {
    let fields = meta::object::metadata(&mut object);
    fields.insert("uid".into(), meta::names::uid(server.entropy.as_ref()).into());
    fields.insert("creationTimestamp".into(), server.now_text().into());
    kind.default(&mut object);
    crate::handlers::managed::created(kind, &mut object, "kube-apiserver", &server.now_text());
    kind.prepare_create(&mut object);
    kind.default(&mut object);
    object
}
