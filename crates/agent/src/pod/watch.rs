//! Watches the pods of this node and keeps one worker for each that needs one. Workers get the newest object, never "what
//! changed". What no pod accounts for (sandboxes, directories, logs) is removed.

use super::finish::{remove_dir, remove_sandbox};
use super::probes::dial::Dial;
use super::sources::{self, Change};
use super::worker::{Latest, Outcome, Worker};
use super::{Images, is_terminal, log_dir_name, name, namespace, phase, uid};
use crate::dns::facts::PodFacts;
use crate::dns::names::Names;
use crate::events::Recorder;
use crate::network::Network;
use crate::node::Machine;
use crate::runtime::{Handlers, PodSandbox, Runtime};
use crate::volumes;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use meta::clock::Clock;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{self, JoinSet};

/// Sandboxes and containers that are being started at once: more only wait for each other in the kernel.
pub(crate) const STARTS_AT_ONCE: usize = 16;

/// What all workers share.
pub(crate) struct Context {
    pub(crate) client: kube::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) handlers: Handlers,
    pub(crate) images: Arc<dyn Images>,
    pub(crate) recorder: Recorder,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) network: Arc<dyn Network>,
    /// What pods are answered who ask for names, if they can ask.
    pub(crate) names: Option<Arc<RwLock<Names>>>,
    /// Where pods reach the API server.
    pub(crate) api_address: Option<SocketAddr>,
    pub(crate) machine: Machine,
    pub(crate) node_name: String,
    pub(crate) state_dir: PathBuf,
    pub(crate) log_dir: PathBuf,
    pub(crate) volume_dir: PathBuf,
    pub(crate) seccomp_dir: PathBuf,
    pub(crate) pod_max_pids: Option<u64>,
    pub(crate) pods_die_with_server: bool,
    /// Whether they are stopped when the server ends in order.
    pub(crate) pods_end: AtomicBool,
    pub(crate) starts: Semaphore,
    /// Statuses of the pods that have a worker, by uid: newer than what the API server has.
    pub(crate) live: Mutex<HashMap<String, watch::Receiver<PodStatus>>>,
}

impl Context {
    pub(crate) fn pods_dir(&self) -> PathBuf {
        self.state_dir.join("pods")
    }
}

struct Handle {
    latest: watch::Sender<Latest>,
    task: task::Id,
}

/// What comes back through the watch last from a worker that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    /// A terminal phase.
    Written,
    /// The object's end, perhaps much later: finalizers hold it.
    Deleted,
}

struct Dispatcher {
    context: Arc<Context>,
    workers: BTreeMap<String, Handle>,
    tasks: JoinSet<Outcome>,
    /// What no pod accounts for is being removed.
    removals: JoinSet<()>,
    uids: HashMap<task::Id, String>,
    /// Sandboxes of an earlier server that no worker has taken over yet.
    recovered: BTreeMap<String, Arc<dyn PodSandbox>>,
    /// Pods whose worker has ended, until what it wrote comes back through the watch: whatever comes before that is old.
    over: HashMap<String, Over>,
    /// Pods seen in the list that is being read.
    listed: HashSet<String>,
}

/// Runs the pods of this node until `shutdown`.
pub(crate) async fn run(context: Arc<Context>, shutdown: impl Future<Output = ()> + Send) {
    let mut dispatcher = Dispatcher::new(context.clone()).await;
    let mine = format!("spec.nodeName={}", context.node_name);
    let pods: Api<Pod> = Api::all(context.client.clone());
    let config = watcher::Config::default().fields(&mine);
    let mut events = pin!(watcher(pods, config).backoff(Retry::default()));
    let mut changes = pin!(sources::changes(&context.client));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            // In order, not at random: simulations repeat. Nothing starves, as there are only so many tasks to end.
            biased;
            () = &mut shutdown => break,
            Some(ended) = dispatcher.tasks.join_next_with_id() => dispatcher.worker_ended(ended),
            Some(_) = dispatcher.removals.join_next() => {}
            Some(event) = events.next() => match event {
                Ok(event) => dispatcher.take(event),
                Err(error) => tracing::warn!(%error, "the watch of this node's pods was interrupted"),
            },
            Some(change) = changes.next() => dispatcher.source_changed(&change),
        }
    }
    dispatcher.end().await;
}

