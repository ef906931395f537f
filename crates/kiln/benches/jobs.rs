//! What Jobs cost when their pods cost nothing: the real API server, store on disk and controllers, and a node that says of
//! every pod that it runs and has succeeded. `cargo bench -p kiln --bench jobs`; `-- --sizes 100,1000` for others,
//! `-- --memory 100000` for what so many finished Jobs weigh. Prints tables; asserts nothing.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apiserver::auth::User;
use apiserver::node::{AttachRequest, Connection, ExecRequest, LogRequest, NodeConnection, Session, Target};
use apiserver::{ApiServer, Config};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use meta::clock::{Clock, Entropy};
use meta::status::Status;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};
use store::{Op, Store, Txn};
use tokio::task::JoinHandle;

type Outcome<T> = Result<T, Box<dyn Error>>;

const NODE: &str = "box";
/// Pods whose statuses are written at a time.
const AT_ONCE: usize = 64;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|found| found == name).and_then(|at| arguments.get(at + 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(n_jobs) = value("--memory") {
            return weigh(n_jobs.parse()?).await;
        }
        let sizes = value("--sizes").map_or("100,1000,10000", String::as_str);
        let sizes = sizes.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
        let shapes = match value("--shape") {
            Some(shape) => vec![shape.parse()?],
            None => vec![0, 1, 2, 3, 4],
        };
        measure(&sizes, &shapes).await
    })
}

/// How a Job is laid out.
struct Shape {
    mode: &'static str,
    /// `None`: all pods at once.
    parallelism: Option<usize>,
}

const SHAPES: [Shape; 5] = [
    Shape { mode: "NonIndexed", parallelism: Some(100) },
    Shape { mode: "NonIndexed", parallelism: Some(500) },
    Shape { mode: "NonIndexed", parallelism: None },
    Shape { mode: "Indexed", parallelism: Some(100) },
    Shape { mode: "Indexed", parallelism: None },
];

async fn measure(sizes: &[usize], shapes: &[usize]) -> Outcome<()> {
    let fork = fork_exec(200)?;
    let commits = bare_commits().await?;
    println!(
        "beside: fork+exec of true {:.2} ms; bare durable commits of 1 KiB, 32 at a time: {commits:.0}/s\n",
        ms(fork)
    );
    println!(
        "| Job | at a time | pods | pods/s | bare commits per pod's time | CPU/pod | in fork+execs | CPU/pod to the row above | job writes | event writes | writes/pod |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for shape in shapes.iter().map(|shape| &SHAPES[*shape]) {
        let mut above: Option<f64> = None;
        for &n_pods in sizes {
            let run = run_job(shape, n_pods).await?;
            let cpu = ms(run.cpu) / n_pods as f64;
            let rate = n_pods as f64 / run.took.as_secs_f64();
            println!(
                "| {} | {} | {n_pods} | {rate:.0} | {:.1} | {cpu:.2} ms | {:.2} | {} | {} | {} | {:.2} |",
                shape.mode,
                shape.parallelism.map_or("all".to_owned(), |n| n.to_string()),
                commits / rate,
                cpu / ms(fork),
                above.map_or("".to_owned(), |above| format!("{:.2}x", cpu / above)),
                run.n_job_writes,
                run.n_event_writes,
                run.n_writes as f64 / n_pods as f64,
            );
            above = Some(cpu);
        }
    }
    Ok(())
}

/// What one Job cost.
struct Run {
    took: Duration,
    /// Of the whole process: control plane, store and the faked node.
    cpu: Duration,
    n_job_writes: usize,
    n_event_writes: usize,
    n_writes: u64,
}

/// Runs one Job on a machine of its own, from its creation to Complete.
async fn run_job(shape: &Shape, n_pods: usize) -> Outcome<Run> {
    let directory = tempfile::Builder::new().prefix("kiln-jobs-").tempdir_in(".")?;
    let machine = Machine::start(directory.path()).await?;
    let jobs: Api<Job> = Api::default_namespaced(machine.client.clone());
    let (n_job_writes, n_event_writes) = (machine.count("/batch/jobs/")?, machine.count("/core/events/")?);
    let job: Job = serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "many"},
        "spec": {
            "completions": n_pods, "parallelism": shape.parallelism.unwrap_or(n_pods), "completionMode": shape.mode,
            "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "main", "image": "fake", "command": ["true"]}]}},
        },
    }))?;
    let (cpu, revision, begin) = (cpu()?, machine.store.revision(), Instant::now());
    jobs.create(&PostParams::default(), &job).await?;
    complete(&jobs, "many").await?;
    let took = begin.elapsed();
    let cpu = self::cpu()?.saturating_sub(cpu);
    let run = Run {
        took,
        cpu,
        n_job_writes: n_job_writes.load(Ordering::Relaxed),
        n_event_writes: n_event_writes.load(Ordering::Relaxed),
        n_writes: machine.store.revision() - revision,
    };
    machine.stop().await;
    Ok(run)
}

