//! DefaultStorageClass: a claim that says nothing of a class gets the one that is marked as the default
//! (K:plugin/pkg/admission/storage/storageclass/setdefault).

use super::{Operation, Plugin, Request};
use crate::volumes::{BETA_CLASS_ANNOTATION, default_class};
use meta::object;
use meta::status::Status;
use serde_json::Value;

/// Completes claims.
#[derive(Debug)]
pub struct DefaultStorageClass;

impl Plugin for DefaultStorageClass {
    fn name(&self) -> &'static str {
        "DefaultStorageClass"
    }
    fn mutate(&self, request: &Request<'_>, object: &mut Value) -> Result<Vec<String>, Box<Status>> {
        let is_new_claim = request.operation == Operation::Create && request.is_about("", "persistentvolumeclaims");
        // An empty class is one: it asks for a volume of no class.
        let has_class = object["spec"]["storageClassName"].is_string()
            || object::annotations(object).any(|(key, _)| key == BETA_CLASS_ANNOTATION);
        if !is_new_claim || has_class {
            return Ok(Vec::new());
        }
        let classes = request.world.list("storage.k8s.io", "storageclasses", "");
        if let Some(class) = default_class(&classes) {
            object::map(object, "spec").insert("storageClassName".to_owned(), object::name(class).into());
        }
        Ok(Vec::new())
    }
}
