//! Fills in Secrets of type kubernetes.io/service-account-token, and deletes them with their account.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use futures::future::{join, join3};
use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kinds::namespace::ROOT_CA_KEY;
use kinds::service_account::secret::{Decision, Facts, NAME_ANNOTATION, TYPE, UID_ANNOTATION, sync, token_request};
use kube::api::{PostParams, PropagationPolicy};
use kube::runtime::watcher;
use kube::{Api, Error};
use serde_json::{Map, Value, json};
use std::sync::Arc;

struct Account {
    uid: String,
}

impl Entry for Account {}
impl Entry for Facts {
    fn groups(&self, key: &Key) -> Vec<String> {
        vec![secrets_of(&key.namespace, &self.account)]
    }
}

fn secrets_of(namespace: &str, account: &str) -> String {
    format!("{namespace}/{account}")
}

struct Controller {
    context: Context,
    secrets: Cache<Facts>,
    accounts: Cache<Account>,
}

/// Returns what runs the controller.
pub fn start(context: &Context) -> impl Future<Output = ()> + use<> {
    let controller =
        Arc::new(Controller { context: context.clone(), secrets: Cache::default(), accounts: Cache::default() });
    let queue: Queue<Key> = Queue::default();
    let adder = queue.clone();
    controller.secrets.on_change(move |change| adder.add(change.key.clone()));
    let (adder, secrets) = (queue.clone(), controller.secrets.clone());
    controller.accounts.on_change(move |change| {
        for (key, _) in secrets.group(&secrets_of(&change.key.namespace, &change.key.name)) {
            adder.add(key);
        }
    });
    async move {
        let client = &controller.context.client;
        let root_ca = controller.context.root_ca.clone();
        let of_type = watcher::Config::default().fields(&format!("type={TYPE}"));
        let secrets =
            controller.secrets.clone().follow(Api::<Secret>::all(client.clone()), of_type, move |_, secret| {
                facts(&secret, root_ca.as_deref())
            });
        let accounts = controller.accounts.clone().run(Api::<ServiceAccount>::all(client.clone()), |_, account| {
            Account { uid: account.metadata.uid.unwrap_or_default() }
        });
        let work = async {
            join(controller.secrets.is_filled(), controller.accounts.is_filled()).await;
            queue
                .work(|key, _| {
                    let controller = controller.clone();
                    async move { controller.look_at(&key).await }
                })
                .await;
        };
        join3(secrets, accounts, work).await;
    }
}

fn facts(secret: &Secret, root_ca: Option<&str>) -> Facts {
    let annotation = |key: &str| {
        let annotations = secret.metadata.annotations.as_ref();
        annotations.and_then(|annotations| annotations.get(key)).cloned().unwrap_or_default()
    };
    let value = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.as_slice());
    let has_ca = root_ca.is_none_or(|root_ca| value(ROOT_CA_KEY) == Some(root_ca.as_bytes()));
    Facts {
        uid: secret.metadata.uid.clone().unwrap_or_default(),
        account: annotation(NAME_ANNOTATION),
        account_uid: annotation(UID_ANNOTATION),
        has_token: value("token").is_some_and(|token| !token.is_empty()),
        is_whole: has_ca && value("namespace") == secret.metadata.namespace.as_deref().map(str::as_bytes),
        is_going: secret.metadata.deletion_timestamp.is_some(),
    }
}

impl Controller {
    async fn look_at(&self, key: &Key) -> Outcome {
        let Some(secret) = self.secrets.get(key) else { return Ok(Next::WhenAdded) };
        let account = self.uid_of(&key.namespace, &secret.account).await?;
        let target = Target::of::<Secret>(&self.context.client, &key.namespace);
        match (sync(&secret, account.as_deref()), account) {
            (Decision::Keep, _) => {}
            (Decision::Fill, Some(account)) => {
                let Some(token) = self.token(key, &secret).await? else { return Ok(Next::WhenAdded) };
                let patch = self.patch(key, &secret, &account, Some(token));
                gone_is_fine(target.merge(&key.name, &patch).await)?;
            }
            (Decision::Complete, Some(account)) => {
                let patch = self.patch(key, &secret, &account, None);
                gone_is_fine(target.merge(&key.name, &patch).await)?;
            }
            (Decision::Delete | Decision::Fill | Decision::Complete, _) => {
                target.delete(&key.name, &secret.uid, PropagationPolicy::Background).await?;
            }
        }
        Ok(Next::WhenAdded)
    }

    /// An account that the cache has not seen is asked for: it may have been made just before its Secret.
    async fn uid_of(&self, namespace: &str, account: &str) -> kube::Result<Option<String>> {
        let key = Key { namespace: namespace.to_owned(), name: account.to_owned() };
        if let Some(found) = self.accounts.get(&key) {
            return Ok(Some(found.uid.clone()));
        }
        if account.is_empty() {
            return Ok(None);
        }
        match Target::of::<ServiceAccount>(&self.context.client, namespace).get(account).await {
            Ok(found) => Ok(found.uid),
            Err(Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `None`: nobody reaches this server from outside, so it has no tokens; or the Secret or its account has gone or changed
    /// meanwhile, and a change will come through the caches.
    async fn token(&self, key: &Key, secret: &Facts) -> kube::Result<Option<String>> {
        if self.context.root_ca.is_none() {
            return Ok(None);
        }
        let accounts = Api::<ServiceAccount>::namespaced(self.context.client.clone(), &key.namespace);
        let request: TokenRequest =
            serde_json::from_value(token_request(&key.name, &secret.uid)).map_err(Error::SerdeError)?;
        match accounts.create_token_request(&secret.account, &PostParams::default(), &request).await {
            Ok(answer) => Ok(answer.status.and_then(|status| status.token)),
            Err(Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn patch(&self, key: &Key, secret: &Facts, account_uid: &str, token: Option<String>) -> Value {
        let mut data = Map::new();
        let mut put = |name: &str, text: &str| {
            let bytes = ByteString(text.as_bytes().to_vec());
            data.insert(name.into(), serde_json::to_value(bytes).unwrap_or_default());
        };
        put("namespace", &key.namespace);
        if let Some(root_ca) = self.context.root_ca.as_deref() {
            put(ROOT_CA_KEY, root_ca);
        }
        if let Some(token) = token {
            put("token", &token);
        }
        json!({"metadata": {"uid": secret.uid, "annotations": {UID_ANNOTATION: account_uid}}, "data": data})
    }
}
