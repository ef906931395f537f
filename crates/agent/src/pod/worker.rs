//! The worker of one pod: observes, asks `plan` what to do, does it, writes the status when it has come to rest. It holds nothing
//! that could not be found again from the pod's object and the runtime's records, so it may die at any point.

use super::errands::Errands;
use super::finish::longer;
use super::gauge::Gauge;
use super::known::{self, Known, State};
use super::plan::{self, Intent, Plan, Preparation, Snapshot, Step, Why};
use super::pull::{self, Pulls};
use super::refresh::Freshness;
use super::tend::Killing;
use super::watch::Context;
use super::{all_containers, log_dir_name, name, namespace, status, support, uid};
use crate::events::Notice;
use crate::logs;
use crate::runtime::PodSandbox;
use crate::writes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::Api;
use kube::api::Patch;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A worker that nothing wakes looks again after this long, as the kubelet's pod workers do.
const RESYNC: Duration = Duration::from_secs(60);
/// Longest termination message of a container.
const MAX_MESSAGE: u64 = 4096;

/// What the worker works towards, newest first and last.
#[derive(Clone)]
pub(super) struct Latest {
    /// The object as it was last seen.
    pub(super) pod: Arc<Pod>,
    /// It is no longer there.
    pub(super) is_gone: bool,
    /// The server ends and takes its pods along.
    pub(super) server_ends: bool,
    /// How often something has changed that its volumes are made of.
    pub(super) n_source_changes: u64,
}

/// What a worker leaves behind.
pub(super) struct Outcome {
    /// The object it last looked at.
    pub(super) pod: Arc<Pod>,
    /// It has written a terminal phase.
    pub(super) is_over: bool,
    /// It has told the API server that the object may go.
    pub(super) is_deleted: bool,
}

pub(super) struct Worker {
    pub(super) context: Arc<Context>,
    pub(super) latest: watch::Receiver<Latest>,
    pub(super) sandbox: Option<Arc<dyn PodSandbox>>,
    pub(super) containers: BTreeMap<String, Known>,
    pub(super) preparation: Preparation,
    accepted_at: Timestamp,
    /// As the API server has it.
    written: PodStatus,
    pub(super) write_retry: Option<Duration>,
    /// For those who follow logs.
    live: watch::Sender<PodStatus>,
    deadline_told: bool,
    pub(super) freshness: Freshness,
    /// The API server has answered that it is gone.
    pub(super) found_gone: bool,
    pub(super) pulls: Pulls,
    /// Hooks and probes.
    pub(super) errands: Errands,
    pub(super) gauge: Gauge,
    /// Pulls that are over and whose container has not started yet, by container.
    pub(super) pulled: BTreeMap<String, pull::Ended>,
}

/// What became of a status write.
pub(super) enum Written {
    Done,
    Failed,
    Gone,
}

impl Worker {
    pub(super) fn new(
        context: Arc<Context>,
        latest: watch::Receiver<Latest>,
        sandbox: Option<Arc<dyn PodSandbox>>,
        live: watch::Sender<PodStatus>,
    ) -> Self {
        let pod = latest.borrow().pod.clone();
        let now = context.clock.now();
        let written = pod.status.clone().unwrap_or_default();
        Self {
            latest,
            sandbox,
            containers: known::from_pod(&pod),
            preparation: Preparation::NotYet,
            accepted_at: status::accepted_at(Some(&written), now),
            written,
            write_retry: None,
            live,
            deadline_told: false,
            freshness: Freshness::default(),
            found_gone: false,
            pulls: Pulls::default(),
            errands: Errands::default(),
            gauge: Gauge::default(),
            pulled: BTreeMap::new(),
            context,
        }
    }

    /// Works until the pod is over and cleaned up.
    pub(super) async fn run(mut self) -> Outcome {
        if self.sandbox.is_some() {
            self.resume().await;
        }
        loop {
            self.observe().await;
            let latest = self.newest();
            let intent = self.intent(&latest);
            if intent == Intent::Run {
                self.refresh(&latest).await;
            }
            let plan = self.decide(&latest.pod, &intent);
            if intent == Intent::Stop(Why::PastDeadline) {
                self.tell_deadline(&latest.pod);
            }
            if intent == Intent::Run {
                self.look_at_storage(&latest.pod);
            }
            if plan.steps.contains(&Step::Finish) {
                return self.finish(latest, intent).await;
            }
            if !plan.steps.is_empty() {
                for step in plan.steps {
                    self.obey(step, &latest.pod).await;
                }
                continue;
            }
            let status = self.status(&latest.pod, &intent);
            if let Written::Gone = self.write(&latest.pod, status).await {
                self.found_gone = true;
                continue;
            }
            self.wait(plan.wake_at).await;
        }
    }

    /// A sandbox in which something has run stands; one in which nothing has may lack its volumes.
    async fn resume(&mut self) {
        self.observe().await;
        let pod = self.latest.borrow().pod.clone();
        self.read_records(&pod);
        let has_run = |known: &Known| known.state != State::NeverRan;
        if self.containers.values().any(has_run) {
            self.preparation = Preparation::Ready;
            self.freshness.forget(self.context.clock.now());
        }
    }

