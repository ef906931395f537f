//! A runtime without containers, for tests and simulations: every run is a script played in tokio's (virtual) time. It keeps its
//! pods when the agent that started them is gone, as real supervisors do, and can be told to lose them.

use super::{Attach, Container, Exec, PodSandbox, Run, RunState, Runtime, RuntimeError, Sandbox, Sockets, Streams};
use crate::images::registry::keyring::Keyring;
use crate::images::registry::{Fault, PullError, Pulled};
use crate::images::{Image, ImageConfig, ImageError, Origin};
use crate::pod::Images;
use crate::runtime::Rootfs;
use futures::FutureExt;
use jiff::Timestamp;
use meta::clock::Clock;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::Instant;

/// What a container does, one act after another; after the last it exits with 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Writes a line to stdout.
    Print(String),
    /// Takes its time.
    Sleep(Duration),
    /// Ends with this code.
    Exit(i32),
    /// Is killed for its memory.
    OutOfMemory,
}

/// How a container takes a stop signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OnStop {
    /// Ends with this code.
    Exit(i32),
    /// Goes on until it is killed.
    Ignore,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// It is executed.
    Run {
        /// What it does.
        acts: Vec<Act>,
        /// When it is stopped.
        on_stop: OnStop,
    },
    /// Its program cannot be executed.
    CannotStart {
        /// Why.
        message: String,
        /// 126 or 127.
        exit_code: i32,
    },
}

impl Script {
    /// These acts, ended by a stop signal as most programs are.
    pub fn of(acts: Vec<Act>) -> Self {
        Self::Run { acts, on_stop: OnStop::Exit(143) }
    }

    /// Sleeps and exits.
    pub fn exit_after(run_time: Duration, exit_code: i32) -> Self {
        Self::of(vec![Act::Sleep(run_time), Act::Exit(exit_code)])
    }
}

/// What a further program in a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// How long it takes.
    pub takes: Duration,
    /// How it ends, unless its container ends first.
    pub exit_code: i32,
    /// What it writes to stdout.
    pub output: String,
}

/// Chooses what a further program does; none: it cannot be executed.
pub type Programs = dyn Fn(&Exec) -> Option<Program> + Send + Sync;

/// Chooses what a container does.
pub type Scripts = dyn Fn(&Sandbox, &Container) -> Script + Send + Sync;

/// Pod uid, container, attempt.
pub type RunId = (String, String, u32);

/// The runtime. Clones share their pods. Every step yields before and after it takes effect, so that the agent can die on either
/// side of it.
#[derive(Clone)]
pub struct FakeRuntime(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    scripts: Box<Scripts>,
    pods: Mutex<BTreeMap<String, Arc<FakeSandbox>>>,
    started: Mutex<Vec<RunId>>,
    ended: Mutex<BTreeMap<RunId, Run>>,
    programs: Mutex<Option<Arc<Programs>>>,
    executed: Mutex<Vec<(Timestamp, String, String)>>,
}

impl FakeRuntime {
    /// One without pods.
    pub fn new(
        clock: Arc<dyn Clock>,
        scripts: impl Fn(&Sandbox, &Container) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            clock,
            scripts: Box::new(scripts),
            pods: Mutex::default(),
            started: Mutex::default(),
            ended: Mutex::default(),
            programs: Mutex::default(),
            executed: Mutex::default(),
        }))
    }

    /// From now on containers have other programs.
    pub fn play_programs(&self, programs: impl Fn(&Exec) -> Option<Program> + Send + Sync + 'static) {
        *self.0.programs.lock() = Some(Arc::new(programs));
    }

    /// Every further program that was asked for, in order: when, in which container, the command.
    pub fn executed(&self) -> Vec<(Timestamp, String, String)> {
        self.0.executed.lock().clone()
    }

    /// Every run that was asked for, in order.
    pub fn started(&self) -> Vec<RunId> {
        self.0.started.lock().clone()
    }

    /// The exit code with which a run ended, whether or not anybody has asked for it.
    pub fn exit_code(&self, run: &RunId) -> Option<i32> {
        match self.0.ended.lock().get(run)?.state {
            RunState::Exited { exit_code, .. } => Some(exit_code),
            RunState::Running { .. } | RunState::Lost => None,
        }
    }

    /// Uids of the pods that have a sandbox, sorted.
    pub fn sandboxes(&self) -> Vec<String> {
        self.0.pods.lock().keys().cloned().collect()
    }

    /// Kills a pod's supervisor and with it what ran.
    pub fn lose(&self, pod_uid: &str) {
        let found = self.0.pods.lock().get(pod_uid).cloned();
        if let Some(sandbox) = found {
            sandbox.lose();
        }
    }

    /// Forgets everything, as a machine does when it restarts.
    pub fn restart_machine(&self) {
        let pods = std::mem::take(&mut *self.0.pods.lock());
        for sandbox in pods.into_values() {
            sandbox.lose();
        }
    }
}

