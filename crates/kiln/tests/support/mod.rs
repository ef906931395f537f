//! What the real-container tests share: a server of one's own, every kubectl there is, waiting, and a look at what is left.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod postgres;
pub mod python;
pub mod registry;
pub mod screen;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub const KILN: &str = env!("CARGO_BIN_EXE_kiln");

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// How long a condition may take before a test gives up. Generous: machines are slow at times, and nobody waits when it holds.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `look` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Images shared by every test of this checkout, so that they are unpacked once.
pub fn image_dir() -> PathBuf {
    let directory = repository().join("target/test-images/store");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A command whose output is wanted, with the environment tests need.
pub fn kiln(arguments: &[&str]) -> Command {
    let mut command = Command::new(KILN);
    command.args(arguments).env("KILN_IMAGE_DIR", image_dir()).env_remove("KILN_KUBECONFIG").env("NO_COLOR", "1");
    command
}

/// Runs it to its end, with this for its standard input.
pub fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// stdout as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// stderr as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const ANY_PORT: &str = "127.0.0.1:0";

/// A `kiln server` on a free port with a data directory of its own. Killed, and its pods with it, when dropped.
pub struct Server {
    child: Child,
    pub directory: tempfile::TempDir,
}

impl Server {
    /// Starts one and waits until its kubeconfig is there.
    pub fn start() -> Self {
        Self::start_in(tempfile::Builder::new().prefix("kiln-test-").tempdir().unwrap())
    }

    /// Starts one on an existing data directory.
    pub fn start_in(directory: tempfile::TempDir) -> Self {
        let child = spawn_server(directory.path(), ANY_PORT);
        let mut server = Self { child, directory };
        server.wait_until_ready();
        server
    }

    /// Starts one whose docker.io is the registry at this address.
    pub fn with_mirror(address: std::net::SocketAddr) -> Self {
        let directory = tempfile::Builder::new().prefix("kiln-test-").tempdir().unwrap();
        let yaml = format!("mirrors: {{docker.io: {{endpoint: ['http://{address}']}}}}\n");
        std::fs::write(directory.path().join("registries.yaml"), yaml).unwrap();
        Self::start_in(directory)
    }

    fn wait_until_ready(&mut self) {
        let kubeconfig = self.kubeconfig();
        wait_for("the server's kubeconfig", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("the server ended with {status}:\n{log}");
            }
            kubeconfig.exists().then_some(())
        });
    }

    /// The admin kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: what a power cut is to a process. Pods go on.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(self.kubeconfig()).unwrap();
    }

    /// Starts again on the same data directory.
    pub fn restart(&mut self) {
        self.restart_at(ANY_PORT);
    }

    /// Starts again where clients look for it.
    pub fn restart_at(&mut self, listen: &str) {
        self.child = spawn_server(self.directory.path(), listen);
        self.wait_until_ready();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        signal(self.child.id(), nix::sys::signal::Signal::SIGTERM);
        wait_for("the server to end", || self.child.try_wait().unwrap())
    }

    /// kubectl of a version against this server.
    pub fn kubectl(&self, kubectl: &Kubectl, arguments: &[&str]) -> Command {
        let mut command = Command::new(&kubectl.path);
        let cache = self.directory.path().join(format!("cache-{}", kubectl.version));
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(cache)
            .args(arguments)
            .env("HOME", self.directory.path());
        command
    }

    /// Runs kubectl, which must succeed, and gives its stdout.
    #[track_caller]
    pub fn ok(&self, kubectl: &Kubectl, arguments: &[&str]) -> String {
        let output = self.kubectl(kubectl, arguments).output().unwrap();
        assert!(
            output.status.success(),
            "kubectl {} {}: {}{}",
            kubectl.version,
            arguments.join(" "),
            stdout(&output),
            stderr(&output)
        );
        stdout(&output)
    }

    /// Runs kubectl, which must fail, and gives its stderr.
    #[track_caller]
    pub fn fails(&self, kubectl: &Kubectl, arguments: &[&str]) -> String {
        let output = self.kubectl(kubectl, arguments).output().unwrap();
        assert!(
            !output.status.success(),
            "kubectl {} {} should fail: {}",
            kubectl.version,
            arguments.join(" "),
            stdout(&output)
        );
        stderr(&output)
    }

    /// Runs kubectl with `input` on its stdin.
    pub fn with_input(&self, kubectl: &Kubectl, arguments: &[&str], input: &str) -> Output {
        fed(&mut self.kubectl(kubectl, arguments), input)
    }

    /// The server's log, for a failing test's message.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// This machine's address as the server's pods see it: the first of their range.
    pub fn address_for_pods(&self) -> std::net::Ipv4Addr {
        let record = std::fs::read(self.data_dir().join("agent/network.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let base: std::net::Ipv4Addr = record["range"]["base"].as_str().unwrap().parse().unwrap();
        std::net::Ipv4Addr::from_bits(base.to_bits() + 1)
    }

    /// What this server's pods have left on the machine.
    pub fn traces(&self) -> Vec<String> {
        let mut traces = traces(&self.data_dir().to_string_lossy());
        // These are the server's own, for as long as it runs.
        let own = format!("process {}", self.pid());
        traces.retain(|trace| !trace.starts_with("bridge ") && *trace != own);
        traces
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
        sweep(&self.data_dir());
    }
}

/// Ends and removes whatever the machine still knows of a data directory.
pub fn sweep(data_dir: &Path) {
    let text = data_dir.to_string_lossy().into_owned();
    // Supervisors outlive their server; a killed one takes its containers with it.
    for pid in processes(&text) {
        signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    let start = Instant::now();
    while !processes(&text).is_empty() && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let instance = agent::cgroups::instance(&data_dir.join("agent"));
    // Containers of another runtime do not die with their supervisor, and what would end them then was killed with it.
    cgroups(&instance).iter().for_each(|dir| agent::cgroups::apply::kill_all(dir));
    remove_cgroups(&instance);
    let _ = agent::network::remove(&instance);
}

fn spawn_server(directory: &Path, listen: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(directory.join("log")).unwrap();
    let mut command = kiln(&["server", "--listen", listen]);
    command.arg("--data-dir").arg(directory.join("data")).arg("--kubeconfig").arg(directory.join("kubeconfig"));
    // Written by tests that want mirrors.
    let registries = directory.join("registries.yaml");
    if registries.exists() {
        command.arg("--registries").arg(registries);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// A server whose default namespace takes pods of any kind, and a kubectl.
pub fn start_privileged() -> (Server, Kubectl) {
    let (server, kubectl) = (Server::start(), kubectl());
    let privileged = "pod-security.kubernetes.io/enforce=privileged";
    server.ok(&kubectl, &["label", "--overwrite", "namespace", "default", privileged]);
    (server, kubectl)
}

/// Creates an object, or a List of them; gives the warnings.
#[track_caller]
pub fn create(server: &Server, kubectl: &Kubectl, object: &serde_json::Value) -> String {
    let made = server.with_input(kubectl, &["create", "-f", "-"], &object.to_string());
    assert!(made.status.success(), "{}", stderr(&made));
    stderr(&made)
}

/// Sends a signal to a process this test started.
pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), signal);
}

/// Processes whose command line names `path`.
pub fn processes(path: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let own = std::process::id();
    pids.filter(|pid| {
        *pid != own
            && std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(path))
    })
    .collect()
}