    pub(super) fn newest(&mut self) -> Latest {
        let mut latest = self.latest.borrow_and_update().clone();
        latest.is_gone |= self.found_gone;
        latest
    }

    pub(super) fn intent(&self, latest: &Latest) -> Intent {
        let spec = latest.pod.spec.as_ref();
        let refusal = spec.and_then(support::refusal);
        plan::intent(
            &latest.pod,
            latest.is_gone,
            latest.server_ends,
            refusal.as_deref(),
            self.gauge.excess(),
            self.accepted_at,
            self.context.clock.now(),
        )
    }

    fn snapshot<'a>(&'a self, pod: &'a Pod, intent: &'a Intent) -> Snapshot<'a> {
        Snapshot {
            pod,
            intent,
            preparation: &self.preparation,
            containers: &self.containers,
            accepted_at: self.accepted_at,
            now: self.context.clock.now(),
        }
    }

    fn decide(&self, pod: &Pod, intent: &Intent) -> Plan {
        plan::plan(&self.snapshot(pod, intent))
    }

    pub(super) fn status(&self, pod: &Pod, intent: &Intent) -> PodStatus {
        let snapshot = self.snapshot(pod, intent);
        let addresses = status::Addresses { host: &self.context.machine.ip, pod: self.pod_ip(pod) };
        status::status(&snapshot, &self.written, addresses)
    }

    /// The pod's address; the host's, if it shares its network. One that has ended keeps what it had.
    pub(super) fn pod_ip(&self, pod: &Pod) -> Option<String> {
        let sandbox = self.sandbox.as_ref().map(|sandbox| sandbox.sandbox());
        let on_hosts_network = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true))
            || sandbox.is_some_and(|sandbox| sandbox.host_network);
        if on_hosts_network {
            return Some(self.context.machine.ip.clone());
        }
        let own = sandbox.and_then(|sandbox| sandbox.address).map(|address| address.to_string());
        own.or_else(|| self.written.pod_ip.clone())
    }

    /// Takes in the runtime's records.
    async fn observe(&mut self) {
        let Some(sandbox) = self.sandbox.clone() else {
            return;
        };
        for run in sandbox.runs().await {
            let known = self.containers.entry(run.container.clone()).or_default();
            // An earlier agent saw the end of a run and started the next, and told nobody.
            if let Some(attempt) = known.missed_before(&run)
                && let Some(ended) = sandbox.ended(&run.container, attempt).await
                && known.observe(&ended)
            {
                self.read_last_words(&run.container);
            }
            let known = self.containers.entry(run.container.clone()).or_default();
            if known.observe(&run) {
                self.read_last_words(&run.container);
            }
        }
    }

    async fn obey(&mut self, step: Step, pod: &Pod) {
        match step {
            Step::Prepare => self.prepare(pod).await,
            Step::Start { container, attempt } => self.start(pod, &container, attempt).await,
            Step::Stop { container, killing, grace_seconds } => {
                self.stop(pod, &container, killing, grace_seconds).await;
            }
            Step::PostStart { container } => self.run_post_start(pod, &container),
            Step::PreStop { container, killing, ends_at } => self.run_pre_stop(pod, &container, killing, ends_at),
            Step::Probe { container, kind } => self.ask(pod, &container, kind),
            Step::AnnounceImageBackOff { container } => self.tell_image_back_off(pod, &container),
            Step::AnnounceCrashBackOff { container } => self.tell_crash_back_off(pod, &container),
            Step::Finish => unreachable!("the loop ends before it obeys a plan that finishes"),
        }
    }

    async fn stop(&mut self, pod: &Pod, container: &str, killing: Killing, grace_seconds: u64) {
        self.tell_killing(pod, container, killing);
        self.end_hooks(pod, container, killing, grace_seconds);
        let Some(known) = self.containers.get_mut(container) else {
            return;
        };
        known.stopping = Some(grace_seconds);
        let Some(sandbox) = &self.sandbox else { return };
        if let Err(error) = sandbox.stop(container, grace_seconds).await {
            // Its record then says Lost, which ends it as well.
            tracing::warn!(pod = name(pod), container, %error, "could not stop a container");
        }
    }

    fn tell_deadline(&mut self, pod: &Pod) {
        if !self.deadline_told {
            self.deadline_told = true;
            let message = status::DEADLINE_MESSAGE;
            self.tell(Notice::of_pod(pod, "DeadlineExceeded", message));
        }
    }

    fn tell_image_back_off(&mut self, pod: &Pod, container: &str) {
        let Some(known) = self.containers.get_mut(container) else {
            return;
        };
        let Some(blocked) = &mut known.blocked else {
            return;
        };
        blocked.announced = true;
        let known::Obstacle::Image { image, .. } = &blocked.obstacle else {
            return;
        };
        let message = format!("Back-off pulling image \"{image}\"");
        self.tell(Notice::of_container(pod, container, "BackOff", message));
        let error = "Error: ImagePullBackOff";
        self.tell(Notice::of_container(pod, container, "Failed", error).warning());
    }

    fn tell_crash_back_off(&mut self, pod: &Pod, container: &str) {
        if let Some(known) = self.containers.get_mut(container) {
            known.crash_announced = true;
        }
        let message = format!("Back-off restarting failed container {container} in pod {}", super::full_name(pod));
        self.tell(Notice::of_container(pod, container, "BackOff", message).warning());
    }

    pub(super) fn tell(&self, notice: Notice) {
        self.context.recorder.tell(self.context.clock.now(), notice);
    }

    /// `STATE_DIR/pods/UID`.
    pub(super) fn pod_dir(&self, pod: &Pod) -> PathBuf {
        self.context.pods_dir().join(uid(pod))
    }

    /// Where a run of a container logs to.
    pub(super) fn log_path(&self, pod: &Pod, container: &str, attempt: u32) -> PathBuf {
        let pod_dir = log_dir_name(namespace(pod), name(pod), uid(pod));
        logs::path(&self.context.log_dir.join(pod_dir), container, attempt)
    }

    /// Writes the status if it reads differently from what the API server has.
    pub(super) async fn write(&mut self, pod: &Pod, status: PodStatus) -> Written {
        self.live.send_replace(status.clone());
        if status::reads_the_same(&status, &self.written) {
            self.write_retry = None;
            return Written::Done;
        }
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), namespace(pod));
        let written = status::patch(&self.written, &status).map_err(kube::Error::SerdeError);
        let answer = match written {
            Ok(patch) => {
                let patch = Patch::Strategic(json!({"metadata": {"uid": uid(pod)}, "status": patch}));
                api.patch_status(name(pod), &writes::patch(), &patch).await
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok(_) => {
                self.written = status;
                self.write_retry = None;
                Written::Done
            }
            Err(kube::Error::Api(answer)) if answer.code == 404 => Written::Gone,
            Err(error) => {
                tracing::warn!(pod = name(pod), namespace = namespace(pod), %error, "could not write a pod's status");
                self.write_retry = Some(longer(self.write_retry));
                Written::Failed
            }
        }
    }

    /// Until something changes, or time alone does.
    async fn wait(&mut self, wake_at: Option<Timestamp>) {
        let now = self.context.clock.now();
        let until_wake =
            [wake_at, self.freshness.next_look(now), self.gauge.next_look()].into_iter().flatten().min().map(|at| {
                // A little later rather than a little earlier: waking early means looking twice.
                let left = at.duration_since(now).max(jiff::SignedDuration::ZERO);
                left.unsigned_abs() + Duration::from_millis(1)
            });
        let longest = [until_wake, self.write_retry].into_iter().flatten().fold(RESYNC, Duration::min);
        let sandbox = self.sandbox.clone();
        let runs_changed = async {
            match &sandbox {
                Some(sandbox) => sandbox.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In order, not at random: simulations repeat. All are looked at again whichever it was.
            biased;
            changed = self.latest.changed() => {
                // The watch itself has ended with the server: nothing is left to work towards.
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            () = runs_changed => {}
            ended = self.pulls.next() => self.pull_ended(ended),
            ended = self.errands.next() => {
                let pod = self.latest.borrow().pod.clone();
                self.errand_ended(&pod, ended);
            }
            usage = self.gauge.read() => {
                let pod = self.latest.borrow().pod.clone();
                self.storage_is_known(&pod, &usage);
            }
            () = tokio::time::sleep(longest) => {}
        }
    }

    /// The message a run leaves: its termination message file or, if it failed without one and wants it so, the end of its log.
    fn read_last_words(&mut self, container: &str) {
        let pod = self.latest.borrow().pod.clone();
        let Some(State::Ended(ended)) = self.containers.get(container).map(|known| &known.state) else {
            return;
        };
        let (attempt, has_failed) = (ended.attempt, ended.exit_code != 0);
        let file = termination_message(&self.pod_dir(&pod), container, attempt);
        let mut message = read_bounded(&file);
        let falls_back = pod.spec.as_ref().is_some_and(|spec| {
            let policy = all_containers(spec)
                .find(|candidate| candidate.name == container)
                .and_then(|found| found.termination_message_policy.as_deref());
            policy == Some("FallbackToLogsOnError")
        });
        if message.is_empty() && has_failed && falls_back {
            message = logs::last_words(&self.log_path(&pod, container, attempt));
        }
        if let Some(Known { state: State::Ended(ended), .. }) = self.containers.get_mut(container)
            && !message.is_empty()
        {
            ended.message = message;
        }
    }
}

/// The host file that is bound to a run's terminationMessagePath.
pub(super) fn termination_message(pod_dir: &Path, container: &str, attempt: u32) -> PathBuf {
    pod_dir.join("termination").join(format!("{container}.{attempt}"))
}

fn read_bounded(path: &Path) -> String {
    let mut bytes = vec![];
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_MESSAGE).read_to_end(&mut bytes));
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
pub(super) mod tests;