#[async_trait::async_trait]
impl Runtime for FakeRuntime {
    async fn create(
        &self,
        sandbox: Sandbox,
        _: Option<std::os::fd::OwnedFd>,
    ) -> Result<Arc<dyn PodSandbox>, RuntimeError> {
        yield_now().await;
        let make = || {
            Arc::new(FakeSandbox {
                sandbox: sandbox.clone(),
                shared: self.0.clone(),
                inner: Mutex::default(),
                version: watch::channel(0).0,
                seen: Mutex::new(0),
            })
        };
        let made = self.0.pods.lock().entry(sandbox.pod_uid.clone()).or_insert_with(make).clone();
        yield_now().await;
        Ok(made)
    }

    async fn recover(&self) -> Vec<Arc<dyn PodSandbox>> {
        let pods = self.0.pods.lock();
        pods.values().map(|sandbox| sandbox.clone() as Arc<dyn PodSandbox>).collect()
    }

    fn find(&self, pod_uid: &str) -> Option<Arc<dyn PodSandbox>> {
        self.0.pods.lock().get(pod_uid).map(|sandbox| sandbox.clone() as Arc<dyn PodSandbox>)
    }
}

struct FakeSandbox {
    sandbox: Sandbox,
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// Counts changes of the runs.
    version: watch::Sender<u64>,
    /// The count at the last `runs()`.
    seen: Mutex<u64>,
}

#[derive(Default)]
struct Inner {
    is_gone: bool,
    runs: BTreeMap<String, Play>,
}

/// A run being played.
struct Play {
    run: Run,
    on_stop: OnStop,
    script: AbortHandle,
    /// Ends it, and when.
    killer: Option<(AbortHandle, Instant)>,
}

impl Play {
    fn abort(&self) {
        self.script.abort();
        if let Some((killer, _)) = &self.killer {
            killer.abort();
        }
    }
}

impl FakeSandbox {
    fn changed_now(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn lose(&self) {
        let mut inner = self.inner.lock();
        inner.is_gone = true;
        for play in inner.runs.values_mut() {
            play.abort();
            if matches!(play.run.state, RunState::Running { .. }) {
                play.run.state = RunState::Lost;
            }
        }
        drop(inner);
        self.changed_now();
    }

    /// Ends that run of the container, unless it has ended.
    fn end(&self, container: &str, attempt: u32, exit_code: i32, oom_killed: bool) {
        let mut inner = self.inner.lock();
        let Some(play) = inner.runs.get_mut(container) else {
            return;
        };
        let RunState::Running { started_at, .. } = play.run.state else {
            return;
        };
        if play.run.attempt != attempt {
            return;
        }
        play.run.state = RunState::Exited { exit_code, oom_killed, started_at, finished_at: self.shared.clock.now() };
        let run = (self.sandbox.pod_uid.clone(), container.to_owned(), attempt);
        self.shared.ended.lock().insert(run, play.run.clone());
        drop(inner);
        self.changed_now();
    }

    async fn play(self: Arc<Self>, acts: Vec<Act>, container: Container) {
        for act in acts {
            match act {
                Act::Print(text) => self.print(&container.log_path, &text),
                Act::Sleep(duration) => tokio::time::sleep(duration).await,
                Act::Exit(exit_code) => {
                    self.end(&container.name, container.attempt, exit_code, false);
                    return;
                }
                Act::OutOfMemory => {
                    self.end(&container.name, container.attempt, 137, true);
                    return;
                }
            }
        }
        self.end(&container.name, container.attempt, 0, false);
    }

    fn print(&self, log_path: &PathBuf, text: &str) {
        let line = format!("{} stdout F {text}\n", self.shared.clock.now());
        let mut options = std::fs::File::options();
        let written =
            options.append(true).create(true).open(log_path).and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(path = %log_path.display(), %error, "a script could not write its log");
        }
    }

