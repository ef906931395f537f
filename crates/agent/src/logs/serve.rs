//! Answers a request for a container's log: which run is meant, whether it has begun, and its text until it ends if that is wanted.

use super::read::{Found, Options, Reader};
use super::{LogRequest, LogStream};
use crate::pod::{Context, log_dir_name};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use kube::Api;
use meta::status::{GroupResource, Status};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// Looks at a quiet log file again after this long, doubling up to the second: text shows at once while it flows, and a silent
/// container costs a handful of system calls a second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Opens the log that `request` names.
pub(crate) async fn serve(context: &Context, request: LogRequest) -> Result<LogStream, Status> {
    let live = context.live.lock().get(&request.pod_uid).cloned();
    let status = match &live {
        Some(live) => live.borrow().clone(),
        None => match stored_status(context, &request).await? {
            Some(status) => status,
            None => return Ok(futures::stream::empty().boxed()),
        },
    };
    let attempt = attempt(&request, &status).map_err(Status::bad_request)?;
    let pod_dir = log_dir_name(&request.namespace, &request.pod, &request.pod_uid);
    let path = super::path(&context.log_dir.join(pod_dir), &request.container, attempt);
    let end: Option<BoxFuture<'static, ()>> = match live {
        Some(live) if request.follow => Some(Box::pin(run_ended(live, request.container.clone(), attempt))),
        Some(_) | None => None,
    };
    Ok(stream(path, Options::from(&request), end))
}

/// The status of a pod that has no worker; none if it is not on this node yet.
async fn stored_status(context: &Context, request: &LogRequest) -> Result<Option<PodStatus>, Status> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &request.namespace);
    let found = api.get_opt(&request.pod).await.map_err(|error| Status::internal(error.to_string()))?;
    let is_same = |pod: &Pod| pod.metadata.uid.as_deref() == Some(&request.pod_uid);
    let Some(pod) = found.filter(is_same) else {
        let pods = GroupResource { group: "", resource: "pods" };
        return Err(Status::not_found(pods, &request.pod));
    };
    let is_scheduled = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    Ok(is_scheduled.then(|| pod.status.unwrap_or_default()))
}

/// The run that is meant. Errors have the kubelet's words (K:pkg/kubelet validateContainerLogStatus).
fn attempt(request: &LogRequest, status: &PodStatus) -> Result<u32, String> {
    let LogRequest { pod, container, .. } = request;
    let statuses = status.init_container_statuses.iter().flatten();
    let found = statuses.chain(status.container_statuses.iter().flatten()).find(|status| status.name == *container);
    let waiting_to_start = |why: &str| format!("container \"{container}\" in pod \"{pod}\" is waiting to start: {why}");
    let Some(found) = found else {
        return Err(waiting_to_start("ContainerCreating"));
    };
    let restarts = u32::try_from(found.restart_count).unwrap_or(0);
    let state = found.state.as_ref();
    let has_last = found.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
    if request.previous {
        let waits = state.is_some_and(|state| state.waiting.is_some());
        // While the next run is awaited the newest one is the previous one too.
        return match (has_last, waits) {
            (true, true) => Ok(restarts),
            (true, false) => Ok(restarts.saturating_sub(1)),
            (false, _) => Err(format!("previous terminated container \"{container}\" in pod \"{pod}\" not found")),
        };
    }
    let has_begun = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    if has_begun || has_last {
        return Ok(restarts);
    }
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    Err(waiting_to_start(match reason {
        Some("ErrImagePull") => "image can't be pulled",
        Some("ImagePullBackOff") => "trying and failing to pull image",
        Some(reason) => reason,
        None => "ContainerCreating",
    }))
}

/// Resolves when that run of the container is over.
async fn run_ended(mut live: watch::Receiver<PodStatus>, container: String, attempt: u32) {
    // An error means that the worker has ended, and with it the pod.
    let _ = live.wait_for(|status| !runs(status, &container, attempt)).await;
}

fn runs(status: &PodStatus, container: &str, attempt: u32) -> bool {
    let is_that_run = |status: &ContainerStatus| {
        let is_running = status.state.as_ref().is_some_and(|state| state.running.is_some());
        status.name == container && is_running && u32::try_from(status.restart_count) == Ok(attempt)
    };
    let inits = status.init_container_statuses.iter().flatten();
    let apps = status.container_statuses.iter().flatten();
    inits.chain(apps).any(is_that_run)
}

struct Following {
    path: PathBuf,
    options: Options,
    reader: Option<Reader>,
    /// Resolves when nothing more will be written; none once it has.
    end: Option<BoxFuture<'static, ()>>,
    pause: Duration,
}

fn stream(path: PathBuf, options: Options, end: Option<BoxFuture<'static, ()>>) -> LogStream {
    let following = Following { path, options, reader: None, end, pause: SHORTEST_PAUSE };
    futures::stream::unfold(Some(following), |following| async {
        let mut following = following?;
        match following.next().await {
            Ok(Some(text)) => Some((Ok(text), Some(following))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Following {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.read().await? {
                Found::Text(text) => {
                    self.pause = SHORTEST_PAUSE;
                    return Ok(Some(text));
                }
                Found::Enough => return Ok(None),
                Found::End => {}
            }
            let Some(end) = &mut self.end else {
                return Ok(None);
            };
            tokio::select! {
                // What was written before the end is read once more.
                () = end => self.end = None,
                () = tokio::time::sleep(self.pause) => {}
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads off the async threads: a disk may be slow.
    async fn read(&mut self) -> io::Result<Found> {
        let (path, options) = (self.path.clone(), self.options.clone());
        let reader = self.reader.take();
        let read = crate::disk::aside(move || {
            let reader = match reader {
                Some(reader) => Some(reader),
                None => Reader::open(&path, options)?,
            };
            let Some(mut reader) = reader else {
                return Ok((None, Found::End));
            };
            let found = reader.read()?;
            Ok((Some(reader), found))
        });
        let read: io::Result<(Option<Reader>, Found)> = read.await.map_err(io::Error::other)?;
        let (reader, found) = read?;
        self.reader = reader;
        Ok(found)
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
