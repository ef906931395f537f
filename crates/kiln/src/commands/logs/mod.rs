//! `kiln logs`: what containers printed; of a Job, what all its pods printed, retries included, to the Job's end.

pub(super) mod choose;
mod job;
mod pods;

use std::time::Duration;

use futures::{AsyncBufReadExt, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use self::choose::Containers;
use super::calls::{self, Refusal};
use super::completion;
use super::objects::{self, kind_named};
use super::session::{Place, Session};
use crate::output::{self, Exit, Problem};

/// Lines of a log that a selector's pods show, unless --tail says otherwise.
const TAIL_OF_SELECTED: i64 = 10;

/// Show what containers print; of a Job, what all its pods print, retries included
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A pod, or TYPE/NAME: pod/x, job/x (all its pods), cronjob/x (its newest Job); then, for one pod, perhaps a container
    #[arg(value_name = "OBJECT", required_unless_present = "selector", num_args = 1..=2, add = completion::of_pods())]
    object: Vec<String>,
    /// Go on as more is printed; of a Job, until it ends
    #[arg(short, long)]
    follow: bool,
    /// Of the pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "object")]
    selector: Option<String>,
    /// This container
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_containers")]
    container: Option<String>,
    /// All containers, those that only prepare too
    #[arg(long)]
    all_containers: bool,
    /// Each line with its pod and container; lines of an Indexed Job have their index before them as it is
    #[arg(long)]
    prefix: bool,
    /// Each line with its time
    #[arg(long)]
    timestamps: bool,
    /// The last lines only; -1 is all [default: -1, with -l 10]
    #[arg(long, value_name = "LINES", allow_negative_numbers = true)]
    tail: Option<i64>,
    /// Not older than this: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration, conflicts_with = "since_time")]
    since: Option<Duration>,
    /// Not older than this time: 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since_time: Option<String>,
    /// Of a container's run before the present one
    #[arg(short, long)]
    previous: bool,
    /// At most this much of each
    #[arg(long, value_name = "BYTES")]
    limit_bytes: Option<u64>,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    /// What the server is asked for, beside container and follow.
    fn options(&self) -> Vec<(&'static str, String)> {
        let flag = |is_set: bool| if is_set { "true".to_owned() } else { String::new() };
        let default = if self.selector.is_some() && !self.follow { TAIL_OF_SELECTED } else { -1 };
        let tail = self.tail.unwrap_or(default);
        let seconds = self.since.map(|since| since.as_secs() + u64::from(0 < since.subsec_nanos()));
        vec![
            ("timestamps", flag(self.timestamps)),
            ("previous", flag(self.previous)),
            ("tailLines", if tail < 0 { String::new() } else { tail.to_string() }),
            ("sinceSeconds", seconds.map_or(String::new(), |seconds| seconds.to_string())),
            ("sinceTime", self.since_time.clone().unwrap_or_default()),
            ("limitBytes", self.limit_bytes.map_or(String::new(), |bytes| bytes.to_string())),
        ]
    }

    fn containers(&self) -> Result<Containers<'_>, Problem> {
        match (self.object.get(1), &self.container, self.all_containers) {
            (Some(_), Some(_), _) | (Some(_), _, true) => {
                Err(Problem::usage("only one of -c or an inline CONTAINER arg is allowed")
                    .remedy("leave one of them out"))
            }
            (Some(name), None, false) | (None, Some(name), false) => Ok(Containers::Named(name)),
            (None, _, true) => Ok(Containers::All),
            (None, None, false) => Ok(Containers::Default),
        }
    }
}

/// Whose logs.
enum Source {
    Pods(Vec<Pod>),
    Job(Box<k8s_openapi::api::batch::v1::Job>),
}

