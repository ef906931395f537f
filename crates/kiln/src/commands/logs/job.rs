//! Logs of a Job: of all its pods, those of retries too; with -f until it has ended and everything is printed.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};

use super::choose::{self, Containers};
use super::{Arguments, print_pod, read};
use crate::commands::calls::Refusal;
use crate::commands::session::Session;
use crate::commands::streams::{self, Followers, LINES_AHEAD, Line, Output};
use crate::commands::verdict::{self, Verdict};
use crate::output::{self, Exit, Problem};

/// The Job that a CronJob started last.
pub(super) async fn newest_of_cron_job(name: &str, session: &Session) -> Result<Job, Problem> {
    let cron_job: CronJob = read(&Api::namespaced(session.client.clone(), &session.namespace), name).await?;
    let jobs: Api<Job> = Api::namespaced(session.client.clone(), &session.namespace);
    let jobs = jobs.list(&ListParams::default()).await.map_err(|error| Refusal::from(error).problem())?;
    let is_own = |job: &Job| {
        let owners = job.metadata.owner_references.iter().flatten();
        owners.into_iter().any(|owner| Some(&owner.uid) == cron_job.metadata.uid.as_ref())
    };
    let created = |job: &Job| job.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let newest = jobs.items.into_iter().filter(is_own).max_by_key(created);
    let newest = newest.ok_or_else(|| {
        Problem::failed(format!("cronjob.batch/{name} has no Job yet"))
            .remedy(format!("start one by hand: kiln create job NAME --from=cronjob/{name}"))
    })?;
    eprintln!("its newest Job is job.batch/{}", newest.metadata.name.as_deref().unwrap_or_default());
    Ok(newest)
}

/// Prints the logs of a Job's pods.
pub(super) async fn print(
    job: &Job,
    arguments: &Arguments,
    containers: Containers<'_>,
    session: &Session,
) -> Result<Exit, Problem> {
    if arguments.follow {
        return follow(job, arguments, containers, session).await;
    }
    let pods = pods_of(job, session).await?;
    if pods.is_empty() {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        return Err(Problem::failed(format!("job.batch/{name} has no pods")).remedy("wait for them: -f"));
    }
    let is_started = |pod: &&Pod| verdict::statuses(pod).any(has_started);
    // What waits to start has printed nothing; a pod alone may tell why it waits.
    let n_started = pods.iter().filter(is_started).count();
    for pod in pods.iter().filter(|pod| n_started == 0 || is_started(pod)) {
        let Some(prefix) = choose::index_prefix(pod).filter(|_| !arguments.prefix) else {
            print_pod(pod, arguments, containers, session).await?;
            continue;
        };
        for container in choose::containers(pod, containers)?.0 {
            super::copy(pod, &container, Some(prefix.clone()), arguments, session).await?;
        }
    }
    Ok(Exit::Success)
}

fn has_started(status: &k8s_openapi::api::core::v1::ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// In the order in which they were made.
async fn pods_of(job: &Job, session: &Session) -> Result<Vec<Pod>, Problem> {
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
    let own = ListParams::default().labels(&label(job));
    let mut pods = pods.list(&own).await.map_err(|error| Refusal::from(error).problem())?.items;
    let index = |pod: &Pod| choose::index_prefix(pod).map(|prefix| (prefix.len(), prefix));
    let created = |pod: &Pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    pods.sort_by_key(|pod| (index(pod), created(pod)));
    Ok(pods)
}

fn label(job: &Job) -> String {
    format!("batch.kubernetes.io/controller-uid={}", job.metadata.uid.as_deref().unwrap_or_default())
}

/// Prints as it is printed, until the Job has ended, or is gone, and its containers with it.
async fn follow(
    job: &Job,
    arguments: &Arguments,
    containers: Containers<'_>,
    session: &Session,
) -> Result<Exit, Problem> {
    let (lines, mut printed) = tokio::sync::mpsc::channel(LINES_AHEAD);
    let (client, namespace) = (session.client.clone(), session.namespace.clone());
    let mut followers = Followers::new(client, namespace, Output::Together, arguments.options(), lines);
    let prefix = |pod: &Pod, container: &str| match arguments.prefix {
        true => Some(choose::prefix(pod, container)),
        false => choose::index_prefix(pod),
    };
    let is_wanted = |pod: &Pod, container: &str| choose::is_wanted(pod, container, containers);

    let name = job.metadata.name.as_deref().unwrap_or_default();
    let jobs: Api<Job> = Api::namespaced(session.client.clone(), &session.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut jobs = watcher(jobs, config).default_backoff().boxed();
    let pods: Api<Pod> = Api::namespaced(session.client.clone(), &session.namespace);
    let mut pods = watcher(pods, watcher::Config::default().labels(&label(job))).default_backoff().boxed();
    let mut known: BTreeMap<String, Pod> = BTreeMap::new();
    let (mut told, mut is_listed) = (false, false);
    let mut tell = |error: watcher::Error| {
        if !std::mem::replace(&mut told, true) {
            eprintln!("warning: lost the server, trying again: {}", crate::commands::objects::innermost(&error));
        }
    };
    loop {
        tokio::select! {
            Some(line) = printed.recv() => print_line(&line)?,
            event = pods.try_next() => match event {
                Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                    known.insert(pod.metadata.name.clone().unwrap_or_default(), pod);
                    followers.follow_started(known.values(), is_wanted, prefix);
                }
                // What comes now was not there when following began.
                Ok(Some(watcher::Event::InitDone)) => followers.begins_are_wanted(),
                Ok(_) => {}
                Err(error) => tell(error),
            },
            event = jobs.try_next() => match event {
                Ok(Some(watcher::Event::Init)) => is_listed = false,
                // It was deleted before anybody watched.
                Ok(Some(watcher::Event::InitDone)) if !is_listed => break,
                Ok(event) => {
                    is_listed = true;
                    if is_the_end(job, event) {
                        break;
                    }
                }
                Err(error) => tell(error),
            },
        }
    }
    // The Job may have been seen to end before the last of its pods was seen to start.
    if let Ok(pods) = pods_of(job, session).await {
        followers.follow_started(&pods, is_wanted, prefix);
    }
    let tasks = followers.finish();
    while let Some(line) = printed.recv().await {
        print_line(&line)?;
    }
    for problem in streams::problems(tasks).await {
        eprintln!("warning: a part of the log is missing: {}", problem.what);
    }
    Ok(Exit::Success)
}

fn is_the_end(job: &Job, event: Option<watcher::Event<Job>>) -> bool {
    let uid = |other: &Job| other.metadata.uid == job.metadata.uid;
    match event {
        Some(watcher::Event::Apply(new) | watcher::Event::InitApply(new)) => {
            !uid(&new) || matches!(verdict::judge(&new, &[]), Verdict::Complete | Verdict::Failed { .. })
        }
        Some(watcher::Event::Delete(old)) => uid(&old),
        Some(watcher::Event::Init | watcher::Event::InitDone) => false,
        None => true,
    }
}

/// A line to stdout, with what stands before it.
pub(super) fn print_line(line: &Line) -> Result<(), Problem> {
    let prefix = line.prefix.as_deref().unwrap_or_default().as_bytes();
    output::write_bytes(&[prefix, &line.bytes].concat())
}
