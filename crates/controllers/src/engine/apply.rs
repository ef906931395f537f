//! Writes to the API server. Answers are read only for their metadata: controllers learn what they wrote from their caches.

use crate::engine::expectations::{Seen, Written, version};
use futures::stream::{self, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{
    DeleteParams, GetParams, ListParams, ObjectList, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::core::{ApiResource, DynamicResourceScope, Request};
use kube::{Client, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use tokio::task::JoinHandle;

/// Any object, of which only the metadata is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Metadata {
    #[serde(default)]
    pub metadata: ObjectMeta,
}

impl Resource for Metadata {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;
    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }
    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }
    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }
    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// One resource of one namespace, to be written to.
pub struct Target<'a> {
    pub client: &'a Client,
    pub request: Request,
    /// Where the write will show again, if a cache follows the resource.
    pub expected: Option<(&'a Seen, &'a Written)>,
    /// Whose the fields written are in `metadata.managedFields`.
    pub manager: &'static str,
}

/// The field manager of everything here that Kubernetes' controller manager does there.
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

impl<'a> Target<'a> {
    /// Objects of a type known when this is compiled.
    pub fn of<K: Resource<DynamicType = ()>>(client: &'a Client, namespace: &str) -> Self {
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        Self { client, request: Request::new(K::url_path(&(), namespace)), expected: None, manager: CONTROLLER_MANAGER }
    }

    /// Objects of a type known only by name.
    pub fn of_kind(client: &'a Client, kind: &ApiResource, namespace: &str) -> Self {
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        Self {
            client,
            request: Request::new(Metadata::url_path(kind, namespace)),
            expected: None,
            manager: CONTROLLER_MANAGER,
        }
    }

    /// Lets the key rest until the cache has seen what is written.
    pub fn seen_by(mut self, seen: &'a Seen, written: &'a Written) -> Self {
        self.expected = Some((seen, written));
        self
    }

    /// Writes under another manager's name.
    pub fn managed_by(mut self, manager: &'static str) -> Self {
        self.manager = manager;
        self
    }

    fn post_params(&self) -> PostParams {
        PostParams { field_manager: Some(self.manager.to_owned()), ..PostParams::default() }
    }

    fn patch_params(&self) -> PatchParams {
        PatchParams { field_manager: Some(self.manager.to_owned()), ..PatchParams::default() }
    }

    /// GET.
    pub async fn get(&self, name: &str) -> kube::Result<ObjectMeta> {
        let request = self.request.get(&segment(name), &GetParams::default()).map_err(kube::Error::BuildRequest)?;
        let found: Metadata = self.client.request(request).await?;
        Ok(found.metadata)
    }

    /// GET of all.
    pub async fn list(&self) -> kube::Result<Vec<ObjectMeta>> {
        let request = self.request.list(&ListParams::default()).map_err(kube::Error::BuildRequest)?;
        let found: ObjectList<Metadata> = self.client.request(request).await?;
        Ok(found.items.into_iter().map(|object| object.metadata).collect())
    }

