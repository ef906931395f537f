//! `kiln run`: one Job from its manifest to its end, on the running server or on an ephemeral one.

mod follow;
mod manifest;

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kinds::Scope;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use self::follow::Followed;
pub(super) use self::manifest::pairs;
use self::manifest::{FromImage, Manifest};
use super::connect::{Connection, Target};
use super::image::Registries;
use super::objects::{collection, innermost, kind_of, request};
use super::verdict::Verdict;
use crate::output::progress::Progress;
use crate::output::{Exit, Problem};

/// Run one Job to its end.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["file", "image"]))]
pub struct Arguments {
    /// Manifest with one Job and what it needs beside it; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Image of a Job made here, e.g. kiln/demo or kiln/host
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Name of the Job
    #[arg(long)]
    name: Option<String>,
    /// Namespace
    #[arg(short, long)]
    namespace: Option<String>,
    /// Environment variable for its containers, NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Give up after this long: 90s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
    timeout: Option<Duration>,
    /// Leave the Job on the server afterwards
    #[arg(long)]
    keep: bool,
    /// Retries before the Job fails [default with --image: 0]
    #[arg(long, value_name = "N")]
    backoff_limit: Option<u32>,
    /// Use a fresh server in a temporary directory, whatever runs or KILN_KUBECONFIG names
    #[arg(long)]
    ephemeral: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    registries: Registries,
    /// Command and arguments; without it the image's own
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Runs the Job and gives the exit code it earned.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let failed = |error: std::io::Error| Problem::internal("failed to watch for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;

    let manifest = manifest_of(&arguments)?;
    let progress = Progress::on_stderr();
    let connection = Connection::or_ephemeral(&arguments.target, arguments.ephemeral, &arguments.registries).await?;
    let ephemeral = connection.ephemeral.is_some();
    let keep = arguments.keep && !ephemeral;
    let deadline = async {
        match arguments.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };

    let result = tokio::select! {
        result = run_to_end(&connection, manifest, &progress, keep) => result,
        () = deadline => Ok(timed_out(&arguments, ephemeral)),
        _ = interrupt.recv() => Ok(detached(&progress, ephemeral)),
        _ = terminate.recv() => Ok(detached(&progress, ephemeral)),
    };
    progress.finish();
    if let Some(server) = connection.ephemeral {
        server.stop().await?;
    }
    result
}

fn manifest_of(arguments: &Arguments) -> Result<Manifest, Problem> {
    let given = FromImage {
        image: arguments.image.clone().unwrap_or_default(),
        command: arguments.command.clone(),
        env: arguments.env.clone(),
        name: arguments.name.clone(),
        backoff_limit: arguments.backoff_limit,
    };
    let mut manifest = match &arguments.file {
        Some(_) if !arguments.command.is_empty() => {
            return Err(Problem::usage("a command after -- goes with --image, and the manifest has its own")
                .remedy("change the command in the file, or use --image"));
        }
        Some(path) => manifest::read(path)?,
        None => manifest::from_image(&given)?,
    };
    if arguments.file.is_some() {
        manifest::overlay(&mut manifest.job, &given)?;
    }
    for object in manifest.others.iter_mut().chain([&mut manifest.job]) {
        set_namespace(object, arguments.namespace.as_deref());
        check_namespace(object)?;
    }
    Ok(manifest)
}

/// `-n` wins; else the object's own; else `default`.
fn set_namespace(object: &mut Value, wanted: Option<&str>) {
    let namespaced = kind_of(object).is_some_and(|kind| kind.names().scope == Scope::Namespaced);
    let own = object["metadata"]["namespace"].as_str().map(str::to_owned);
    if namespaced {
        object["metadata"]["namespace"] = wanted.map(str::to_owned).or(own).unwrap_or_else(|| "default".into()).into();
    }
}

/// Before a path is made of it.
fn check_namespace(object: &Value) -> Result<(), Problem> {
    match meta::object::namespace(object) {
        "" => Ok(()),
        namespace => super::objects::check_namespace(namespace),
    }
}

async fn run_to_end(
    connection: &Connection,
    manifest: Manifest,
    progress: &Progress,
    keep: bool,
) -> Result<Exit, Problem> {
    let client = &connection.client;
    let mut made = Vec::new();
    for object in &manifest.others {
        made.extend(create_or_merge(client, object).await?);
    }
    let created = create(client, &manifest.job).await.map_err(|error| refused(&manifest.job, error))?;
    let outcome = follow(client, &created, progress, connection.ephemeral.is_some()).await?;
    if keep {
        eprintln!("kept: kubectl -n {} get job {}", meta::object::namespace(&created), meta::object::name(&created));
    } else {
        remove(client, &created).await;
        for object in made.iter().rev() {
            remove(client, object).await;
        }
    }
    outcome
}

/// Shows what a Job that was made prints, to its end. The Job stays; who interrupts only stops looking.
pub(super) async fn see_through(client: &kube::Client, job: &Value) -> Result<Exit, Problem> {
    let progress = Progress::on_stderr();
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| Problem::internal("failed to watch for signals").because(error))?;
    tokio::select! {
        result = follow(client, job, &progress, false) => result?,
        _ = interrupt.recv() => Ok(detached(&progress, false)),
    }
}