impl Dispatcher {
    /// One that knows what an earlier server has left.
    async fn new(context: Arc<Context>) -> Self {
        let mut recovered = BTreeMap::new();
        for sandbox in context.runtime.recover().await {
            if let Some(address) = sandbox.sandbox().address {
                context.network.keep(&sandbox.sandbox().pod_uid, address);
            }
            recovered.insert(sandbox.sandbox().pod_uid.clone(), sandbox);
        }
        Self {
            context,
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
            removals: JoinSet::new(),
            uids: HashMap::new(),
            recovered,
            over: HashMap::new(),
            listed: HashSet::new(),
        }
    }

    fn take(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.insert(uid(&pod).to_owned());
                self.upsert(pod);
            }
            Event::InitDone => self.sweep(),
            Event::Apply(pod) => self.upsert(pod),
            Event::Delete(pod) => self.gone(pod),
        }
    }

    fn upsert(&mut self, mut pod: Pod) {
        pod.metadata.managed_fields = None;
        let uid = uid(&pod).to_owned();
        if let Some(names) = &self.context.names {
            names.write().put_pod(PodFacts::of(&pod));
        }
        if is_terminal(phase(&pod)) && self.over.get(&uid) == Some(&Over::Written) {
            self.over.remove(&uid);
        }
        if let Some(handle) = self.workers.get(&uid) {
            handle.latest.send_modify(|latest| latest.pod = Arc::new(pod));
            return;
        }
        let is_old = self.over.contains_key(&uid);
        if !is_old && needs_worker(&pod, self.recovered.contains_key(&uid)) {
            self.spawn(Arc::new(pod));
        }
    }

    /// Wakes the workers whose pods have volumes made of it.
    fn source_changed(&self, change: &Change) {
        for handle in self.workers.values() {
            let is_concerned = {
                let latest = handle.latest.borrow();
                let needs = latest.pod.spec.as_ref().map(|spec| volumes::needs(name(&latest.pod), spec));
                match change {
                    Change::Any => true,
                    Change::One { namespace: of, .. } if of != namespace(&latest.pod) => false,
                    Change::One { origin, name, .. } => needs.is_some_and(|needs| needs.include(*origin, name)),
                }
            };
            if is_concerned {
                handle.latest.send_modify(|latest| latest.n_source_changes += 1);
            }
        }
    }

    fn gone(&mut self, pod: Pod) {
        let uid = uid(&pod).to_owned();
        if let Some(names) = &self.context.names {
            names.write().remove_pod(&uid);
        }
        self.over.remove(&uid);
        match self.workers.get(&uid) {
            Some(handle) => handle.latest.send_modify(|latest| latest.is_gone = true),
            None => self.forget(&pod),
        }
    }

    /// A pod is gone and has no worker.
    fn forget(&mut self, pod: &Pod) {
        let dir = self.context.pods_dir().join(uid(pod));
        let logs = log_dir_name(namespace(pod), name(pod), uid(pod));
        let logs = self.context.log_dir.join(logs);
        let sandbox = self.recovered.remove(uid(pod));
        let context = self.context.clone();
        self.removals.spawn(async move {
            if let Some(sandbox) = sandbox {
                remove_sandbox(&context, sandbox.as_ref()).await;
            }
            remove_dir(dir).await;
            remove_dir(logs).await;
        });
    }

    fn spawn(&mut self, pod: Arc<Pod>) {
        let uid = uid(&pod).to_owned();
        let status = pod.status.clone().unwrap_or_default();
        let (latest, newest) = watch::channel(Latest { pod, is_gone: false, server_ends: false, n_source_changes: 0 });
        let (live, statuses) = watch::channel(status);
        self.context.live.lock().insert(uid.clone(), statuses);
        let sandbox = self.recovered.remove(&uid);
        let worker = Worker::new(self.context.clone(), newest, sandbox, live);
        let task = self.tasks.spawn(worker.run()).id();
        self.uids.insert(task, uid.clone());
        self.workers.insert(uid, Handle { latest, task });
    }

    fn worker_ended(&mut self, ended: Result<(task::Id, Outcome), task::JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => {
                tracing::error!(%error, "a pod's worker failed; it is taken up again when the pod changes");
                (error.id(), None)
            }
        };
        let Some(uid) = self.uids.remove(&id) else {
            return;
        };
        let is_current = self.workers.get(&uid).is_some_and(|handle| handle.task == id);
        if !is_current {
            return;
        }
        let Some(handle) = self.workers.remove(&uid) else {
            return;
        };
        self.context.live.lock().remove(&uid);
        let latest = handle.latest.borrow().clone();
        if latest.is_gone {
            self.forget(&latest.pod);
            return;
        }
        let Some(outcome) = outcome else { return };
        let has_news = !Arc::ptr_eq(&outcome.pod, &latest.pod);
        if outcome.is_deleted {
            self.over.insert(uid, Over::Deleted);
        } else if outcome.is_over && !is_terminal(phase(&latest.pod)) {
            self.over.insert(uid, Over::Written);
        } else if has_news && needs_worker(&latest.pod, false) {
            self.spawn(latest.pod);
        }
    }

    /// The list is complete: what it does not name is no more.
    fn sweep(&mut self) {
        for (uid, handle) in &self.workers {
            if !self.listed.contains(uid) {
                handle.latest.send_modify(|latest| latest.is_gone = true);
            }
        }
        let listed = std::mem::take(&mut self.listed);
        if let Some(names) = &self.context.names {
            names.write().keep_pods(|uid| listed.contains(uid));
        }
        self.over.retain(|uid, _| listed.contains(uid));
        let orphans: Vec<_> = std::mem::take(&mut self.recovered).into_iter().collect();
        // Read now, before any newer pod makes a directory; removed in their own time.
        let mut stale = vec![];
        for (uid, path) in entries(&self.context.pods_dir()) {
            let is_orphan = orphans.iter().any(|(orphan, _)| *orphan == uid);
            if !self.workers.contains_key(&uid) && !is_orphan {
                stale.push(path);
            }
        }
        for (file_name, path) in entries(&self.context.log_dir) {
            let uid = file_name.rsplit('_').next().unwrap_or("");
            if !self.workers.contains_key(uid) && !listed.contains(uid) {
                stale.push(path);
            }
        }
        let pods_dir = self.context.pods_dir();
        let context = self.context.clone();
        self.removals.spawn(async move {
            for (uid, sandbox) in orphans {
                tracing::info!(uid, "removing the sandbox of a pod that is gone");
                remove_sandbox(&context, sandbox.as_ref()).await;
                remove_dir(pods_dir.join(uid)).await;
            }
            for path in stale {
                remove_dir(path).await;
            }
        });
    }

    /// The server ends: so do its pods if they are to die with it; otherwise they run on, and the next server takes them over.
    async fn end(mut self) {
        if !self.context.pods_end.load(Ordering::Acquire) {
            return;
        }
        for handle in self.workers.values() {
            handle.latest.send_modify(|latest| latest.server_ends = true);
        }
        for sandbox in self.recovered.values() {
            remove_sandbox(&self.context, sandbox.as_ref()).await;
        }
        while self.tasks.join_next().await.is_some() {}
        while self.removals.join_next().await.is_some() {}
    }
}

/// A pod that is over needs a worker only to clean up, or to finish a deletion that an earlier one began.
fn needs_worker(pod: &Pod, has_sandbox: bool) -> bool {
    let is_being_deleted =
        pod.metadata.deletion_timestamp.is_some() && pod.metadata.deletion_grace_period_seconds != Some(0);
    has_sandbox || !is_terminal(phase(pod)) || is_being_deleted
}

/// Names and paths in a directory; none if it does not exist.
fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return vec![];
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect()
}

/// Waits between tries of the watch: 50 ms doubling to 5 s, for ever.
#[derive(Default)]
pub(crate) struct Retry(u32);

impl Iterator for Retry {
    type Item = Duration;
    fn next(&mut self) -> Option<Duration> {
        let wait = Duration::from_millis(50 << self.0.min(7)).min(Duration::from_secs(5));
        self.0 = self.0.saturating_add(1);
        Some(wait)
    }
}

impl Backoff for Retry {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