/// Everything of a data directory that the machine still knows: processes, mounts, cgroups, bridges.
pub fn traces(data_dir: &str) -> Vec<String> {
    let mut found: Vec<String> = processes(data_dir).into_iter().map(|pid| format!("process {pid}")).collect();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    found.extend(mounts.lines().filter(|line| line.contains(data_dir)).map(|line| format!("mount {line}")));
    let instance = agent::cgroups::instance(&Path::new(data_dir).join("agent"));
    found.extend(cgroups(&instance).into_iter().map(|path| format!("cgroup {}", path.display())));
    // A bridge says whose it is.
    let interfaces = std::fs::read_dir("/sys/class/net").unwrap().flatten();
    found.extend(interfaces.filter_map(|entry| {
        let whose = std::fs::read_to_string(entry.path().join("ifalias")).ok()?;
        whose.contains(data_dir).then(|| format!("bridge {}", entry.file_name().display()))
    }));
    found
}

/// Every cgroup directory with `instance` in its name.
fn cgroups(instance: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().contains(instance) {
                found.push(entry.path());
            }
            todo.push(entry.path());
        }
    }
    found
}

/// Containers die a moment after their supervisor, and a directory can go once nobody is left in it.
fn remove_cgroups(instance: &str) {
    let start = Instant::now();
    loop {
        let mut left = cgroups(instance);
        if left.is_empty() || Duration::from_secs(10) < start.elapsed() {
            return;
        }
        left.extend(left.clone().iter().flat_map(|path| children(path)));
        left.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for path in left {
            let _ = std::fs::remove_dir(path);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let directories =
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    directories.flat_map(|path| [vec![path.clone()], children(&path)].concat()).collect()
}

/// A kubectl on this machine.
#[derive(Debug, Clone)]
pub struct Kubectl {
    pub path: PathBuf,
    /// Minor version: 33.
    pub version: u32,
}

/// Every kubectl from 1.27 on; where there is none, the oldest that Debian ships (1.20), which knows a subset.
/// `KUBECTL=PATH` asks for one alone.
pub fn kubectls() -> Vec<Kubectl> {
    let mut found = Vec::new();
    if let Some(path) = std::env::var_os("KUBECTL").map(PathBuf::from) {
        let version = version_of(&path).expect("$KUBECTL is a kubectl");
        return vec![Kubectl { path, version }];
    }
    let listed = Command::new("dpkg").args(["-L", "kubectl", "google-cloud-cli-kubectl"]).output();
    let listed = listed.map(|output| stdout(&output)).unwrap_or_default();
    for path in listed.lines().filter(|path| path.contains("/kubectl.1.")) {
        found.extend(version_of(Path::new(path)).map(|version| Kubectl { path: path.into(), version }));
    }
    if found.is_empty() {
        let path = PathBuf::from("kubectl");
        found.extend(version_of(&path).map(|version| Kubectl { path, version }));
    }
    assert!(!found.is_empty(), "no kubectl on this machine; ./test installs Debian's kubernetes-client");
    found.sort_by_key(|kubectl| kubectl.version);
    found.dedup_by_key(|kubectl| kubectl.version);
    found
}

/// The newest of them.
pub fn kubectl() -> Kubectl {
    kubectls().pop().expect("there is at least one")
}

fn version_of(path: &Path) -> Option<u32> {
    let output = Command::new(path).args(["version", "--client", "-o", "json"]).output().ok()?;
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    version["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse().ok()
}
