//! `kiln demo`: a few Jobs and a CronJob that show what there is, in a namespace of their own. They need no network.

mod story;

use std::time::Duration;

use futures::AsyncBufReadExt;
use meta::clock::Clock;
use serde_json::{Value, json};

use self::story::Story;
use super::calls::{self, EMPTY, JSON, Payload, Refusal};
use super::connect::{self, Target};
use super::{cron, manifests, objects};
use crate::machine::SystemClock;
use crate::output::progress::Progress;
use crate::output::{self, Exit, Problem};

/// Run a few Jobs and a CronJob that show what there is
///
/// In the namespace kiln-demo, with an image that is built in: nothing is pulled.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Take all of it away again
    #[arg(long)]
    rm: bool,
    #[command(flatten)]
    target: Target,
}

const NAMESPACE: &str = "kiln-demo";
const NAMESPACE_PATH: &str = "/api/v1/namespaces/kiln-demo";
/// By this a namespace is known to be of an earlier demonstration.
const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "kiln-demo");
const OBJECTS: &str = include_str!("objects.yaml");
/// How long the Jobs may take: one waits ten seconds before it tries again.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at whether a namespace is gone.
const PAUSE: Duration = Duration::from_millis(100);

/// Shows it, or takes it away.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let client = connect::running(&arguments.target).await?;
    let progress = Progress::on_stderr();
    let was_there = remove(&client, &progress).await?;
    if arguments.rm {
        progress.finish();
        let told = if was_there { "the demonstration is gone" } else { "there was no demonstration" };
        output::print(&format!("{told}\n"))?;
        return Ok(Exit::Success);
    }
    output::print(story::BEGINNING)?;
    make(&client).await?;
    let told = tokio::time::timeout(PATIENCE, follow(&client, &progress)).await;
    progress.finish();
    told.map_err(|_| {
        Problem::failed(format!("the Jobs were not done after {} s", PATIENCE.as_secs()))
            .remedy(format!("kiln get pods -n {NAMESPACE} and kiln events -n {NAMESPACE} say what they wait for"))
    })??;
    output::print(&next_run(&client).await?)?;
    output::print(story::END)?;
    Ok(Exit::Success)
}

/// Takes an earlier demonstration away, if there is one, and says whether there was.
async fn remove(client: &kube::Client, progress: &Progress) -> Result<bool, Problem> {
    let namespace = match calls::get(client, NAMESPACE_PATH).await {
        Err(refusal) if refusal.is_not_found() => return Ok(false),
        answer => answer.map_err(Refusal::problem)?,
    };
    if meta::object::label(&namespace, LABEL.0) != Some(LABEL.1) {
        return Err(Problem::failed(format!("the namespace {NAMESPACE} is somebody's own"))
            .because("kiln demo did not make it")
            .remedy(format!("if it may go: kiln delete namespace {NAMESPACE}")));
    }
    progress.wait("removing the demonstration");
    let deleted = calls::text(client, "DELETE", NAMESPACE_PATH, JSON, EMPTY).await;
    if let Err(refusal) = deleted
        && !refusal.is_not_found()
        && !refusal.is_conflict()
    {
        return Err(refusal.problem());
    }
    loop {
        match calls::get(client, NAMESPACE_PATH).await {
            Err(refusal) if refusal.is_not_found() => return Ok(true),
            answer => answer.map_err(Refusal::problem).map(drop)?,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn make(client: &kube::Client) -> Result<(), Problem> {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {LABEL.0: LABEL.1}}});
    for object in std::iter::once(namespace).chain(manifests::documents(OBJECTS, "kiln demo")?) {
        let kind = objects::kind_of(&object).ok_or_else(|| objects::not_served(&object))?;
        let path = objects::collection(kind, Some(NAMESPACE));
        let path = calls::path(&path, &[("fieldManager", "kiln-demo"), ("fieldValidation", "Strict")]);
        let body = object.to_string();
        let payload = Payload { content_type: JSON, body: body.as_bytes() };
        calls::text(client, "POST", &path, JSON, payload).await.map_err(Refusal::problem)?;
    }
    Ok(())
}

/// Tells of the Jobs as they go, until all have ended.
async fn follow(client: &kube::Client, progress: &Progress) -> Result<(), Problem> {
    let mut story = Story::default();
    let path = format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs?watch=true");
    while !story.is_over() {
        // Without a revision it begins with what is there, so one that the server ends is begun again.
        let mut lines = std::pin::pin!(calls::stream(client, &path, JSON).await.map_err(Refusal::problem)?);
        let mut line = String::new();
        while !story.is_over() && lines.read_line(&mut line).await.is_ok_and(|n| 0 < n) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            for told in story.take(&event["object"], SystemClock.now()) {
                progress.print(&told)?;
            }
            progress.wait(&story.standing());
            line.clear();
        }
    }
    Ok(())
}

async fn next_run(client: &kube::Client) -> Result<String, Problem> {
    let path = format!("/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/clock");
    let clock = calls::get(client, &path).await.map_err(Refusal::problem)?;
    let now = SystemClock.now();
    let left = cron::next_run(&clock, now).map(|at| meta::duration::human(at.duration_since(now)));
    Ok(story::line("clock", &format!("its next Job is made in {}", left.unwrap_or_default())))
}
