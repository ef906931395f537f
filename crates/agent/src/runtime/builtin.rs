//! The built-in runtime: starts supervisors and talks to them. It holds no pipe and no pid of a container,
//! so that losing this process loses nothing.

mod client;
mod descriptor;
mod executable;
mod session;

use super::{Attach, Container, Exec, PodSandbox, Run, Runtime, RuntimeError, Sandbox, Sockets, Streams};
use crate::cgroups::{self, Cgroups, apply};
use crate::supervisor::protocol::{BOOT, Boot, Call, READY, SOCKET};
use crate::supervisor::{ARGV0, records, remove_files};
use async_trait::async_trait;
use client::Client;
use executable::Executable;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// A supervisor that does not come up in this time is given up; a loaded machine takes tens of milliseconds.
const BOOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs pods by supervisors of this binary.
pub struct BuiltIn {
    state_dir: PathBuf,
    executable: Executable,
    cgroups: Cgroups,
    sandboxes: Arc<Sandboxes>,
    said: Arc<Said>,
}

/// By pod uid, until they are removed.
type Sandboxes = Mutex<BTreeMap<String, Arc<Supervised>>>;

/// What was already reported once.
#[derive(Default)]
struct Said(Mutex<BTreeSet<String>>);

impl Said {
    fn once(&self, shortfalls: &[String]) {
        for text in shortfalls {
            if self.0.lock().insert(text.clone()) {
                tracing::warn!("{text}");
            }
        }
    }
}

impl BuiltIn {
    /// With pods in `state_dir/pods` and supervisors of the running binary, whose `main` calls [`crate::supervisor::main`].
    pub fn new(state_dir: PathBuf) -> io::Result<Self> {
        Self::with_executable(state_dir, Path::new("/proc/self/exe"))
    }

    /// The same with supervisors of another binary.
    pub fn with_executable(state_dir: PathBuf, executable: &Path) -> io::Result<Self> {
        make_private_dir(&state_dir)?;
        // The instance is the directory, by whatever name it was given.
        let state_dir = state_dir.canonicalize()?;
        let cgroups = cgroups::detect::detect(&state_dir);
        let said = Arc::new(Said::default());
        said.once(&apply::prepare(&cgroups));
        Ok(Self { state_dir, executable: Executable::new(executable), cgroups, sandboxes: Arc::default(), said })
    }

    /// Removes this server's cgroups that no living pod is in. For the end of an ephemeral server; `recover` does it at the start.
    pub fn sweep(&self) {
        let living = self.sandboxes.lock().keys().cloned().collect();
        apply::sweep(&self.cgroups, &living);
    }

    async fn spawn(&self, sandbox: &Sandbox, network: Option<OwnedFd>) -> Result<Client, RuntimeError> {
        let failed = |what: &str, error: io::Error| RuntimeError::Sandbox(format!("failed to {what}: {error}"));
        // Held open until the supervisor is in it.
        let network_namespace =
            network.as_ref().map(|fd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd()).into());
        let boot = Boot { sandbox: sandbox.clone(), cgroups: self.cgroups.clone(), network_namespace };
        let text = serde_json::to_vec(&boot).map_err(|e| failed("write the sandbox", e.into()))?;
        make_private_dir(&sandbox.dir)
            .and_then(|()| write_whole(&sandbox.dir.join(BOOT), &text))
            .map_err(|e| failed("write the sandbox", e))?;
        let log = std::fs::File::create(sandbox.dir.join("supervisor.log"))
            .map_err(|e| failed("make the supervisor's log", e))?;
        let program = self.executable.path().map_err(|e| failed("copy the supervisor's program", e))?;
        let lifeline = match sandbox.dies_with_server {
            true => Stdio::piped(),
            false => Stdio::null(),
        };
        // Without pre_exec and the like this is a posix_spawn: nothing of this process's memory is copied.
        let mut child = tokio::process::Command::new(program)
            .arg0(ARGV0)
            .arg(&sandbox.dir)
            .env_clear()
            .stdin(lifeline)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| failed("start the supervisor", e))?;
        let lifeline = child.stdin.take();
        let mut said = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = stdout.take(64 * 1024);
            let heard = tokio::time::timeout(BOOT_TIMEOUT, stdout.read_to_string(&mut said)).await;
            if heard.is_err() {
                said = "the supervisor does not answer".into();
            }
        }
        drop(network);
        if said.trim() != READY {
            let _ = child.kill().await;
            let uid = sandbox.pod_uid.clone();
            clear(&self.cgroups, &uid, &sandbox.dir).await;
            let said = said.trim();
            let why = if said.is_empty() { "the supervisor ended at once" } else { said };
            return Err(RuntimeError::Sandbox(why.to_owned()));
        }
        // Reaps it whenever it ends.
        tokio::spawn(async move { child.wait().await });
        Client::connect(&sandbox.dir, lifeline).await.map_err(|e| failed("connect to the supervisor", e))
    }

    fn adopt(&self, sandbox: Sandbox, client: Option<Client>) -> Arc<Supervised> {
        let supervised = Arc::new(Supervised {
            client,
            cgroups: self.cgroups.clone(),
            said: Arc::clone(&self.said),
            siblings: Arc::downgrade(&self.sandboxes),
            sandbox,
        });
        let uid = supervised.sandbox.pod_uid.clone();
        self.sandboxes.lock().insert(uid, Arc::clone(&supervised));
        supervised
    }
}

