//! A state directory of its own for each test, and everything in it gone afterwards, also when the test fails.

use agent::runtime::builtin::BuiltIn;
use agent::runtime::{Container, PodSandbox, Resources, Rootfs, Run, RunState, Runtime, Sandbox};
use oci_spec::runtime::{
    Capabilities, Capability, LinuxBuilder, LinuxCapabilitiesBuilder, Mount, MountBuilder, ProcessBuilder, RootBuilder,
    Spec, SpecBuilder,
};
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No condition takes this long, even on a machine that compiles beside the test.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Machine {
    pub dir: tempfile::TempDir,
    pub runtime: BuiltIn,
}

pub fn supervisor() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_agent-supervisor"))
}

impl Machine {
    pub fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// One whose directory is in another.
    pub fn new_in(parent: &Path) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "these tests make containers and need root");
        let dir = tempfile::Builder::new().prefix("kiln-runtime-").tempdir_in(parent).unwrap();
        make_root(&dir.path().join("root"));
        let runtime = BuiltIn::with_executable(dir.path().join("state"), supervisor()).unwrap();
        Self { dir, runtime }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn sandbox(&self, uid: &str) -> Sandbox {
        sandbox(&self.state_dir(), uid)
    }

    pub async fn pod(&self, uid: &str) -> Pod<'_> {
        self.pod_of(self.sandbox(uid)).await
    }

    pub async fn pod_of(&self, sandbox: Sandbox) -> Pod<'_> {
        let sandbox = self.runtime.create(sandbox, None).await.unwrap();
        Pod { machine: self, sandbox }
    }

    pub fn container(&self, name: &str, script: &str) -> Container {
        container(self.dir.path(), name, script)
    }

    /// Another server on the same state directory.
    pub fn another_server(&self) -> BuiltIn {
        BuiltIn::with_executable(self.state_dir(), supervisor()).unwrap()
    }

    /// cgroup directories of this test, anywhere.
    pub fn cgroup_dirs(&self) -> Vec<PathBuf> {
        let cgroups = agent::cgroups::detect::detect(&self.state_dir());
        let dirs = cgroups.instance_dirs().into_iter();
        dirs.filter(|dir| dir.exists()).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let state = self.state_dir();
        let cleaned = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async {
                let runtime = BuiltIn::with_executable(state, supervisor()).unwrap();
                for sandbox in runtime.recover().await {
                    let _ = sandbox.remove().await;
                }
                runtime.recover().await;
            });
        });
        let _ = cleaned.join();
    }
}

pub struct Pod<'a> {
    machine: &'a Machine,
    pub sandbox: Arc<dyn PodSandbox>,
}

impl Pod<'_> {
    pub async fn start(&self, name: &str, script: &str) {
        let container = self.machine.container(name, script);
        self.sandbox.start(container).await.unwrap();
    }

    /// Runs a script to its end: (exit code, output).
    pub async fn run(&self, container: Container) -> (i32, String) {
        let (name, log) = (container.name.clone(), container.log_path.clone());
        self.sandbox.start(container).await.unwrap();
        let (code, _) = self.ended(&name).await;
        (code, text(&log))
    }

    pub async fn script(&self, script: &str) -> (i32, String) {
        self.run(self.machine.container("main", script)).await
    }

    /// Waits for the newest run's end: (exit code, killed for memory).
    pub async fn ended(&self, name: &str) -> (i32, bool) {
        ended(&*self.sandbox, name).await
    }
}

