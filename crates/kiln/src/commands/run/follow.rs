//! Watches a Job and its pods until a verdict stands, and streams what their containers print.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::runtime::watcher;
use parking_lot::Mutex;

use crate::commands::objects::request;
use crate::commands::streams::{Followers, LINES_AHEAD, Line, Output};
use crate::commands::verdict::{self, Ended, Verdict};
use crate::output::Problem;
use crate::output::progress::Progress;

/// How many lines of the log a failure repeats.
const LAST_LINES: usize = 10;
/// How long logs may trail behind the Job's end.
const LOGS_TRAIL: Duration = Duration::from_secs(5);
/// How often a verdict that depends on time is asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A run that is over.
#[derive(Debug)]
pub struct Followed {
    /// The Job's name.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// The last lines its containers printed.
    pub last_lines: Vec<String>,
    /// From the Job's creation as seen here.
    pub took: Duration,
}

/// The tail of everything printed, kept for a failure's report.
type Tail = Arc<Mutex<VecDeque<String>>>;

/// Follows `job` until it is complete, failed, stuck or gone. `alone` says that nobody else reaches its server.
pub async fn to_the_end(
    client: &kube::Client,
    job: Job,
    progress: &Progress,
    alone: bool,
) -> Result<Followed, Problem> {
    let started = Instant::now();
    let name = job.metadata.name.clone().unwrap_or_default();
    let namespace = job.metadata.namespace.clone().unwrap_or_default();
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let (lines, mut printed) = tokio::sync::mpsc::channel(LINES_AHEAD);
    let is_prefixed = prefixed(&job);
    let mut logs = Followers::new(client.clone(), namespace.clone(), Output::Apart, Vec::new(), lines);
    let follow_started = |logs: &mut Followers, pods: &BTreeMap<String, Pod>| {
        let prefix = |pod: &Pod, _: &str| Some(format!("[{}] ", pod.metadata.name.as_deref()?)).filter(|_| is_prefixed);
        logs.follow_started(pods.values(), |_, _| true, prefix);
    };
    let tail = Tail::default();

    let jobs = Api::<Job>::namespaced(client.clone(), &namespace);
    let mut jobs = watcher(jobs, watcher::Config::default().fields(&format!("metadata.name={name}"))).boxed();
    let pods = Api::<Pod>::namespaced(client.clone(), &namespace);
    let mut pods =
        watcher(pods, watcher::Config::default().labels(&format!("batch.kubernetes.io/controller-uid={uid}"))).boxed();
    let events = Api::<Event>::namespaced(client.clone(), &namespace);
    let mut events = watcher(events, watcher::Config::default().fields("type=Warning")).boxed();

    let mut world = World { job, pods: BTreeMap::new(), unmounted: BTreeMap::new(), gone: false, alone };
    let mut look_again = tokio::time::interval(LOOK_AGAIN);
    let mut warned = HashSet::new();
    let verdict = loop {
        let verdict = world.judge();
        progress.say(&verdict::progress(&world.job));
        if verdict != Verdict::Running {
            break verdict;
        }
        tokio::select! {
            Some(line) = printed.recv() => print(&line, progress, &tail),
            event = jobs.try_next() => world.job_event(event.map_err(lost)?, &uid),
            event = pods.try_next() => {
                world.pod_event(event.map_err(lost)?);
                follow_started(&mut logs, &world.pods);
            }
            event = events.try_next() => {
                let event = event.map_err(lost)?;
                world.warning_event(event.as_ref());
                if let Some(text) = warning(event, &world, &mut warned) {
                    progress.note(&text);
                }
            }
            _ = look_again.tick(), if alone => {}
        }
    };
    follow_started(&mut logs, &world.pods);
    let mut tasks = logs.finish();
    let mut left = LOGS_TRAIL;
    loop {
        let asked = Instant::now();
        match tokio::time::timeout(left, printed.recv()).await {
            // The time that printing takes is its reader's, and does not count.
            Ok(Some(line)) => {
                left = left.saturating_sub(asked.elapsed());
                print(&line, progress, &tail);
            }
            Ok(None) => break,
            Err(_) => {
                progress.note("warning: the end of the log may be missing");
                break;
            }
        }
    }
    tasks.abort_all();
    let last_lines = match &verdict {
        Verdict::Failed { container: Some(ended), .. } => last_words(client, &namespace, ended).await,
        Verdict::Failed { .. } | Verdict::Running | Verdict::Complete | Verdict::Stuck { .. } | Verdict::Gone => None,
    };
    let last_lines = last_lines.unwrap_or_else(|| tail.lock().iter().cloned().collect());
    Ok(Followed { name, verdict, last_lines, took: started.elapsed() })
}