#[async_trait]
impl Runtime for BuiltIn {
    async fn create(&self, sandbox: Sandbox, network: Option<OwnedFd>) -> Result<Arc<dyn PodSandbox>, RuntimeError> {
        if !is_file_name(&sandbox.pod_uid) {
            let text = format!("{:?} cannot be a pod's uid", sandbox.pod_uid);
            return Err(RuntimeError::Sandbox(text));
        }
        if !sandbox.dir.is_absolute() {
            let text = format!("its directory {} is not absolute", sandbox.dir.display());
            return Err(RuntimeError::Sandbox(text));
        }
        let known = self.sandboxes.lock().get(&sandbox.pod_uid).cloned();
        if let Some(known) = known.filter(|known| known.is_alive()) {
            return Ok(known);
        }
        if sandbox.dir.join(SOCKET).exists() {
            if let Ok(client) = Client::connect(&sandbox.dir, None).await {
                return Ok(self.adopt(sandbox, Some(client)));
            }
            clear(&self.cgroups, &sandbox.pod_uid, &sandbox.dir).await;
        }
        let client = self.spawn(&sandbox, network).await?;
        Ok(self.adopt(sandbox, Some(client)))
    }

    async fn recover(&self) -> Vec<Arc<dyn PodSandbox>> {
        let mut found: Vec<Arc<dyn PodSandbox>> = Vec::new();
        let mut living = BTreeSet::new();
        let pods = std::fs::read_dir(self.state_dir.join("pods"));
        for entry in pods.into_iter().flatten().flatten() {
            let path = entry.path().join(BOOT);
            let Ok(text) = std::fs::read(&path) else {
                continue;
            };
            let boot: Boot = match serde_json::from_slice(&text) {
                Ok(boot) => boot,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a pod's sandbox cannot be read; its processes are stopped");
                    continue;
                }
            };
            let client = Client::connect(&boot.sandbox.dir, None).await.ok();
            if client.is_some() {
                living.insert(boot.sandbox.pod_uid.clone());
            }
            found.push(self.adopt(boot.sandbox, client));
        }
        let cgroups = self.cgroups.clone();
        let swept = tokio::task::spawn_blocking(move || apply::sweep(&cgroups, &living)).await;
        let n_swept = swept.map_or(0, |uids| uids.len());
        if 0 < n_swept {
            tracing::info!(pods = n_swept, "removed cgroups of pods whose supervisor is gone");
        }
        found
    }

    fn find(&self, pod_uid: &str) -> Option<Arc<dyn PodSandbox>> {
        self.sandboxes.lock().get(pod_uid).map(|sandbox| Arc::clone(sandbox) as Arc<dyn PodSandbox>)
    }
}

/// A pod with its supervisor, or what it has left.
struct Supervised {
    sandbox: Sandbox,
    /// `None`: it was dead when this server came.
    client: Option<Client>,
    cgroups: Cgroups,
    said: Arc<Said>,
    siblings: Weak<Sandboxes>,
}

