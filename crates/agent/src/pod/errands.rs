//! What goes on beside a worker: hooks and probes of its containers, in tasks that end with it. Their ends are taken in by the worker
//! alone, between two looks at the pod.

use super::hooks::record::{Hook, Record};
use super::hooks::{self, record};
use super::known::{Known, PostStart, PreStop, State};
use super::probes::dial::Way;
use super::probes::{Answer, Kind, ask};
use super::tend::Killing;
use super::worker::Worker;
use super::{all_containers, name};
use crate::events::Notice;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod};
use std::collections::BTreeMap;
use tokio::task::{AbortHandle, JoinSet};

/// Errands that a worker has begun.
#[derive(Default)]
pub(super) struct Errands {
    tasks: JoinSet<Ended>,
    /// Those that are called off when there is no time left, by container.
    hooks: BTreeMap<(String, Hook), AbortHandle>,
}

/// One that is over.
pub(super) struct Ended {
    container: String,
    attempt: u32,
    result: Result,
}

enum Result {
    Probe(Kind, Answer),
    Hook(Hook, hooks::End),
}

impl Errands {
    /// The next to end; waits for ever while there is none.
    pub(super) async fn next(&mut self) -> Ended {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return ended,
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => tracing::error!(%error, "a probe or hook failed in an unexpected way"),
                None => std::future::pending().await,
            }
        }
    }

    /// Whether a hook was still running.
    fn call_off(&mut self, container: &str, hook: Hook) -> bool {
        let task = self.hooks.remove(&(container.to_owned(), hook));
        let is_running = task.as_ref().is_some_and(|task| !task.is_finished());
        if let Some(task) = task {
            task.abort();
        }
        is_running
    }
}

fn handler(container: &Container, hook: Hook) -> Option<&LifecycleHandler> {
    let lifecycle = container.lifecycle.as_ref()?;
    match hook {
        Hook::PostStart => lifecycle.post_start.as_ref(),
        Hook::PreStop => lifecycle.pre_stop.as_ref(),
    }
}

fn spec_of(pod: &Pod, name: &str) -> Option<Container> {
    let mut containers = pod.spec.iter().flat_map(all_containers);
    containers.find(|container| container.name == name).cloned()
}

impl Worker {
    fn way(&self, pod: &Pod) -> Option<Way> {
        let sandbox = self.sandbox.clone()?;
        let is_reached = sandbox.sandbox().address.is_some() || sandbox.sandbox().host_network;
        let address = self.pod_ip(pod).filter(|_| is_reached);
        Some(Way { dial: self.context.dial.clone(), sandbox, address })
    }

    /// Asks a probe of a container that runs.
    pub(super) fn ask(&mut self, pod: &Pod, container: &str, kind: Kind) {
        let now = self.context.clock.now();
        let (way, spec) = (self.way(pod), spec_of(pod, container));
        let Some(known) = self.containers.get_mut(container) else { return };
        let (Some(spec), Some(attempt)) = (spec, known.attempt()) else { return };
        let Some(probe) = kind.of(&spec).cloned() else { return };
        known.health.asked(kind, now);
        // Without a sandbox there is nobody to ask.
        let Some(way) = way else { return known.health.answered(kind, &probe, None) };
        self.errands.tasks.spawn(async move {
            let answer = ask::ask(&way, &spec, &probe).await;
            Ended { container: spec.name, attempt, result: Result::Probe(kind, answer) }
        });
    }

    /// Runs a container's postStart hook.
    pub(super) fn run_post_start(&mut self, pod: &Pod, container: &str) {
        let now = self.context.clock.now();
        let Some(known) = self.containers.get_mut(container) else { return };
        let since = match known.post_start {
            PostStart::Due { since } => since.unwrap_or(now),
            PostStart::Running | PostStart::Done | PostStart::Failed(_) => return,
        };
        known.post_start = PostStart::Running;
        let record = Record { since, outcome: None, ends_at: None, killing: None };
        self.keep_record(pod, container, Hook::PostStart, &record);
        self.run_hook(pod, container, Hook::PostStart, since);
    }