/// Prints logs; with -f until the containers, or the Job, end.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    if arguments.tail.is_some_and(|tail| tail < -1) {
        return Err(Problem::usage("--tail must be greater than or equal to -1"));
    }
    let containers = arguments.containers()?;
    let session = arguments.place.connect().await?;
    match source(&arguments, &session).await? {
        Source::Job(job) => job::print(&job, &arguments, containers, &session).await,
        Source::Pods(pods) if pods.is_empty() => {
            eprintln!("No resources found in {} namespace.", session.namespace);
            Ok(Exit::Success)
        }
        Source::Pods(pods) if arguments.follow && (1 < pods.len() || arguments.all_containers) => {
            pods::follow(pods, &arguments, containers, &session).await
        }
        Source::Pods(pods) => {
            for pod in &pods {
                print_pod(pod, &arguments, containers, &session).await?;
            }
            Ok(Exit::Success)
        }
    }
}

async fn source(arguments: &Arguments, session: &Session) -> Result<Source, Problem> {
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
    if let Some(selector) = &arguments.selector {
        let found =
            pods.list(&ListParams::default().labels(selector)).await.map_err(|error| Refusal::from(error).problem())?;
        return Ok(Source::Pods(found.items));
    }
    let word = arguments.object.first().map(String::as_str).unwrap_or_default();
    let (kind, name) = word.split_once('/').unwrap_or(("pod", word));
    objects::check_name(name)?;
    let kind = kind_named(kind)?;
    match kind.names().kind {
        "Pod" => Ok(Source::Pods(vec![read(&pods, name).await?])),
        "Job" => {
            let jobs = Api::namespaced(session.client.clone(), &session.namespace);
            Ok(Source::Job(Box::new(read(&jobs, name).await?)))
        }
        "CronJob" => job::newest_of_cron_job(name, session).await.map(|job| Source::Job(Box::new(job))),
        other => Err(Problem::usage(format!("a {other} has no logs")).remedy("name a pod, job/NAME or cronjob/NAME")),
    }
}

async fn read<K>(api: &Api<K>, name: &str) -> Result<K, Problem>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    api.get(name).await.map_err(|error| Refusal::from(error).problem())
}

/// The wanted containers of a pod, one after the other.
async fn print_pod(
    pod: &Pod,
    arguments: &Arguments,
    containers: Containers<'_>,
    session: &Session,
) -> Result<(), Problem> {
    let (chosen, note) = choose::containers(pod, containers)?;
    if let Some(note) = note {
        eprintln!("{note}");
    }
    for container in chosen {
        let prefix = arguments.prefix.then(|| choose::prefix(pod, &container));
        copy(pod, &container, prefix, arguments, session).await?;
    }
    Ok(())
}

/// One container's log, as it comes.
async fn copy(
    pod: &Pod,
    container: &str,
    prefix: Option<String>,
    arguments: &Arguments,
    session: &Session,
) -> Result<(), Problem> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let options = arguments.options();
    let mut query = vec![("container", container), ("follow", if arguments.follow { "true" } else { "" })];
    query.extend(options.iter().map(|(key, value)| (*key, value.as_str())));
    let namespace = pod.metadata.namespace.as_deref().unwrap_or(&session.namespace);
    let path = calls::path(&format!("/api/v1/namespaces/{namespace}/pods/{name}/log"), &query);
    let log = calls::stream(&session.client, &path, "*/*").await.map_err(Refusal::problem)?;
    let mut log = std::pin::pin!(log);
    let lost = |error: std::io::Error| Problem::internal("lost the server").because(error);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match &prefix {
            // Lines are told apart only where something goes before each.
            None => {
                bytes.resize(16 * 1024, 0);
                let n_read = log.read(&mut bytes).await.map_err(lost)?;
                bytes.truncate(n_read);
            }
            Some(_) => {
                log.read_until(b'\n', &mut bytes).await.map_err(lost)?;
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(prefix) = &prefix {
            bytes.splice(0..0, prefix.bytes());
        }
        output::write_bytes(&bytes)?;
    }
}