    /// POST.
    pub async fn create(&self, object: &impl Serialize) -> kube::Result<ObjectMeta> {
        let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
        let request = self.request.create(&self.post_params(), body);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// After a POST of which nobody knows whether it was done: lets the key rest until the cache has seen what stands with these labels.
    pub async fn expect_what_stands(&self, labels: &str) -> kube::Result<()> {
        let chosen = ListParams::default().labels(labels);
        let request = self.request.list(&chosen).map_err(kube::Error::BuildRequest)?;
        let found: ObjectList<Metadata> = self.client.request(request).await?;
        let versions = found.items.iter().map(|object| version(object.metadata.resource_version.as_deref()));
        if let (Some((seen, written)), Some(newest)) = (self.expected, versions.max()) {
            written.expect(seen, newest);
        }
        Ok(())
    }

    /// POST to a subresource, such as `binding`.
    pub async fn create_in(&self, name: &str, subresource: &str, body: &Value) -> kube::Result<ObjectMeta> {
        let body = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
        let request = self.request.create_subresource(subresource, &segment(name), &self.post_params(), body);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// PUT of the whole object.
    pub async fn put(&self, name: &str, object: &impl Serialize) -> kube::Result<ObjectMeta> {
        let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
        let request = self.request.replace(&segment(name), &PostParams::default(), body);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// PUT to a subresource, such as `finalize`.
    pub async fn replace_in(&self, name: &str, subresource: &str, body: &impl Serialize) -> kube::Result<ObjectMeta> {
        let body = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
        let request = self.request.replace_subresource(subresource, &segment(name), &self.post_params(), body);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// PATCH with a strategic merge.
    pub async fn merge(&self, name: &str, patch: &Value) -> kube::Result<ObjectMeta> {
        let request = self.request.patch(&segment(name), &self.patch_params(), &Patch::Strategic(patch));
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// PATCH of a subresource with a strategic merge.
    pub async fn merge_in(&self, name: &str, subresource: &str, patch: &Value) -> kube::Result<ObjectMeta> {
        let (parameters, patch) = (self.patch_params(), Patch::Strategic(patch));
        let request = self.request.patch_subresource(subresource, &segment(name), &parameters, &patch);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// PATCH of `status` with a JSON merge, in which null removes a field.
    pub async fn replace_status(&self, name: &str, patch: &Value) -> kube::Result<ObjectMeta> {
        let (parameters, patch) = (self.patch_params(), Patch::Merge(patch));
        let request = self.request.patch_subresource("status", &segment(name), &parameters, &patch);
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// DELETE of exactly this object. One that is gone already counts as deleted.
    pub async fn delete(&self, name: &str, uid: &str, policy: PropagationPolicy) -> kube::Result<()> {
        let parameters = DeleteParams {
            propagation_policy: Some(policy),
            preconditions: Some(Preconditions { uid: Some(uid.into()), resource_version: None }),
            ..Default::default()
        };
        let request = self.request.delete(&segment(name), &parameters).map_err(kube::Error::BuildRequest)?;
        gone_is_fine(self.send(request).await.map(drop))
    }

    /// DELETE of exactly this object without any grace. One that is gone already counts as deleted.
    pub async fn delete_now(&self, name: &str, uid: &str) -> kube::Result<()> {
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions { uid: Some(uid.into()), resource_version: None }),
            ..Default::default()
        };
        let request = self.request.delete(&segment(name), &parameters).map_err(kube::Error::BuildRequest)?;
        gone_is_fine(self.send(request).await.map(drop))
    }

    /// PATCH with a JSON merge: lists are replaced as a whole.
    pub async fn replace(&self, name: &str, patch: &Value) -> kube::Result<ObjectMeta> {
        let request = self.request.patch(&segment(name), &self.patch_params(), &Patch::Merge(patch));
        self.send(request.map_err(kube::Error::BuildRequest)?).await
    }

    async fn send(&self, request: http::Request<Vec<u8>>) -> kube::Result<ObjectMeta> {
        let answer: Metadata = self.client.request(request).await?;
        if let Some((seen, written)) = self.expected {
            written.expect(seen, version(answer.metadata.resource_version.as_deref()));
        }
        Ok(answer.metadata)
    }
}

/// A name as it stands in a path, which kube leaves to its callers. Most need nothing; those of roles, and those that
/// people write into references, may hold anything: `a?b` shall not mean `a`.
fn segment(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    if name.bytes().all(is_plain) {
        return name.into();
    }
    let mut segment = String::new();
    for byte in name.bytes() {
        match is_plain(byte) {
            true => segment.push(char::from(byte)),
            false => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment.into()
}

/// Requests under way at a time on behalf of one reconcile.
const WIDTH: usize = 32;

/// Awaits requests side by side, a bounded number at a time; answers in order.
pub async fn side_by_side<F: Future>(requests: Vec<F>) -> Vec<F::Output> {
    stream::iter(requests).buffered(WIDTH).collect().await
}

/// Whether a write may have been done although it was answered with this: the server failed, or did not answer.
pub fn is_unsure(error: &kube::Error) -> bool {
    !matches!(error, kube::Error::Api(status) if status.code < 500)
}

/// Runs a request as a task of its own, so that many of them use every core and take turns with all else that goes on. It is gone
/// when whoever waits for it is.
pub async fn apart<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> T {
    struct Task<T>(JoinHandle<T>);
    impl<T> Drop for Task<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let mut task = Task(tokio::spawn(request));
    match (&mut task.0).await {
        Ok(answer) => answer,
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Treats "not found" and "another object of that name" as success: what was to be changed no longer exists.
pub fn gone_is_fine<T: Default>(result: kube::Result<T>) -> kube::Result<T> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 || is_conflict(&status) => Ok(T::default()),
        other => other,
    }
}

/// 409, but not because a name is taken.
pub fn is_conflict(status: &kube::core::Status) -> bool {
    status.code == 409 && status.reason != "AlreadyExists"
}

/// Whether the server gave this reason among its causes.
pub fn has_cause(status: &kube::core::Status, reason: &str) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == reason)
}

/// What a user is told of an error: the server's own text if it answered.
pub fn text(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn names_stand_in_paths_as_one_segment() {
        for (name, expect) in [
            ("job-1.a", "job-1.a"),
            ("system:node", "system:node"),
            ("a?b", "a%3Fb"),
            ("a#b", "a%23b"),
            ("a/../b", "a%2F..%2Fb"),
            ("a b%é", "a%20b%25%C3%A9"),
        ] {
            assert_eq!(segment(name), expect);
        }
    }
}
