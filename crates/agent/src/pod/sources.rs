//! The ConfigMaps, Secrets, volumes and tokens a pod draws on.

use super::watch::Retry;
use futures::{Stream, StreamExt, future, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use kube::Api;
use kube::api::PostParams;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use serde_json::json;
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
    /// Tokens of its ServiceAccount.
    pub tokens: BTreeSet<TokenNeed>,
}

/// What files of volumes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// Which sources have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// One has come, gone or changed.
    One {
        /// Its kind.
        origin: Origin,
        /// metadata.namespace
        namespace: String,
        /// metadata.name
        name: String,
    },
    /// Any may have, while nobody watched.
    Any,
}

impl Needs {
    /// Whether what has changed, in the namespace of those who have these needs, is among them.
    pub fn include(&self, origin: Origin, name: &str) -> bool {
        match origin {
            Origin::ConfigMap => self.config_maps.contains(name),
            Origin::Secret => self.secrets.contains(name),
        }
    }
}

/// Every change of a ConfigMap or Secret, without what is in it.
pub(super) fn changes(client: &kube::Client) -> impl Stream<Item = Change> + use<> {
    let config_maps = changes_of::<ConfigMap>(client, Origin::ConfigMap);
    let secrets = changes_of::<Secret>(client, Origin::Secret);
    stream::select(config_maps, secrets)
}

fn changes_of<K>(client: &kube::Client, origin: Origin) -> impl Stream<Item = Change> + use<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let events = watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), watcher::Config::default());
    events.backoff(Retry::default()).filter_map(move |event| {
        let change = match event {
            Ok(Event::Apply(object) | Event::Delete(object)) => Some(Change::One {
                origin,
                namespace: object.metadata.namespace.unwrap_or_default(),
                name: object.metadata.name.unwrap_or_default(),
            }),
            Ok(Event::InitDone) => Some(Change::Any),
            Ok(Event::Init | Event::InitApply(_)) => None,
            Err(error) => {
                tracing::warn!(%error, "the watch of what volumes are made of was interrupted");
                None
            }
        };
        future::ready(change)
    })
}

/// A token that is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenNeed {
    /// Whom it is for; empty: the API server.
    pub audience: String,
    /// How long it is to live.
    pub seconds: i64,
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What stands in the file.
    pub text: String,
    /// When it has to be replaced by a new one.
    pub refresh_at: Timestamp,
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
    /// By what was asked for.
    pub tokens: BTreeMap<TokenNeed, Token>,
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

/// A token is replaced once it has lived so long, however long it may live (K:pkg/kubelet/token).
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// Asks for tokens of a pod's ServiceAccount, which end with the pod.
pub(super) async fn fetch_tokens(
    client: &kube::Client,
    pod: &Pod,
    needs: &BTreeSet<TokenNeed>,
    now: Timestamp,
) -> Result<BTreeMap<TokenNeed, Token>, kube::Error> {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), super::namespace(pod));
    let mut tokens = BTreeMap::new();
    for need in needs {
        let audiences: Vec<&str> =
            Some(need.audience.as_str()).filter(|audience| !audience.is_empty()).into_iter().collect();
        let request = json!({"spec": {
            "audiences": audiences,
            "expirationSeconds": need.seconds,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": super::name(pod), "uid": super::uid(pod)},
        }});
        let request: TokenRequest = serde_json::from_value(request).map_err(kube::Error::SerdeError)?;
        let answer = api.create_token_request(account, &PostParams::default(), &request).await?;
        let text = answer.status.and_then(|status| status.token).unwrap_or_default();
        tokens.insert(need.clone(), Token { text, refresh_at: refresh_at(need.seconds, now) });
    }
    Ok(tokens)
}

/// When four fifths of its life are over, or after a day.
fn refresh_at(seconds: i64, now: Timestamp) -> Timestamp {
    let life = SignedDuration::from_secs(seconds - seconds / 5).min(LONGEST_LIFE);
    now.checked_add(life).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_well_before_they_end() {
        let begin = Timestamp::UNIX_EPOCH;
        for (seconds, expect) in [(600, 480), (3607, 2886), (86_400, 69_120), (1_000_000, 86_400)] {
            assert_eq!(refresh_at(seconds, begin).as_second(), expect, "{seconds}");
        }
    }
}
