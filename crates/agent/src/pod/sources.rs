//! The ConfigMaps and Secrets a pod draws on.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use std::collections::{BTreeMap, BTreeSet};

/// Names of what is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
    /// Secrets.
    pub secrets: BTreeSet<String>,
}

/// Those of them that exist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    /// By name.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
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
    Ok(sources)
}