    /// Runs a container's preStop hook, or takes in that it has less time.
    pub(super) fn run_pre_stop(&mut self, pod: &Pod, container: &str, killing: Killing, ends_at: Timestamp) {
        let now = self.context.clock.now();
        self.tell_killing(pod, container, killing);
        let Some(known) = self.containers.get_mut(container) else { return };
        let (since, is_running) = match known.pre_stop {
            PreStop::Begun { is_running, since, .. } => (since, is_running),
            PreStop::NotYet | PreStop::Over { .. } => (now, false),
        };
        known.pre_stop = PreStop::Begun { is_running: true, since, ends_at };
        let record = Record { since, outcome: None, ends_at: Some(ends_at), killing: known.killing };
        self.keep_record(pod, container, Hook::PreStop, &record);
        if !is_running {
            self.run_hook(pod, container, Hook::PreStop, since);
        }
    }

    fn run_hook(&mut self, pod: &Pod, container: &str, hook: Hook, since: Timestamp) {
        let now = self.context.clock.now();
        let (way, spec) = (self.way(pod), spec_of(pod, container));
        let attempt = self.containers.get(container).and_then(Known::attempt);
        let (Some(way), Some(spec), Some(attempt)) = (way, spec, attempt) else { return };
        let Some(handler) = handler(&spec, hook).cloned() else { return };
        let pod = pod.clone();
        let task = self.errands.tasks.spawn(async move {
            let end = hooks::perform(&way, &pod, &spec, &handler, since, now).await;
            Ended { container: spec.name, attempt, result: Result::Hook(hook, end) }
        });
        self.errands.hooks.insert((container.to_owned(), hook), task);
    }

    /// No hook goes on beyond its time, and none of the start once the container is to stop. What a server that comes after has to
    /// know of the end is on disk when this returns.
    pub(super) fn end_hooks(&mut self, pod: &Pod, container: &str, killing: Killing, grace_seconds: u64) {
        let now = self.context.clock.now();
        self.errands.call_off(container, Hook::PostStart);
        if self.errands.call_off(container, Hook::PreStop) {
            self.tell_hook_failed(pod, container, Hook::PreStop);
        }
        let Some(known) = self.containers.get_mut(container) else { return };
        let grace = jiff::SignedDuration::from_secs(i64::try_from(grace_seconds).unwrap_or(i64::MAX));
        let ends_at = known.pre_stop.ends_at().or_else(|| now.checked_add(grace).ok()).unwrap_or(now);
        let had_hook = known.pre_stop != PreStop::NotYet;
        let killing = *known.killing.get_or_insert(killing);
        if had_hook {
            known.pre_stop = PreStop::Over { ends_at };
        }
        if had_hook || killing != Killing::Stopped {
            let record =
                Record { since: now, outcome: Some(String::new()), ends_at: Some(ends_at), killing: Some(killing) };
            self.keep_record(pod, container, Hook::PreStop, &record);
        }
    }

    /// Takes in what has ended.
    pub(super) fn errand_ended(&mut self, pod: &Pod, ended: Ended) {
        let Ended { container, attempt, result } = ended;
        let Some(known) = self.containers.get_mut(&container) else { return };
        let is_of_this_run = known.runs() && known.attempt() == Some(attempt);
        if !is_of_this_run {
            return;
        }
        match result {
            Result::Probe(kind, answer) => self.take_answer(pod, &container, kind, &answer),
            Result::Hook(hook, end) => self.take_end(pod, &container, hook, end),
        }
    }