/// The outer error is that the Job was lost sight of.
async fn follow(
    client: &kube::Client,
    job: &Value,
    progress: &Progress,
    is_ephemeral: bool,
) -> Result<Result<Exit, Problem>, Problem> {
    let job: Job = serde_json::from_value(job.clone())
        .map_err(|error| Problem::internal("the server's answer is not a Job").because(error))?;
    let followed = follow::to_the_end(client, job, progress, is_ephemeral).await?;
    progress.finish();
    Ok(conclude(&followed))
}

/// Turns the end of a Job into an exit code, and says on stderr what a person needs to know.
fn conclude(followed: &Followed) -> Result<Exit, Problem> {
    let name = &followed.name;
    match &followed.verdict {
        Verdict::Running => Err(Problem::internal(format!("lost sight of job/{name}"))),
        Verdict::Complete => {
            eprintln!("job/{name} complete in {}", seconds(followed.took));
            Ok(Exit::Success)
        }
        Verdict::Failed { reason, message, container } => {
            eprintln!("job/{name} failed after {}: {reason}: {message}", seconds(followed.took));
            for line in &followed.last_lines {
                eprintln!("  | {line}");
            }
            let Some(ended) = container else {
                return Ok(Exit::Failed);
            };
            eprintln!(
                "container {} of pod/{} ended with exit code {} ({})",
                ended.container, ended.pod, ended.exit_code, ended.reason
            );
            Ok(u8::try_from(ended.exit_code).map_or(Exit::Failed, Exit::Container))
        }
        Verdict::Stuck { reason, message } => Err(stuck(name, reason, message)),
        Verdict::Gone => Err(Problem::failed(format!("job/{name} was deleted while it ran"))),
    }
}

fn stuck(job: &str, reason: &str, message: &str) -> Problem {
    let problem = Problem::internal(format!("job/{job} cannot run: {reason}")).because(message);
    if message.contains("no command specified") {
        return problem
            .remedy("the image names no program to run: give one after --, e.g. kiln run --image kiln/demo -- pi 100");
    }
    match reason {
        "JobSuspended" => Problem::failed(format!("job/{job} is suspended, so it does not go on by itself"))
            .remedy("take `suspend: true` out of the manifest, or see it through yourself: kubectl create, kiln wait"),
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" => problem.remedy(
            "import the image: kiln image import FILE --name IMAGE (a docker-save archive or an OCI layout),\n\
             or use one that needs no network: kiln/demo, or kiln/host for this machine's own programs",
        ),
        "InvalidImageName" => problem.remedy("correct the image's name, e.g. busybox:1.35"),
        "CreateContainerConfigError" | "FailedMount" => {
            problem.remedy("put the ConfigMap or Secret it names into the file, before the Job")
        }
        "FailedScheduling" => {
            problem.remedy("let the Job's resources.requests and nodeSelector fit this machine: it is the only node")
        }
        "NoSuchNode" => problem.remedy("take `nodeName` out of the manifest"),
        "RunContainerError" => problem.remedy("check the command: it must exist and be executable in the image"),
        _ => problem,
    }
}