async fn complete(jobs: &Api<Job>, name: &str) -> Outcome<()> {
    let of_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = std::pin::pin!(watcher(jobs.clone(), of_name).applied_objects());
    while let Some(job) = seen.try_next().await? {
        let conditions = job.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Failed") {
            return Err(format!("job {name} failed").into());
        }
        if conditions.iter().any(|condition| condition.type_ == "Complete") {
            return Ok(());
        }
    }
    Err("the watch ended".into())
}

/// One machine without an agent.
struct Machine {
    store: Store,
    client: Client,
    tasks: Vec<JoinHandle<()>>,
}

impl Machine {
    async fn start(directory: &Path) -> Outcome<Self> {
        let store = Store::open(&directory.join("data"), store::Options::default())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let api = ApiServer::new(Config {
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            node: Arc::new(NoStreams),
            version: "v1.36.2+kiln.bench".into(),
            trust: None,
        });
        api.bootstrap().await.map_err(|status| status.message)?;
        let client = |component: &str| Client::new(api.client_service(User::component(component)), "default");
        let admin = client("admin");
        create_node(&admin).await?;
        let context = controllers::Context {
            client: client("controllers"),
            clock,
            entropy: Arc::new(SystemEntropy),
            root_ca: None,
            metrics: controllers::metrics::Metrics::default(),
        };
        let tasks = vec![
            tokio::spawn(controllers::run(context, std::future::pending())),
            tokio::spawn(run_pods(client("agent"))),
        ];
        api.set_ready();
        Ok(Self { store, client: admin, tasks })
    }

    /// Counts what is written under a prefix from now on.
    fn count(&self, prefix: &str) -> Outcome<Arc<AtomicUsize>> {
        let mut watcher =
            self.store.watch(prefix, self.store.revision()).map_err(|_| "the store forgot its present")?;
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        tokio::spawn(async move {
            while let Ok(events) = watcher.next().await {
                counter.fetch_add(events.len(), Ordering::Relaxed);
            }
        });
        Ok(count)
    }

    async fn stop(self) {
        for task in self.tasks {
            task.abort();
            // An error says that it was aborted.
            let _ = task.await;
        }
        self.store.close().await;
    }
}

async fn create_node(client: &Client) -> Outcome<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let status = json!({
        "allocatable": {"cpu": "64", "memory": "64Gi", "pods": "500"},
        "capacity": {"cpu": "64", "memory": "64Gi", "pods": "500"},
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    let node: Node = serde_json::from_value(json!({"metadata": {"name": NODE}, "status": status}))?;
    nodes.create(&PostParams::default(), &node).await?;
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
    Ok(())
}

/// The faked node: every pod that is bound runs, and has succeeded.
async fn run_pods(client: Client) {
    let bound = watcher::Config::default().fields(&format!("spec.nodeName={NODE}"));
    let pods = watcher(Api::<Pod>::all(client.clone()), bound).applied_objects();
    let waiting = pods.filter_map(|pod| async {
        let pod = pod.ok()?;
        let is_new = pod.status.as_ref().is_none_or(|status| status.phase.as_deref() == Some("Pending"));
        is_new.then_some(pod.metadata.name?)
    });
    waiting.for_each_concurrent(AT_ONCE, |name| run_pod(client.clone(), name)).await;
}

async fn run_pod(client: Client, name: String) {
    let pods: Api<Pod> = Api::default_namespaced(client);
    let now = jiff::Timestamp::now();
    let container = |state: Value| json!([{"name": "main", "image": "fake", "imageID": "fake", "restartCount": 0, "ready": false, "state": state}]);
    let statuses = [
        json!({"phase": "Running", "startTime": now.to_string(),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now.to_string()}],
            "containerStatuses": container(json!({"running": {"startedAt": now.to_string()}}))}),
        json!({"phase": "Succeeded",
            "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted", "lastTransitionTime": now.to_string()}],
            "containerStatuses": container(json!({"terminated": {"exitCode": 0, "reason": "Completed",
                "startedAt": now.to_string(), "finishedAt": now.to_string()}}))}),
    ];
    for status in statuses {
        let patch = Patch::Strategic(json!({"status": status}));
        if let Err(error) = pods.patch_status(&name, &PatchParams::default(), &patch).await {
            eprintln!("{name}: {error}");
        }
    }
}