    fn take_answer(&mut self, pod: &Pod, container: &str, kind: Kind, answer: &Answer) {
        let spec = spec_of(pod, container);
        let probe = spec.as_ref().and_then(|spec| kind.of(spec));
        let (Some(known), Some(probe)) = (self.containers.get_mut(container), probe) else { return };
        let is_ending = known.stopping.is_some() || known.pre_stop != PreStop::NotYet;
        // A container that is being stopped is not asked whether it lives.
        if is_ending && kind != Kind::Readiness {
            return;
        }
        known.health.answered(kind, probe, answer.verdict());
        if let Some((reason, message)) = answer.notice(kind) {
            self.tell(Notice::of_container(pod, container, reason, message).warning());
        }
    }

    fn take_end(&mut self, pod: &Pod, container: &str, hook: Hook, end: hooks::End) {
        self.errands.hooks.remove(&(container.to_owned(), hook));
        if let Some(text) = end.fallback {
            self.tell(Notice::of_pod(pod, "LifecycleHTTPFallback", text).warning());
        }
        if let Some(failure) = &end.failure {
            tracing::info!(pod = name(pod), container, failure, "a lifecycle hook failed");
            self.tell_hook_failed(pod, container, hook);
        }
        let now = self.context.clock.now();
        let Some(known) = self.containers.get_mut(container) else { return };
        let outcome = Some(end.failure.clone().unwrap_or_default());
        let record = match hook {
            Hook::PostStart => {
                known.post_start = end.failure.map_or(PostStart::Done, PostStart::Failed);
                Record { since: now, outcome, ends_at: None, killing: None }
            }
            Hook::PreStop => {
                let ends_at = known.pre_stop.ends_at().unwrap_or(now);
                known.pre_stop = PreStop::Over { ends_at };
                Record { since: now, outcome, ends_at: Some(ends_at), killing: known.killing }
            }
        };
        self.keep_record(pod, container, hook, &record);
    }

    /// Why stays in the server's log: it may hold secrets (K:pkg/kubelet/kuberuntime).
    fn tell_hook_failed(&self, pod: &Pod, container: &str, hook: Hook) {
        let (reason, message) = match hook {
            Hook::PostStart => ("FailedPostStartHook", "PostStartHook failed"),
            Hook::PreStop => ("FailedPreStopHook", "PreStopHook failed"),
        };
        self.tell(Notice::of_container(pod, container, reason, message).warning());
    }

    /// Once for each run.
    pub(super) fn tell_killing(&mut self, pod: &Pod, container: &str, killing: Killing) {
        let Some(known) = self.containers.get_mut(container) else { return };
        if known.killing.is_some() {
            return;
        }
        known.killing = Some(killing);
        let stranger = || Container { name: container.to_owned(), ..Container::default() };
        let spec = spec_of(pod, container).unwrap_or_else(stranger);
        self.tell(Notice::of_container(pod, container, "Killing", killing.message(pod, &spec)));
    }

    fn keep_record(&self, pod: &Pod, container: &str, hook: Hook, record: &Record) {
        let Some(attempt) = self.containers.get(container).and_then(Known::attempt) else { return };
        if let Err(error) = record::write(&self.pod_dir(pod), container, attempt, hook, record) {
            tracing::warn!(pod = name(pod), container, %error, "could not record how far a hook has come");
        }
    }

    /// What an earlier server has recorded of the hooks of the newest runs.
    pub(super) fn read_records(&mut self, pod: &Pod) {
        let pod_dir = self.pod_dir(pod);
        for (container, known) in &mut self.containers {
            let attempt = match &known.state {
                State::NeverRan => continue,
                State::Running { attempt, .. } => *attempt,
                State::Ended(ended) => ended.attempt,
            };
            if let Some(record) = record::read(&pod_dir, container, attempt, Hook::PostStart) {
                known.post_start = record.post_start();
            }
            if let Some(record) = record::read(&pod_dir, container, attempt, Hook::PreStop) {
                known.pre_stop = record.pre_stop();
                known.killing = record.killing;
            }
        }
    }
}