pub async fn ended(sandbox: &dyn PodSandbox, name: &str) -> (i32, bool) {
    let wait = async {
        loop {
            let runs = sandbox.runs().await;
            let state = runs.into_iter().find(|run| run.container == name);
            match state.map(|run| run.state) {
                Some(RunState::Exited { exit_code, oom_killed, .. }) => return (exit_code, oom_killed),
                Some(RunState::Lost) => panic!("the run of {name} was lost"),
                _ => sandbox.changed().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{name} does not end"))
}

/// Waits until `condition` holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::yield_now();
    }
}

/// A log's text without times and streams.
pub fn text(log: &Path) -> String {
    let raw = fs::read_to_string(log).unwrap();
    let mut text = String::new();
    for line in raw.lines() {
        let mut fields = line.splitn(4, ' ');
        let (_, _, tag) = (fields.next(), fields.next(), fields.next());
        text.push_str(fields.next().unwrap());
        if tag == Some("F") {
            text.push('\n');
        }
    }
    text
}

pub fn sandbox(state_dir: &Path, uid: &str) -> Sandbox {
    Sandbox {
        pod_uid: uid.into(),
        namespace: "default".into(),
        pod_name: format!("pod-{uid}"),
        hostname: format!("host-{uid}"),
        host_network: false,
        address: None,
        dir: state_dir.join("pods").join(uid),
        tmpfs: Vec::new(),
        resources: Resources::default(),
        runtime: None,
        dies_with_server: false,
    }
}

/// A container of the root below `dir` that runs `script`.
pub fn container(dir: &Path, name: &str, script: &str) -> Container {
    let logs = dir.join("logs");
    fs::create_dir_all(&logs).unwrap();
    Container {
        name: name.into(),
        attempt: 0,
        rootfs: Rootfs { lower: vec![dir.join("root")], overlays: Vec::new(), masked: Vec::new() },
        spec: spec(&["sh", "-c", script]),
        resources: Resources::default(),
        log_path: logs.join(format!("{name}.log")),
        termination_message: None,
        stop_signal: libc::SIGTERM,
        stdin: Default::default(),
    }
}

pub fn spec(args: &[&str]) -> Spec {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string()).collect();
    // The set that containers have everywhere.
    let capabilities: Capabilities = HashSet::from([
        Capability::Chown,
        Capability::DacOverride,
        Capability::Fowner,
        Capability::Fsetid,
        Capability::Kill,
        Capability::Mknod,
        Capability::NetBindService,
        Capability::Setfcap,
        Capability::Setgid,
        Capability::Setpcap,
        Capability::Setuid,
        Capability::SysChroot,
    ]);
    let sets = LinuxCapabilitiesBuilder::default()
        .bounding(capabilities.clone())
        .effective(capabilities.clone())
        .permitted(capabilities.clone())
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .unwrap();
    let process = ProcessBuilder::default()
        .args(args)
        .env(vec!["PATH=/bin".to_string()])
        .cwd("/")
        .capabilities(sets)
        .no_new_privileges(false)
        .build()
        .unwrap();
    let linux = LinuxBuilder::default()
        .seccomp(agent::supervisor::seccomp::default_profile(&capabilities))
        .masked_paths(vec!["/proc/version".into(), "/proc/acpi".into(), "/none".into()])
        .readonly_paths(vec!["/proc/sys".to_string()])
        .build()
        .unwrap();
    SpecBuilder::default()
        .root(RootBuilder::default().path("/").readonly(false).build().unwrap())
        .process(process)
        .linux(linux)
        .mounts(Vec::new())
        .build()
        .unwrap()
}

/// What the built-in runtime mounts without being told.
pub fn usual_mounts() -> Vec<Mount> {
    [
        ("/proc", "proc", "nosuid,noexec,nodev"),
        ("/dev", "tmpfs", "nosuid,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
        ("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
        ("/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,ro"),
    ]
    .map(|(place, kind, options)| {
        let options: Vec<_> = options.split(',').map(str::to_owned).collect();
        MountBuilder::default().destination(place).typ(kind).source(kind).options(options).build().unwrap()
    })
    .to_vec()
}

/// A root file system of one static program.
fn make_root(root: &Path) {
    let busybox = Path::new("/bin/busybox");
    assert!(busybox.exists(), "these tests need /bin/busybox: apt-get install busybox-static");
    for dir in ["bin", "etc", "tmp", "dev"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for name in [
        "sh", "echo", "cat", "ls", "sleep", "dd", "id", "hostname", "mount", "umount", "mkdir", "touch", "readlink",
        "grep", "seq", "true", "unshare", "chroot", "kill", "ps", "stat", "nc", "ip", "mknod", "head", "wc", "yes",
        "trap", "printf", "pwd", "dmesg", "rm", "ln", "tail", "date", "od", "nproc", "test", "env", "awk",
    ] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nwww:x:44:\nmail:x:8:web\n").unwrap();
    fs::write(root.join("etc/secret"), "do not read\n").unwrap();
}

/// The pod's supervisor, as the kernel knows it.
pub fn supervisor_pid(sandbox: &dyn PodSandbox) -> i32 {
    let root = sandbox.root();
    let pid = root.components().nth(2).unwrap();
    pid.as_os_str().to_str().unwrap().parse().unwrap()
}

pub fn exists(pid: i32) -> bool {
    // A zombie that someone else has yet to reap does no harm.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

pub fn running_pid(runs: &[Run], name: &str) -> i32 {
    let run = runs.iter().find(|run| run.container == name).unwrap();
    match run.state {
        RunState::Running { pid, .. } => pid as i32,
        ref other => panic!("{name} is {other:?}"),
    }
}
