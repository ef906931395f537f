//! StorageObjectInUseProtection: new claims and volumes get the finalizer that keeps them while they are used
//! (K:plugin/pkg/admission/storage/storageobjectinuseprotection).

use super::{Operation, Plugin, Request};
use crate::volumes::{CLAIM_PROTECTION, VOLUME_PROTECTION};
use meta::object;
use meta::status::Status;
use serde_json::{Value, json};

/// Completes claims and volumes.
#[derive(Debug)]
pub struct StorageObjectInUseProtection;

impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }
    fn mutate(&self, request: &Request<'_>, object: &mut Value) -> Result<Vec<String>, Box<Status>> {
        let finalizer = match () {
            () if request.operation != Operation::Create => return Ok(Vec::new()),
            () if request.is_about("", "persistentvolumeclaims") => CLAIM_PROTECTION,
            () if request.is_about("", "persistentvolumes") => VOLUME_PROTECTION,
            () => return Ok(Vec::new()),
        };
        let is_there = object::finalizers(object).any(|found| found == finalizer);
        if is_there {
            return Ok(Vec::new());
        }
        let finalizers = object::metadata(object).entry("finalizers").or_insert(Value::Null);
        match finalizers {
            Value::Array(finalizers) => finalizers.push(finalizer.into()),
            other => *other = json!([finalizer]),
        }
        Ok(Vec::new())
    }
}
