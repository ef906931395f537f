//! The whole machine's figures, each beside a bare fork+exec loop measured in the same run:
//! `cargo bench -p kiln --bench figures`. Needs root. Prints a table; asserts nothing.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

const KILN: &str = env!("CARGO_BIN_EXE_kiln");

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Outcome<()> {
    let directory = tempfile::Builder::new().prefix("kiln-figures-").tempdir()?;
    // The first start makes keys and unpacks the demo image; it is not what is measured.
    drop(Running::start(directory.path()).await?);

    let fork = fork_exec(200)?;
    println!("| what | figure | beside a fork+exec of true ({:.2} ms) |\n|---|---|---|", milliseconds(fork));
    let mut starts = Vec::new();
    for _ in 0..5 {
        starts.push(Running::start(directory.path()).await?.ready_after);
    }
    row("start to ready, median of 5", median(starts), fork);

    let server = Running::start(directory.path()).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("| resident memory, idle | {:.1} MiB | |", server.resident_mib()?);
    let jobs: Api<Job> = Api::default_namespaced(server.client.clone());
    let mut takes = Vec::new();
    for number in 0..25 {
        let took = run_job(&jobs, &format!("noop-{number}"), 1, 1).await?;
        takes.push(took);
    }
    row("no-op Job, create to Complete, median of 20", median(takes.split_off(5)), fork);

    let cpu = server.cpu()?;
    let took = run_job(&jobs, "hundred", 100, 10).await?;
    let cpu = server.cpu()? - cpu;
    println!("| Job of 100 pods, 10 at a time | {:.0} pods/s | |", 100.0 / took.as_secs_f64());
    row("… per pod, wall", took / 100, fork);
    row("… per pod, CPU of the server and its reaped children", cpu / 100, fork);
    println!("| resident memory after 125 pods | {:.1} MiB | |", server.resident_mib()?);
    println!("| binary | {:.1} MiB | |", std::fs::metadata(KILN)?.len() as f64 / f64::from(1 << 20));
    Ok(())
}

fn row(what: &str, figure: Duration, fork: Duration) {
    println!("| {what} | {:.1} ms | {:.1}x |", milliseconds(figure), figure.as_secs_f64() / fork.as_secs_f64());
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

/// Wall time of one fork+exec+wait of /bin/true, over `n`.
fn fork_exec(n: u32) -> Outcome<Duration> {
    let begin = Instant::now();
    for _ in 0..n {
        Command::new("/bin/true").status()?;
    }
    Ok(begin.elapsed() / n)
}

/// A `kiln server`, killed when dropped.
struct Running {
    child: Child,
    client: Client,
    ready_after: Duration,
}

impl Running {
    async fn start(directory: &Path) -> Outcome<Self> {
        let kubeconfig = directory.join("kubeconfig");
        let _ = std::fs::remove_file(&kubeconfig);
        let mut command = Command::new(KILN);
        command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.join("data"));
        command.arg("--kubeconfig").arg(&kubeconfig).env("KILN_LOG", "error").stdin(Stdio::null());
        let begin = Instant::now();
        let child = command.spawn()?;
        // The file is renamed into place when /readyz answers 200.
        while !kubeconfig.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ready_after = begin.elapsed();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::config::Kubeconfig::read_from(&kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(config, &options).await?;
        Ok(Self { child, client: Client::try_from(config)?, ready_after })
    }

    fn resident_mib(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// User and system time of the server and the children it has waited for.
    fn cpu(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
        let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Creates a Job whose pods do nothing, waits until it is complete, deletes it.
async fn run_job(jobs: &Api<Job>, name: &str, completions: u32, parallelism: u32) -> Outcome<Duration> {
    let job: Job = serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name },
        "spec": { "completions": completions, "parallelism": parallelism, "template": { "spec": {
            "restartPolicy": "Never", "containers": [{ "name": "c", "image": "kiln/demo", "command": ["echo"] }] } } },
    }))?;
    let mut events = std::pin::pin!(
        watcher(jobs.clone(), watcher::Config::default().fields(&format!("metadata.name={name}"))).applied_objects()
    );
    let begin = Instant::now();
    jobs.create(&PostParams::default(), &job).await?;
    while let Some(job) = events.try_next().await? {
        let conditions = job.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Failed") {
            return Err(format!("job {name} failed").into());
        }
        if conditions.iter().any(|condition| condition.type_ == "Complete") {
            break;
        }
    }
    let took = begin.elapsed();
    jobs.delete(name, &DeleteParams::background()).await?;
    Ok(took)
}