impl Supervised {
    fn is_alive(&self) -> bool {
        self.client.as_ref().is_some_and(Client::is_alive)
    }

    fn gone(&self) -> RuntimeError {
        RuntimeError::Gone(format!("{}/{}", self.sandbox.namespace, self.sandbox.pod_name))
    }

    /// Unless another has taken its place.
    fn forget(&self) {
        let Some(siblings) = self.siblings.upgrade() else {
            return;
        };
        let mut siblings = siblings.lock();
        let known = siblings.get(&self.sandbox.pod_uid);
        if known.is_some_and(|known| std::ptr::eq(&**known, self)) {
            siblings.remove(&self.sandbox.pod_uid);
        }
    }

    fn client(&self) -> Result<&Client, RuntimeError> {
        self.client.as_ref().ok_or_else(|| self.gone())
    }
}

#[async_trait]
impl PodSandbox for Supervised {
    fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn root(&self) -> PathBuf {
        match &self.client {
            Some(client) => format!("/proc/{}/root", client.pid()).into(),
            None => "/".into(),
        }
    }

    async fn start(&self, container: Container) -> Result<Timestamp, RuntimeError> {
        if !is_file_name(&container.name) {
            let text = format!("{:?} cannot be a container's name", container.name);
            return Err(RuntimeError::Create(text));
        }
        let call = Call::Start(Box::new(container));
        let done = self.client()?.call(call).await.ok_or_else(|| self.gone())??;
        self.said.once(&done.shortfalls);
        Ok(done.started_at.unwrap_or_else(Timestamp::now))
    }

    async fn stop(&self, container: &str, grace_seconds: u64) -> Result<(), RuntimeError> {
        let Some(client) = self.client.as_ref().filter(|client| client.is_alive()) else {
            // Containers die with their supervisor.
            return Ok(());
        };
        let call = Call::Stop { container: container.to_owned(), grace_seconds };
        match client.call(call).await {
            Some(result) => Ok(result.map(drop)?),
            None => Ok(()),
        }
    }

    async fn runs(&self) -> Vec<Run> {
        match self.client.as_ref().and_then(Client::runs) {
            Some(runs) => runs,
            None => records::read(&self.sandbox.dir),
        }
    }

    async fn ended(&self, container: &str, attempt: u32) -> Option<Run> {
        records::ended(&self.sandbox.dir, container, attempt)
    }

    async fn changed(&self) {
        match &self.client {
            Some(client) => client.changed().await,
            None => std::future::pending().await,
        }
    }

    async fn exec(&self, exec: Exec) -> Result<Streams, RuntimeError> {
        session::streams(&self.sandbox.dir, Call::Exec(exec)).await.ok_or_else(|| self.gone())?
    }

    async fn attach(&self, attach: Attach) -> Result<Streams, RuntimeError> {
        session::streams(&self.sandbox.dir, Call::Attach(attach)).await.ok_or_else(|| self.gone())?
    }

    async fn sockets(&self) -> Result<Sockets, RuntimeError> {
        session::sockets(&self.sandbox.dir).await.ok_or_else(|| self.gone())?
    }

    async fn remove(&self) -> Result<(), RuntimeError> {
        if let Some(client) = &self.client {
            // No answer means that it died meanwhile, and then the rest is ours.
            let _ = client.call(Call::Remove).await;
            client.ended().await;
        }
        clear(&self.cgroups, &self.sandbox.pod_uid, &self.sandbox.dir).await;
        self.forget();
        Ok(())
    }
}

/// Removes what a dead supervisor has left: processes, cgroups, files.
async fn clear(cgroups: &Cgroups, pod_uid: &str, dir: &Path) {
    let (cgroups, pod_uid, dir) = (cgroups.clone(), pod_uid.to_owned(), dir.to_owned());
    let cleared = tokio::task::spawn_blocking(move || {
        remove_files(&dir);
        apply::remove_pod(&cgroups, &pod_uid)
    });
    match cleared.await {
        Ok(Err(error)) => tracing::warn!(%error, "failed to remove a pod's cgroups"),
        Err(error) => tracing::warn!(%error, "failed to remove a pod's leftovers"),
        Ok(Ok(())) => {}
    }
}

/// Uids and names become file names; they are validated long before, but nobody should have to know that here.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}
