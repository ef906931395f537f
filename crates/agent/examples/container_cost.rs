//! What a container costs: CPU time and wall time of `true` in a pod of its own, beside a bare fork+exec of the same program, and
//! beside the same pod by runc where the machine has it.
//! Run as root: `cargo build --release -p kiln-agent --bins --examples`, then `target/release/examples/container_cost [N] [AT_ONCE]`.

use agent::runtime::builtin::BuiltIn;
use agent::runtime::{Container, PodSandbox, Resources, Rootfs, RunState, Runtime, Sandbox};
use nix::sys::resource::{UsageWho, getrusage};
use oci_spec::runtime::{LinuxBuilder, ProcessBuilder, RootBuilder, SpecBuilder, get_default_mounts};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let (n, at_once): (usize, usize) = (args.next().unwrap_or(100), args.next().unwrap_or(1));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().join("root/bin");
    std::fs::create_dir_all(&root).expect("a root");
    std::fs::copy("/bin/busybox", root.join("true")).expect("busybox-static");
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");

    let bare = measure(n, || {
        for _ in 0..n {
            let status = Command::new(root.join("true")).status().expect("it runs");
            assert!(status.success());
        }
    });
    let program = std::env::current_exe().expect("our path").with_file_name("../agent-supervisor");
    let runtime = Arc::new(BuiltIn::with_executable(dir.path().join("state"), &program).expect("a runtime"));
    let run = |what: What| measure(n, || tokio.block_on(pods(&runtime, dir.path(), n, at_once, what)));
    let contained = run(What::default());
    let limits = Resources {
        cpu_request_milli: Some(100),
        cpu_limit_milli: Some(1000),
        memory_limit_bytes: Some(64 << 20),
        pids_limit: Some(100),
    };
    let limited = run(What { resources: limits, other: None });
    let runc = ["/usr/sbin/runc", "/usr/bin/runc"].into_iter().map(PathBuf::from).find(|path| path.exists());
    let others = runc.map(|runc| run(What { resources: Resources::default(), other: Some(runc) }));
    println!("{n} times, {at_once} at once      CPU ms each   wall ms each   CPU ratio");
    let ours = [("fork+exec", bare), ("pod", contained), ("pod with limits", limited)];
    for (name, (cpu, wall)) in ours.into_iter().chain(others.map(|cost| ("pod by runc", cost))) {
        println!("{name:20} {:11.2} {:14.2} {:11.1}", cpu, wall, cpu / bare.0);
    }
}

/// How a pod is run.
#[derive(Clone, Default)]
struct What {
    resources: Resources,
    /// Another runtime than the built-in one.
    other: Option<PathBuf>,
}

/// (CPU, wall) in ms, of this process and of the children it has waited for.
fn measure(n: usize, work: impl FnOnce()) -> (f64, f64) {
    let (cpu, wall) = (cpu_time(), Instant::now());
    work();
    let each = |time: Duration| time.as_secs_f64() * 1000.0 / n as f64;
    (each(cpu_time() - cpu), each(wall.elapsed()))
}

fn cpu_time() -> Duration {
    let mut sum = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).expect("our own usage");
        for time in [usage.user_time(), usage.system_time()] {
            sum += Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64);
        }
    }
    sum
}

async fn pods(runtime: &Arc<BuiltIn>, dir: &Path, n: usize, at_once: usize, what: What) {
    let permits = Arc::new(tokio::sync::Semaphore::new(at_once));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..n {
        let permit = Arc::clone(&permits).acquire_owned().await.expect("open");
        let (runtime, dir, what) = (Arc::clone(runtime), dir.to_owned(), what.clone());
        tasks.spawn(async move {
            pod(&runtime, &dir, &format!("pod-{number}"), what).await;
            drop(permit);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("every pod succeeds");
    }
}

async fn pod(runtime: &BuiltIn, dir: &Path, uid: &str, what: What) {
    // The built-in one knows the usual ones itself.
    let mounts = if what.other.is_some() { get_default_mounts() } else { Vec::new() };
    let sandbox = Sandbox {
        pod_uid: uid.into(),
        namespace: "default".into(),
        pod_name: uid.into(),
        hostname: uid.into(),
        host_network: false,
        address: None,
        dir: dir.join("state/pods").join(uid),
        tmpfs: Vec::new(),
        resources: Resources::default(),
        runtime: what.other,
        dies_with_server: false,
    };
    let process = ProcessBuilder::default().args(vec!["/bin/true".to_owned()]).build().expect("a process");
    let seccomp = agent::supervisor::seccomp::default_profile(&Default::default());
    let linux = LinuxBuilder::default().seccomp(seccomp).build().expect("a linux section");
    let root = RootBuilder::default().path("/").readonly(false).build().expect("a root");
    let spec = SpecBuilder::default().process(process).linux(linux).root(root).mounts(mounts).build();
    let container = Container {
        name: "main".into(),
        attempt: 0,
        rootfs: Rootfs { lower: vec![dir.join("root")], overlays: Vec::new(), masked: Vec::new() },
        spec: spec.expect("a spec"),
        resources: what.resources,
        log_path: dir.join(format!("{uid}.log")),
        termination_message: None,
        stop_signal: 15,
        stdin: Default::default(),
    };
    let pod = runtime.create(sandbox, None).await.expect("a sandbox");
    pod.start(container).await.expect("a container");
    assert_eq!(exit_code(&*pod).await, 0);
    pod.remove().await.expect("removal");
    std::fs::remove_dir_all(&pod.sandbox().dir).expect("an empty directory");
}

async fn exit_code(pod: &dyn PodSandbox) -> i32 {
    loop {
        if let Some(RunState::Exited { exit_code, .. }) = pod.runs().await.first().map(|run| run.state.clone()) {
            return exit_code;
        }
        pod.changed().await;
    }
}