/// What finished Jobs of 2.6 KB weigh.
async fn weigh(n_jobs: usize) -> Outcome<()> {
    let directory = tempfile::Builder::new().prefix("kiln-jobs-").tempdir_in(".")?;
    let machine = Machine::start(directory.path()).await?;
    let idle = resident_mib()?;
    let jobs: Api<Job> = Api::default_namespaced(machine.client.clone());
    let writes = futures::stream::iter(0..n_jobs).map(|number| finish_job(&jobs, number));
    writes.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let written = resident_mib()?;
    let n_bytes: usize = machine.store.range("/batch/jobs/", None, 1_000).records.iter().map(|r| r.value.len()).sum();
    machine.stop().await;
    let size = n_bytes as f64 / n_jobs.min(1_000) as f64;
    println!("{n_jobs} finished Jobs of {size:.0} bytes each");
    println!("| | resident | per Job beside its bytes |\n|---|---|---|");
    let per_job = |mib: f64| mib * f64::from(1 << 20) / n_jobs as f64 / size;
    println!("| idle | {idle:.0} MiB | |");
    println!("| after writing them | {written:.0} MiB | {:.2}x |", per_job(written - idle));
    Ok(())
}

async fn finish_job(jobs: &Api<Job>, number: usize) -> Outcome<()> {
    let name = format!("finished-{number:06}");
    let job: Job = serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": {"app": "nightly", "team": "research"},
            "annotations": {"example.com/owner": "somebody@example.com", "example.com/why": "a".repeat(100)}},
        // Suspended, so that the controller leaves it alone until its status says that it is over.
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [{
            "name": "main", "image": "registry.example.com/team/image:v1", "command": ["python", "-m", "work"],
            "args": ["--input", "/data/in", "--output", "/data/out"],
            "env": [{"name": "MODE", "value": "batch"}, {"name": "LEVEL", "value": "info"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        }]}}},
    }))?;
    jobs.create(&PostParams::default(), &job).await?;
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods",
            "lastProbeTime": "2026-01-01T00:00:09Z", "lastTransitionTime": "2026-01-01T00:00:09Z"})
    };
    let status = json!({"status": {
        "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:09Z", "succeeded": 1, "ready": 0,
        "terminating": 0, "uncountedTerminatedPods": {},
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}});
    jobs.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

/// Wall time of one fork+exec+wait of /bin/true, over `n`.
fn fork_exec(n: u32) -> Outcome<Duration> {
    let begin = Instant::now();
    for _ in 0..n {
        Command::new("/bin/true").status()?;
    }
    Ok(begin.elapsed() / n)
}

/// Creates of 1 KiB a second that a store alone makes durable, 32 at a time.
async fn bare_commits() -> Outcome<f64> {
    let directory = tempfile::Builder::new().prefix("kiln-jobs-").tempdir_in(".")?;
    let store = Store::open(&directory.path().join("data"), store::Options::default())?;
    let begin = Instant::now();
    let n_commits = 20_000;
    let commits = futures::stream::iter(0..n_commits).map(|number| {
        let key = format!("/test/things/{number}");
        let value = Bytes::from(vec![b'x'; 1_024]);
        store.commit(Txn { conditions: vec![(key.clone(), 0)], ops: vec![Op::Put { key, value }] })
    });
    commits.buffer_unordered(32).try_for_each(|_| std::future::ready(Ok(()))).await?;
    let rate = f64::from(n_commits) / begin.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

/// User and system time of this process.
fn cpu() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().try_into()?))
}

fn resident_mib() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kib / 1024.0)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the kernel gives random bytes once it has booted");
    }
}

/// Nobody asks the faked node for logs or programs.
struct NoStreams;

#[async_trait::async_trait]
impl NodeConnection for NoStreams {
    async fn logs(&self, _: LogRequest) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status> {
        Err(Status::not_implemented("the faked node keeps no logs"))
    }
    async fn exec(&self, _: ExecRequest) -> Result<Session, Status> {
        Err(Status::not_implemented("the faked node has no programs"))
    }
    async fn attach(&self, _: AttachRequest) -> Result<Session, Status> {
        Err(Status::not_implemented("the faked node has no programs"))
    }
    async fn connect(&self, _: &Target, _: u16) -> Result<Box<dyn Connection>, String> {
        Err("the faked node has no network".into())
    }
}
