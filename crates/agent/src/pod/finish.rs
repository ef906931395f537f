//! The end of a pod's work: what is done once nothing of it runs any more, in an order that may be interrupted at any point.

use super::plan::{Intent, Preparation, Why};
use super::watch::Context;
use super::worker::{Latest, Outcome, Worker, Written};
use super::{is_terminal, name, namespace};
use crate::runtime::PodSandbox;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use std::path::PathBuf;
use std::time::Duration;

/// Waits between tries when the API server or the runtime fails: doubling, for ever, since only their recovery can help.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const MAX_RETRY: Duration = Duration::from_secs(5);

impl Worker {
    /// Nothing runs and nothing will: last status, sandbox, directory, and the object if that was asked for, in this order.
    pub(super) async fn finish(mut self, mut latest: Latest, mut intent: Intent) -> Outcome {
        let mut is_over = false;
        loop {
            let is_someones_last_word = matches!(intent, Intent::Stop(Why::Gone | Why::ServerEnds));
            if is_someones_last_word {
                break;
            }
            let status = self.status(&latest.pod, &intent);
            is_over = status.phase.as_deref().is_some_and(is_terminal);
            match self.write(&latest.pod, status).await {
                Written::Done => break,
                Written::Gone => self.found_gone = true,
                Written::Failed => self.pause().await,
            }
            let newer = self.newest();
            if newer.is_gone || newer.server_ends {
                latest = newer;
                intent = self.intent(&latest);
            }
        }
        self.clean_up(&latest.pod).await;
        let latest = self.newest();
        let is_wanted_gone = latest.pod.metadata.deletion_timestamp.is_some();
        let is_deleted = is_wanted_gone && !latest.is_gone && !latest.server_ends;
        if is_deleted {
            self.delete(&latest.pod).await;
        }
        Outcome { pod: latest.pod, is_over, is_deleted }
    }

    async fn pause(&self) {
        tokio::time::sleep(self.write_retry.unwrap_or(FIRST_RETRY)).await;
    }

    /// Removes sandbox and directory; logs stay until the object goes.
    async fn clean_up(&mut self, pod: &Pod) {
        if let Some(sandbox) = self.sandbox.take() {
            remove_sandbox(&self.context, sandbox.as_ref()).await;
        }
        remove_dir(self.pod_dir(pod)).await;
        self.preparation = Preparation::NotYet;
    }

    /// The last step of a deletion: everything is undone, the object may go.
    async fn delete(&mut self, pod: &Pod) {
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), namespace(pod));
        let at_once = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        let mut wait = None;
        loop {
            match api.delete(name(pod), &at_once).await {
                Ok(_) => return,
                // Not found, or another pod by now.
                Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => return,
                Err(error) => {
                    tracing::warn!(pod = name(pod), %error, "could not delete a pod that has ended");
                }
            }
            let pause = longer(wait);
            wait = Some(pause);
            tokio::time::sleep(pause).await;
            if self.newest().is_gone {
                return;
            }
        }
    }
}

pub(super) fn longer(wait: Option<Duration>) -> Duration {
    wait.map_or(FIRST_RETRY, |wait| (wait * 2).min(MAX_RETRY))
}

/// Removes a sandbox, however often that takes: what cannot be removed now (a process in the kernel) ends some day.
pub(super) async fn remove_sandbox(context: &Context, sandbox: &dyn PodSandbox) {
    let mut wait = None;
    while let Err(error) = sandbox.remove().await {
        tracing::warn!(uid = sandbox.sandbox().pod_uid, %error, "could not remove a pod's sandbox");
        let pause = longer(wait);
        wait = Some(pause);
        tokio::time::sleep(pause).await;
    }
    context.network.release(&sandbox.sandbox().pod_uid);
}

/// Removes a directory and everything in it. A few tries: what is left then goes at the next start.
pub(super) async fn remove_dir(dir: PathBuf) {
    for _ in 0..3 {
        let target = dir.clone();
        let removed = crate::disk::aside(move || crate::trees::remove(&target)).await;
        match removed {
            Ok(Ok(())) => return,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return,
            Ok(Err(error)) => tracing::warn!(dir = %dir.display(), %error, "could not remove a directory"),
            Err(error) => tracing::warn!(%error, "removing a directory was interrupted"),
        }
        tokio::time::sleep(FIRST_RETRY).await;
    }
}