    fn arc(&self) -> Option<Arc<Self>> {
        let pods = self.shared.pods.lock();
        pods.get(&self.sandbox.pod_uid).cloned()
    }
}

#[async_trait::async_trait]
impl PodSandbox for FakeSandbox {
    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn root(&self) -> PathBuf {
        "/".into()
    }

    async fn start(&self, container: Container) -> Result<Timestamp, RuntimeError> {
        yield_now().await;
        let started = self.start_now(container);
        yield_now().await;
        started
    }

    async fn stop(&self, container: &str, grace_seconds: u64) -> Result<(), RuntimeError> {
        yield_now().await;
        let stopped = self.stop_now(container, grace_seconds);
        yield_now().await;
        stopped
    }

    async fn ended(&self, container: &str, attempt: u32) -> Option<Run> {
        let run = (self.sandbox.pod_uid.clone(), container.to_owned(), attempt);
        self.shared.ended.lock().get(&run).cloned()
    }

    async fn runs(&self) -> Vec<Run> {
        let inner = self.inner.lock();
        *self.seen.lock() = *self.version.borrow();
        inner.runs.values().map(|play| play.run.clone()).collect()
    }

    async fn changed(&self) {
        let seen = *self.seen.lock();
        let mut version = self.version.subscribe();
        // The sender is ours, so this cannot fail.
        let _ = version.wait_for(|version| seen < *version).await;
    }

    async fn exec(&self, exec: Exec) -> Result<Streams, RuntimeError> {
        self.is_played(&exec.container)?;
        let command = exec.command.join(" ");
        self.shared.executed.lock().push((self.shared.clock.now(), exec.container.clone(), command));
        let programs = self.shared.programs.lock().clone();
        let Some(programs) = programs else {
            return Err(RuntimeError::Create("a script has no other programs".into()));
        };
        let Some(program) = programs(&exec) else {
            let program = exec.command.first().map_or("", String::as_str);
            let message = format!("exec: {program:?}: executable file not found in $PATH");
            return Err(RuntimeError::Start { message, exit_code: 127 });
        };
        self.arc().map(|this| this.execute(exec.container, program)).ok_or_else(|| self.gone())
    }

    async fn attach(&self, attach: Attach) -> Result<Streams, RuntimeError> {
        self.is_played(&attach.container)?;
        Err(RuntimeError::Create("a script has nothing to attach to".into()))
    }

    async fn sockets(&self) -> Result<Sockets, RuntimeError> {
        Err(RuntimeError::Create("a script has no network".into()))
    }

    async fn remove(&self) -> Result<(), RuntimeError> {
        yield_now().await;
        self.remove_now();
        yield_now().await;
        Ok(())
    }
}

impl FakeSandbox {
    fn gone(&self) -> RuntimeError {
        RuntimeError::Gone(self.sandbox.pod_uid.clone())
    }

    /// The streams of a further program.
    fn execute(self: Arc<Self>, container: String, program: Program) -> Streams {
        let mut changes = self.version.subscribe();
        let exit = async move {
            let container_ends = async {
                // The sender is ours, so this cannot fail.
                let _ = changes.wait_for(|_| self.is_played(&container).is_err()).await;
            };
            tokio::select! {
                biased;
                () = container_ends => Ok(137),
                () = tokio::time::sleep(program.takes) => Ok(program.exit_code),
            }
        };
        Streams {
            exit: exit.boxed(),
            stdin: None,
            stdout: Some(Box::new(std::io::Cursor::new(program.output.into_bytes()))),
            stderr: None,
            resize: None,
            ends_with_input: false,
        }
    }

    fn is_played(&self, container: &str) -> Result<(), RuntimeError> {
        let inner = self.inner.lock();
        let play = inner.runs.get(container);
        match play.is_some_and(|play| matches!(play.run.state, RunState::Running { .. })) {
            true => Ok(()),
            false => Err(RuntimeError::NotRunning(container.to_owned())),
        }
    }

