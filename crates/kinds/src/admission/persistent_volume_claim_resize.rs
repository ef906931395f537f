//! PersistentVolumeClaimResize: a claim grows only if it is bound and its class allows it
//! (K:plugin/pkg/admission/storage/persistentvolume/resize).

use super::{Operation, Plugin, Request, Verdict};
use crate::volumes::{class_name, requested};
use meta::object;
use meta::status::{GroupResource, Status};
use serde_json::Value;

const CLAIMS: GroupResource<'_> = GroupResource { group: "", resource: "persistentvolumeclaims" };

/// Looks at claims that grow.
#[derive(Debug)]
pub struct PersistentVolumeClaimResize;

impl Plugin for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }
    fn validate(&self, request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
        let is_changed_claim = request.operation == Operation::Update && request.is_about("", "persistentvolumeclaims");
        let Some(old) = request.old.filter(|_| is_changed_claim) else { return Ok(Verdict::pass()) };
        let grows = matches!((requested(old), requested(object)), (Some(old), Some(new)) if old < new);
        if !grows {
            return Ok(Verdict::pass());
        }
        let refuse = |detail: &str| Err(Box::new(Status::forbidden(CLAIMS, object::name(object), detail)));
        if old["status"]["phase"] != "Bound" {
            return refuse("Only bound persistent volume claims can be expanded");
        }
        let class = class_name(object);
        let found = match class {
            "" => None,
            class => request.world.get("storage.k8s.io", "storageclasses", "", class),
        };
        let may_grow = class == class_name(old) && found.is_some_and(|class| class["allowVolumeExpansion"] == true);
        if !may_grow {
            return refuse(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
            );
        }
        Ok(Verdict::pass())
    }
}
