//! The ConfigMaps, Secrets and volumes a pod draws on.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret};
use kube::Api;
use std::collections::{BTreeMap, BTreeSet};

/// Names of what is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// PersistentVolumeClaims.
    pub claims: BTreeSet<String>,
}

/// Those of them that exist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    /// By name.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
    /// By name.
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    /// By name: those that the claims are bound to.
    pub volumes: BTreeMap<String, PersistentVolume>,
}

/// Reads what is needed from the API server.
pub(super) async fn fetch(client: &kube::Client, namespace: &str, needs: &Needs) -> Result<Sources, kube::Error> {
    let mut sources = Sources::default();
    for name in &needs.config_maps {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        if let Some(config_map) = api.get_opt(name).await? {
            sources.config_maps.insert(name.clone(), config_map);
        }
    }
    for name in &needs.secrets {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        if let Some(secret) = api.get_opt(name).await? {
            sources.secrets.insert(name.clone(), secret);
        }
    }
    for name in &needs.claims {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
        let Some(claim) = claims.get_opt(name).await? else { continue };
        let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|name| !name.is_empty());
        sources.claims.insert(name.clone(), claim);
        let Some(volume) = volume else { continue };
        let volumes: Api<PersistentVolume> = Api::all(client.clone());
        if let Some(found) = volumes.get_opt(&volume).await? {
            sources.volumes.insert(volume, found);
        }
    }
    Ok(sources)
}
