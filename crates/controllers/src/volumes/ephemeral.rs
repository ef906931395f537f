//! Makes the claims of ephemeral volumes: `POD-VOLUME`, from the volume's template, owned by the pod and gone with it
//! (K:pkg/controller/volume/ephemeral).

use super::Controller;
use crate::engine::Key;
use crate::engine::apply::{Target, has_cause, text};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome};
use crate::events::About;
use crate::world::ephemeral_claim;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod};
use kinds::correlate::Subject;
use kube::{Api, Error};
use serde_json::{Value, json};

impl Controller {
    pub(super) async fn make_claims(&self, key: &Key, written: &Written) -> Outcome {
        let Some(entry) = self.world.pods.get(key) else { return Ok(Next::WhenAdded) };
        let is_missing = |name: &str| {
            let claim = Key { namespace: key.namespace.clone(), name: name.to_owned() };
            self.world.claims.get(&claim).is_none()
        };
        let is_over = entry.facts.deleted || entry.facts.phase.is_terminal();
        let lacks_one = entry.claims.iter().any(|claim| claim.is_ephemeral && is_missing(&claim.name));
        if is_over || !lacks_one {
            return Ok(Next::WhenAdded);
        }
        let pods = Api::<Pod>::namespaced(self.context.client.clone(), &key.namespace);
        let Some(pod) = pods.get_opt(&key.name).await? else { return Ok(Next::WhenAdded) };
        let claims = Target::of::<PersistentVolumeClaim>(&self.context.client, &key.namespace)
            .seen_by(self.world.claims.seen(), written);
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            let Some(template) = volume.ephemeral.as_ref().and_then(|source| source.volume_claim_template.as_ref())
            else {
                continue;
            };
            let name = ephemeral_claim(&key.name, &volume.name);
            if !is_missing(&name) {
                continue;
            }
            match claims.create(&claim(&pod, &name, template)).await {
                Ok(_) => {}
                // It has come meanwhile, or the namespace goes.
                Err(Error::Api(status)) if status.code == 409 || has_cause(&status, "NamespaceTerminating") => {}
                Err(error) => {
                    let message = format!("ephemeral volume {}: create PVC {name}: {}", volume.name, text(&error));
                    let about = About::new("ephemeral_volume", "").subject(subject(&pod));
                    self.recorder.tell(about.warning("FailedBinding", message));
                    return Err(error.into());
                }
            }
        }
        Ok(Next::WhenAdded)
    }
}

fn claim(pod: &Pod, name: &str, template: &PersistentVolumeClaimTemplate) -> Value {
    let (labels, annotations) = match &template.metadata {
        Some(metadata) => (json!(metadata.labels), json!(metadata.annotations)),
        None => (Value::Null, Value::Null),
    };
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid,
                "controller": true, "blockOwnerDeletion": true}],
        },
        "spec": template.spec,
    })
}

fn subject(pod: &Pod) -> Subject {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Subject {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: text(&pod.metadata.namespace),
        name: text(&pod.metadata.name),
        uid: text(&pod.metadata.uid),
        resource_version: text(&pod.metadata.resource_version),
        field_path: String::new(),
    }
}
