//! What every server has from its first moment, as `kinds::bootstrap` lists it: some of it whenever a server starts, the
//! rest once.

use crate::error::{Failure, commit_failed};
use crate::server::ApiServer;
use crate::storage;
use bytes::Bytes;
use kinds::Kind;
use meta::object;
use serde_json::{Value, json};
use store::{CommitError, MAX_TXN_OPS, Op, Txn};

/// How often somebody may write one of them meanwhile: components that start early.
const ATTEMPTS: usize = 8;

/// Makes what is missing and completes what somebody has taken parts of, in one transaction as a rule.
pub(crate) async fn always(server: &ApiServer) -> Result<(), Failure> {
    let mut attempt = 1;
    'again: loop {
        for writes in missing(server)?.chunks(MAX_TXN_OPS) {
            let mut txn = Txn::default();
            for (key, revision, value) in writes {
                txn.conditions.push((key.clone(), *revision));
                txn.ops.push(Op::Put { key: key.clone(), value: value.clone() });
            }
            match server.store.commit(txn).await {
                Ok(_) => {}
                Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => {
                    attempt += 1;
                    continue 'again;
                }
                Err(error) => return Err(commit_failed(&error)),
            }
        }
        return Ok(());
    }
}

/// What has to be written: key, the revision it must still have, value.
fn missing(server: &ApiServer) -> Result<Vec<(String, u64, Bytes)>, Failure> {
    let mut writes = Vec::new();
    for expected in kinds::bootstrap::always(server.root_ca()) {
        let Some(kind) = kind_of(&expected) else { continue };
        let key = storage::key(kind, object::namespace(&expected), object::name(&expected));
        let (revision, object) = match server.store.get(&key) {
            None => (0, Some(completed(server, kind, expected))),
            Some(record) => (record.revision, kind.reconcile(&storage::object(kind, &record)?, &expected)),
        };
        if let Some(object) = object {
            writes.push((key, revision, storage::stored_form(kind, &object)));
        }
    }
    Ok(writes)
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
