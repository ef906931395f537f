//! Puts back what every namespace has (`kinds::namespace::furniture`): somebody deletes the `default` ServiceAccount, or
//! changes `kube-root-ca.crt`, or the server has a new CA. A new namespace is made with both.

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::Target;
use crate::engine::cache::{Cache, Entry};
use crate::engine::queue::{Next, Outcome, Queue};
use futures::future::{join, join4};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kinds::namespace::{ROOT_CA, furniture, is_root_ca_map};
use kube::runtime::watcher;
use kube::{Api, Error};
use serde_json::Value;
use std::sync::Arc;

/// A namespace: is it on its way out?
struct Going(bool);
/// One piece of furniture: is it as it should be?
struct Right(bool);

impl Entry for Going {}
impl Entry for Right {}

struct Controller {
    context: Context,
    namespaces: Cache<Going>,
    accounts: Cache<Right>,
    maps: Cache<Right>,
}

/// Returns what runs the controller.
pub fn start(context: &Context) -> impl Future<Output = ()> + use<> {
    let controller = Arc::new(Controller {
        context: context.clone(),
        namespaces: Cache::default(),
        accounts: Cache::default(),
        maps: Cache::default(),
    });
    let queue: Queue<String> = Queue::default();
    let adder = queue.clone();
    controller.namespaces.on_change(move |change| adder.add(change.key.name.clone()));
    for cache in [&controller.accounts, &controller.maps] {
        let adder = queue.clone();
        cache.on_change(move |change| adder.add(change.key.namespace.clone()));
    }
    async move {
        let client = &controller.context.client;
        let root_ca = controller.context.root_ca.clone();
        let namespaces = controller.namespaces.clone().run(Api::<Namespace>::all(client.clone()), |_, namespace| {
            Going(namespace.metadata.deletion_timestamp.is_some())
        });
        let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let accounts =
            controller
                .accounts
                .clone()
                .follow(Api::<ServiceAccount>::all(client.clone()), named("default"), |_, _| Right(true));
        let maps =
            controller.maps.clone().follow(Api::<ConfigMap>::all(client.clone()), named(ROOT_CA), move |_, map| {
                let map = serde_json::to_value(map).unwrap_or_default();
                Right(root_ca.as_deref().is_none_or(|root_ca| is_root_ca_map(&map, root_ca)))
            });
        let work = async {
            // What is not listed yet is not missing.
            join(controller.namespaces.is_filled(), join(controller.accounts.is_filled(), controller.maps.is_filled()))
                .await;
            queue
                .work(|namespace, _| {
                    let controller = controller.clone();
                    async move { controller.furnish(&namespace).await }
                })
                .await;
        };
        join4(namespaces, accounts, maps, work).await;
    }
}

impl Controller {
    async fn furnish(&self, namespace: &str) -> Outcome {
        let key = Key { namespace: String::new(), name: namespace.to_owned() };
        let is_staying = self.namespaces.get(&key).is_some_and(|namespace| !namespace.0);
        if !is_staying {
            return Ok(Next::WhenAdded);
        }
        for (plural, object) in furniture(namespace, self.context.root_ca.as_deref()) {
            let key = Key { namespace: namespace.to_owned(), name: meta::object::name(&object).to_owned() };
            match plural {
                "serviceaccounts" => {
                    let target = Target::of::<ServiceAccount>(&self.context.client, namespace);
                    put(&target, self.accounts.get(&key).is_some(), true, &object).await?;
                }
                _ => {
                    let found = self.maps.get(&key);
                    let target = Target::of::<ConfigMap>(&self.context.client, namespace);
                    put(&target, found.is_some(), found.is_none_or(|found| found.0), &object).await?;
                }
            }
        }
        Ok(Next::WhenAdded)
    }
}

async fn put(target: &Target<'_>, exists: bool, is_right: bool, object: &Value) -> kube::Result<()> {
    let written = match (exists, is_right) {
        (true, true) => return Ok(()),
        (true, false) => target.put(meta::object::name(object), object).await,
        (false, _) => target.create(object).await,
    };
    match written {
        // Somebody was faster, or the namespace has gone meanwhile; a change will come through the caches.
        Err(Error::Api(status)) if matches!(status.code, 404 | 409) || is_terminating(&status.message) => Ok(()),
        written => written.map(drop),
    }
}

fn is_terminating(message: &str) -> bool {
    message.contains("because it is being terminated")
}
