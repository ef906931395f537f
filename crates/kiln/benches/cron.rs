//! How late CronJobs start their Jobs, on the real clock: the real API server, store on disk and controllers, and a node that says
//! of every pod that it has succeeded. So many CronJobs are due at one minute; measured is from the minute to the moment at which
//! each Job is durable and seen by a watcher. `cargo bench -p kiln --bench cron`; `-- --sizes 10,100` for others,
//! `-- --idle 10000` for what so many CronJobs cost that are not due. Prints tables; asserts nothing.

#[path = "../src/machine.rs"]
#[allow(dead_code, unused_imports, reason = "the shipped clock is wanted, nothing else")]
mod machine;

use apiserver::auth::User;
use apiserver::node::{AttachRequest, Connection, ExecRequest, LogRequest, NodeConnection, Session, Target};
use apiserver::{ApiServer, Config};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use machine::{SystemClock, SystemEntropy};
use meta::clock::{Alarm, Clock};
use meta::status::Status;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Event, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

type Outcome<T> = Result<T, Box<dyn Error>>;

const NODE: &str = "box";
/// Requests of the bench itself that are under way at a time.
const AT_ONCE: usize = 64;
/// The minute comes so long after everything has been created, so that nothing of that is still going on.
const REST: SignedDuration = SignedDuration::from_secs(3);
const IDLE: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|found| found == name).and_then(|at| arguments.get(at + 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(n) = value("--idle") {
            return idle(n.parse()?).await;
        }
        println!("| CronJobs | p50 | p99 | max | until all is told |\n|---|---|---|---|---|");
        for size in value("--sizes").map_or("10,100,1000", String::as_str).split(',') {
            lateness(size.parse()?).await?;
        }
        Ok(())
    })
}

async fn lateness(n: usize) -> Outcome<()> {
    let directory = tempfile::Builder::new().prefix("kiln-cron-").tempdir_in(".")?;
    // The clock of the machine's, set so that the minute begins soon.
    let clock = Arc::new(Shifted(watch::Sender::new(SignedDuration::ZERO)));
    // A whole minute in which they are made, of which the rest is then left out.
    clock.show_before_minute(SignedDuration::from_secs(60))?;
    let machine = Machine::start(directory.path(), clock.clone()).await?;
    machine.create(n, "* * * * *").await?;
    let mut jobs = machine.store.watch("/batch/jobs/", machine.store.revision()).map_err(|_| "no watch")?;
    let minute = clock.show_before_minute(REST)?;
    let mut lags: HashMap<String, SignedDuration> = HashMap::new();
    while lags.len() < n {
        let events = jobs.next().await.map_err(|_| "the watch ended")?;
        let now = clock.now();
        for event in events {
            let Event::Put { record, .. } = event else { continue };
            lags.entry(record.key.to_string()).or_insert_with(|| now.duration_since(minute));
        }
    }
    let told = settled(&machine, n, &clock, minute).await?;
    let mut lags: Vec<SignedDuration> = lags.into_values().collect();
    lags.sort_unstable();
    let at = |per_cent: usize| lags[(n * per_cent / 100).min(n - 1)].as_secs_f64() * 1_000.0;
    println!(
        "| {n} | {:.0} ms | {:.0} ms | {:.0} ms | {:.0} ms |",
        at(50),
        at(99),
        at(100),
        told.as_secs_f64() * 1_000.0
    );
    machine.stop().await;
    Ok(())
}

/// Waits until every CronJob has recorded its run and every Job is free of its finalizer.
async fn settled(machine: &Machine, n: usize, clock: &Shifted, minute: Timestamp) -> Outcome<SignedDuration> {
    loop {
        let jobs = machine.store.range("/batch/jobs/", None, 0).records;
        let tracked = jobs.iter().filter(|job| contains(&job.value, b"cronjob-tracking")).count();
        if jobs.len() == n && tracked == 0 {
            return Ok(clock.now().duration_since(minute));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

async fn idle(n: usize) -> Outcome<()> {
    let directory = tempfile::Builder::new().prefix("kiln-cron-").tempdir_in(".")?;
    let clock = Arc::new(Shifted(watch::Sender::new(SignedDuration::ZERO)));
    let machine = Machine::start(directory.path(), clock).await?;
    let (cpu_without, rss_without) = (busy().await?, resident_mib()?);
    machine.create(n, "59 23 31 12 *").await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (cpu_with, rss_with) = (busy().await?, resident_mib()?);
    println!("| CronJobs that are not due | CPU | resident |\n|---|---|---|");
    println!("| 0 | {:.2} % | {rss_without:.0} MiB |\n| {n} | {:.2} % | {rss_with:.0} MiB |", cpu_without, cpu_with);
    machine.stop().await;
    Ok(())
}

/// CPU of this process in per cent of one core, over a while.
async fn busy() -> Outcome<f64> {
    let before = cpu()?;
    tokio::time::sleep(IDLE).await;
    Ok((cpu()?.saturating_sub(before)).as_secs_f64() / IDLE.as_secs_f64() * 100.0)
}

/// The machine's clock, set forward.
struct Shifted(watch::Sender<SignedDuration>);

impl Shifted {
    /// Sets it forward until so long before a minute; returns that minute.
    fn show_before_minute(&self, rest: SignedDuration) -> Outcome<Timestamp> {
        let now = self.now();
        let next = (now + rest).as_second().div_euclid(60) * 60 + 60;
        let minute = Timestamp::from_second(next)?;
        self.0.send_modify(|ahead| *ahead += minute.duration_since(now) - rest);
        Ok(minute)
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock.now() + *self.0.borrow()
    }
    fn alarm(&self, at: Timestamp) -> Alarm {
        let mut ahead = self.0.subscribe();
        let alarm = SystemClock.alarm(at.checked_sub(*ahead.borrow_and_update()).unwrap_or(at));
        Box::pin(async move {
            tokio::select! {
                () = alarm => {}
                _ = ahead.changed() => {}
            }
        })
    }
}

/// One machine without an agent.
struct Machine {
    store: Store,
    client: Client,
    tasks: Vec<JoinHandle<()>>,
}

impl Machine {
    async fn start(directory: &Path, clock: Arc<dyn Clock>) -> Outcome<Self> {
        let store = Store::open(&directory.join("data"), store::Options::default())?;
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

    async fn create(&self, n: usize, schedule: &str) -> Outcome<()> {
        let cronjobs: &Api<CronJob> = &Api::default_namespaced(self.client.clone());
        let creates = futures::stream::iter(0..n).map(|number| async move {
            let cronjob = serde_json::from_value(json!({"metadata": {"name": format!("cron-{number:05}")}, "spec": {
                "schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "fake", "command": ["true"]}]}}}}}}))?;
            cronjobs.create(&PostParams::default(), &cronjob).await?;
            Outcome::Ok(())
        });
        creates.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
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

/// The faked node: every pod that is bound has succeeded.
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
    let now = Timestamp::now().to_string();
    let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}});
    let status = json!({"phase": "Succeeded", "startTime": now, "containerStatuses": [
        {"name": "main", "image": "fake", "imageID": "fake", "restartCount": 0, "ready": false, "state": ended}]});
    let patch = Patch::Strategic(json!({"status": status}));
    if let Err(error) = pods.patch_status(&name, &PatchParams::default(), &patch).await {
        eprintln!("{name}: {error}");
    }
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
