//! What every server has from its first moment: the namespaces that clients take for granted.

use crate::error::{Failure, commit_failed};
use crate::server::ApiServer;
use crate::storage;
use serde_json::json;
use store::{CommitError, Op, Txn};

/// K:pkg/controlplane/controller/systemnamespaces, and `default`.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Creates the namespaces that are missing.
pub(crate) async fn namespaces(server: &ApiServer) -> Result<(), Failure> {
    let Some(kind) = kinds::by_resource("", "namespaces") else {
        return Ok(());
    };
    for name in NAMESPACES {
        let key = storage::key(kind, "", name);
        if server.store.get(&key).is_some() {
            continue;
        }
        let mut object = json!({
            "apiVersion": storage::api_version(kind),
            "kind": kind.names().kind,
            "metadata": {
                "name": name,
                "uid": meta::names::uid(server.entropy.as_ref()),
                "creationTimestamp": server.now_text(),
            },
        });
        kind.default(&mut object);
        kind.prepare_create(&mut object);
        kind.default(&mut object);
        let put = Op::Put { key: key.clone(), value: storage::stored_form(kind, &object) };
        let txn = Txn { conditions: vec![(key, 0)], ops: vec![put] };
        match server.store.commit(txn).await {
            // Another request made it meanwhile.
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(commit_failed(&error)),
        }
    }
    Ok(())
}