fn timed_out(arguments: &Arguments, ephemeral: bool) -> Exit {
    let timeout = arguments.timeout.unwrap_or_default();
    let what = if ephemeral { "its pods were stopped" } else { "it goes on; see it with kubectl get jobs" };
    eprintln!("error: the Job was not done after {}; {what}", seconds(timeout));
    Exit::Timeout
}

fn detached(progress: &Progress, ephemeral: bool) -> Exit {
    progress.finish();
    let what = if ephemeral {
        "interrupted: stopping its pods"
    } else {
        "detached: the Job goes on; see it with kubectl get jobs"
    };
    eprintln!("{what}");
    Exit::Interrupted
}

async fn create(client: &kube::Client, object: &Value) -> Result<Value, kube::Error> {
    let path = format!("{}?fieldManager=kiln-run&fieldValidation=Strict", collection_of(object));
    let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
    client.request(request("POST", &path, "application/json", body)).await
}

/// Creates what the Job needs and gives it; what was there before gets the file's values, and is not this run's to remove.
async fn create_or_merge(client: &kube::Client, object: &Value) -> Result<Option<Value>, Problem> {
    match create(client, object).await {
        Ok(created) => return Ok(Some(created)),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        Err(error) => return Err(refused(object, error)),
    }
    let path = format!(
        "{}/{}?fieldManager=kiln-run&fieldValidation=Strict",
        collection_of(object),
        meta::object::name(object)
    );
    let body = serde_json::to_vec(object).map_err(|error| refused(object, kube::Error::SerdeError(error)))?;
    let merged: Result<Value, _> = client.request(request("PATCH", &path, "application/merge-patch+json", body)).await;
    merged.map(|_| None).map_err(|error| refused(object, error))
}

/// Deletes in the background; a failure is told, not fatal: the Job's own result matters more.
async fn remove(client: &kube::Client, object: &Value) {
    let path = format!("{}/{}", collection_of(object), meta::object::name(object));
    let body = br#"{"propagationPolicy":"Background"}"#.to_vec();
    let gone: Result<Value, _> = client.request(request("DELETE", &path, "application/json", body)).await;
    if let Err(error) = gone {
        eprintln!("warning: failed to delete {path}: {error}");
    }
}

/// Where an object of the manifest goes.
fn collection_of(object: &Value) -> String {
    let kind = kind_of(object).expect("the manifest's kinds were checked when it was read");
    collection(kind, Some(meta::object::namespace(object)))
}

fn refused(object: &Value, error: kube::Error) -> Problem {
    let kind = object["kind"].as_str().unwrap_or("object").to_lowercase();
    let name = match meta::object::name(object) {
        "" => object["metadata"]["generateName"].as_str().unwrap_or_default(),
        name => name,
    };
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) => {
            let problem = Problem::usage(format!("the server refused {kind}/{name}")).because(&status.message);
            match status.reason.as_str() {
                "AlreadyExists" => {
                    problem.remedy("give this run another --name, or delete the old one: kubectl delete job NAME")
                }
                _ => problem,
            }
        }
        error @ kube::Error::Service(_) => Problem::internal(format!("failed to create {kind}/{name}"))
            .because(innermost(&error))
            .remedy("see whether it runs: kiln status; start it: kiln up"),
        error => Problem::internal(format!("failed to create {kind}/{name}")).because(error),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_image_says_what_to_do() {
        let problem = stuck("pi", "ErrImagePull", "no such image");
        assert_eq!(problem.exit.code(), 125);
        assert!(problem.render().contains("kiln image import"), "{}", problem.render());
    }

    #[test]
    fn a_failed_container_gives_its_own_exit_code() {
        let ended = crate::commands::verdict::Ended {
            pod: "p".into(),
            container: "c".into(),
            exit_code: 42,
            reason: "Error".into(),
        };
        let verdict =
            Verdict::Failed { reason: "BackoffLimitExceeded".into(), message: "m".into(), container: Some(ended) };
        let followed = Followed { name: "j".into(), verdict, last_lines: vec![], took: Duration::ZERO };
        assert_eq!(conclude(&followed).unwrap(), Exit::Container(42));
    }
}