    fn start_now(&self, container: Container) -> Result<Timestamp, RuntimeError> {
        let gone = || self.gone();
        let this = self.arc().ok_or_else(gone)?;
        let now = self.shared.clock.now();
        let mut inner = self.inner.lock();
        if inner.is_gone {
            return Err(gone());
        }
        let (name, attempt) = (container.name.clone(), container.attempt);
        let uid = self.sandbox.pod_uid.clone();
        self.shared.started.lock().push((uid, name.clone(), attempt));
        if inner.runs.get(&name).is_some_and(|play| matches!(play.run.state, RunState::Running { .. })) {
            return Err(RuntimeError::Create(format!("container {name} is running already")));
        }
        let (acts, on_stop) = match (self.shared.scripts)(&self.sandbox, &container) {
            Script::Run { acts, on_stop } => (acts, on_stop),
            Script::CannotStart { message, exit_code } => {
                return Err(RuntimeError::Start { message, exit_code });
            }
        };
        let script = tokio::spawn(this.play(acts, container)).abort_handle();
        let run = Run { container: name.clone(), attempt, state: RunState::Running { pid: 1, started_at: now } };
        let play = Play { run, on_stop, script, killer: None };
        inner.runs.insert(name, play);
        drop(inner);
        self.changed_now();
        Ok(now)
    }

    fn stop_now(&self, container: &str, grace_seconds: u64) -> Result<(), RuntimeError> {
        let Some(this) = self.arc() else {
            return Err(self.gone());
        };
        let mut inner = self.inner.lock();
        let Some(play) = inner.runs.get_mut(container) else {
            return Ok(());
        };
        if !matches!(play.run.state, RunState::Running { .. }) {
            return Ok(());
        }
        let attempt = play.run.attempt;
        let (exit_code, delay) = match play.on_stop {
            OnStop::Exit(exit_code) => (exit_code, Duration::ZERO),
            OnStop::Ignore => (137, Duration::from_secs(grace_seconds)),
        };
        let end_at = Instant::now() + delay;
        match &play.killer {
            // A later stop may only shorten the grace.
            Some((_, earlier)) if *earlier <= end_at => return Ok(()),
            Some((killer, _)) => killer.abort(),
            None => {}
        }
        let container = container.to_owned();
        let script = play.script.clone();
        let killer = tokio::spawn(async move {
            tokio::time::sleep_until(end_at).await;
            script.abort();
            this.end(&container, attempt, exit_code, false);
        });
        play.killer = Some((killer.abort_handle(), end_at));
        Ok(())
    }

    fn remove_now(&self) {
        let mut inner = self.inner.lock();
        inner.is_gone = true;
        for play in inner.runs.values_mut() {
            play.abort();
        }
        drop(inner);
        self.shared.pods.lock().remove(&self.sandbox.pod_uid);
    }
}

/// Images for a fake runtime: every name is there, except those said to be absent, which no registry has either.
#[derive(Debug, Default)]
pub struct FakeImages {
    absent: Mutex<HashSet<String>>,
    /// Names that a registry has, and how long each takes.
    remote: Mutex<HashMap<String, Duration>>,
}

impl FakeImages {
    /// From now on `reference` is not to be had.
    pub fn remove(&self, reference: &str) {
        self.absent.lock().insert(reference.to_owned());
    }

    /// From now on a registry has it, and takes so long to give it.
    pub fn offer(&self, reference: &str, takes: Duration) {
        self.absent.lock().insert(reference.to_owned());
        self.remote.lock().insert(reference.to_owned(), takes);
    }

    /// From now on it is.
    pub fn add(&self, reference: &str) {
        self.absent.lock().remove(reference);
    }
}

#[async_trait::async_trait]
impl Images for FakeImages {
    async fn resolve(&self, reference: &str) -> Result<Image, ImageError> {
        if self.absent.lock().contains(reference) {
            return Err(ImageError::NotFound(reference.to_owned()));
        }
        Ok(Image {
            reference: reference.to_owned(),
            id: "sha256:0".into(),
            config: ImageConfig { entrypoint: vec!["/script".into()], ..ImageConfig::default() },
            rootfs: Rootfs { lower: vec![], overlays: vec![], masked: vec![] },
            size_bytes: 0,
            origin: Origin::BuiltIn,
        })
    }

    async fn pull(&self, reference: &str, _: &Keyring) -> Result<Pulled, PullError> {
        let offered = self.remote.lock().get(reference).copied();
        let Some(took) = offered else {
            return Err(PullError { fault: Fault::Absent, text: format!("{reference}: not found") });
        };
        tokio::time::sleep(took).await;
        self.add(reference);
        match self.resolve(reference).await {
            Ok(image) => Ok(Pulled { image, took, downloaded_bytes: 0 }),
            Err(error) => Err(error.into()),
        }
    }
}