/// The end of the deciding container's log with both streams in the order they were written, while its pod is still there.
async fn last_words(client: &kube::Client, namespace: &str, ended: &Ended) -> Option<Vec<String>> {
    let Ended { pod, container, .. } = ended;
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines={LAST_LINES}");
    let log = client.request_text(request("GET", &path, "application/json", Vec::new())).await.ok()?;
    Some(log.lines().map(str::to_owned).collect())
}

fn lost(error: watcher::Error) -> Problem {
    Problem::internal("lost the server").because(error)
}

/// With several pods on a terminal, each line says where it comes from.
fn prefixed(job: &Job) -> bool {
    let spec = job.spec.clone().unwrap_or_default();
    let several = spec.completions.unwrap_or(2) > 1 || spec.parallelism.unwrap_or(1) > 1;
    several && std::io::IsTerminal::is_terminal(&std::io::stdout())
}

/// What is known of the Job.
struct World {
    job: Job,
    pods: BTreeMap<String, Pod>,
    /// Why volumes could not be set up, by the pod's uid.
    unmounted: BTreeMap<String, String>,
    gone: bool,
    alone: bool,
}

impl World {
    fn judge(&self) -> Verdict {
        if self.gone {
            return Verdict::Gone;
        }
        let pods: Vec<&Pod> = self.pods.values().collect();
        match verdict::judge(&self.job, &pods) {
            Verdict::Running if self.alone => {
                verdict::in_vain(&pods, &self.unmounted, &crate::machine::node_name(), jiff::Timestamp::now())
                    .unwrap_or(Verdict::Running)
            }
            verdict => verdict,
        }
    }

    /// Pods may show up after the events about them, so those of strangers are kept too.
    fn warning_event(&mut self, event: Option<&watcher::Event<Event>>) {
        let Some(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) = event else { return };
        if let (Some("FailedMount"), Some(uid)) = (event.reason.as_deref(), &event.involved_object.uid) {
            self.unmounted.insert(uid.clone(), event.message.clone().unwrap_or_default());
        }
    }

    fn job_event(&mut self, event: Option<watcher::Event<Job>>, uid: &str) {
        match event {
            Some(watcher::Event::Apply(job) | watcher::Event::InitApply(job))
                if job.metadata.uid.as_deref() == Some(uid) =>
            {
                self.job = job
            }
            Some(watcher::Event::Delete(job)) if job.metadata.uid.as_deref() == Some(uid) => self.gone = true,
            _ => {}
        }
    }

    fn pod_event(&mut self, event: Option<watcher::Event<Pod>>) {
        match event {
            Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => {
                self.pods.insert(pod.metadata.name.clone().unwrap_or_default(), pod);
            }
            // A deleted pod's containers may have decided the Job: what was last seen of them stays.
            Some(watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone) | None => {}
        }
    }
}

/// A Warning event about the Job or one of its pods, once.
fn warning(event: Option<watcher::Event<Event>>, world: &World, warned: &mut HashSet<String>) -> Option<String> {
    let Some(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) = event else {
        return None;
    };
    let object = event.involved_object.uid?;
    let ours = world.job.metadata.uid.as_ref() == Some(&object)
        || world.pods.values().any(|pod| pod.metadata.uid.as_ref() == Some(&object));
    let text = format!("warning: {}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default());
    (ours && warned.insert(text.clone())).then_some(text)
}

fn print(line: &Line, progress: &Progress, tail: &Tail) {
    let mut text = Vec::new();
    if let Some(prefix) = &line.prefix {
        text.extend_from_slice(prefix.as_bytes());
    }
    text.extend_from_slice(&line.bytes);
    if line.is_stderr {
        progress.stderr(&text)
    } else {
        progress.stdout(&text)
    }
    let mut tail = tail.lock();
    tail.push_back(String::from_utf8_lossy(&line.bytes).trim_end().to_owned());
    if LAST_LINES < tail.len() {
        tail.pop_front();
    }
}
