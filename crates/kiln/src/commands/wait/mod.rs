//! `kiln wait`: until objects are as they should be, or it is known that they never will be.

mod goal;

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use kinds::{Kind, Scope};
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;

use self::goal::{Answer, Goal, Seen, Why, judge};
use super::completion;
use super::connect::{self, Target};
use super::manifests::Files;
use super::objects::{self, Named, innermost, kind_named, qualified};
use super::verdict;
use crate::output::{Exit, Problem};

/// Wait until objects are as they should be. Exit code: 0 when the first --for has come true (without one: the Job is complete); the
/// container's own code or 1 when the Job failed; 1 when another --for came true first or none can any more; 124 on timeout
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to wait for: TYPE/NAME…, TYPE NAME…, or TYPE with -l or --all
    #[arg(required_unless_present = "files", conflicts_with = "files", value_name = "OBJECT", add = completion::of_objects())]
    objects: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// condition=NAME[=STATUS], jsonpath=PATH[=VALUE], delete or create; may be repeated: the first to come true ends the waiting [default for Jobs: condition=complete]
    #[arg(long = "for", value_name = "WHAT")]
    goals: Vec<Goal>,
    /// Give up after this long: 90s, 5m, 1h; 0 looks once
    #[arg(long, value_name = "DURATION", value_parser = super::parse_patience, allow_hyphen_values = true, default_value = "30s")]
    timeout: Duration,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "all")]
    selector: Option<String>,
    /// All objects of the type
    #[arg(long)]
    all: bool,
    /// Namespace
    #[arg(short, long)]
    namespace: Option<String>,
    /// In all namespaces, with -l or --all
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Wait for suspended Jobs too: somebody will resume them
    #[arg(long)]
    while_suspended: bool,
    #[command(flatten)]
    target: Target,
}

/// One object that is waited for.
struct Awaited {
    kind: &'static dyn Kind,
    namespace: Option<String>,
    name: String,
}

impl Awaited {
    fn title(&self) -> String {
        format!("{}/{}", qualified(self.kind), self.name)
    }
}

/// Waits and gives the exit code of the first object, in the order they are named, that is not as it should be.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let from_files = arguments.files.read()?;
    let named = if from_files.is_empty() { objects::parse(&arguments.objects)? } else { Vec::new() };
    let of_files = from_files.iter().map(|object| objects::kind_of(object).ok_or_else(|| objects::not_served(object)));
    let kinds = named.iter().map(|object| kind_named(object.kind)).chain(of_files);
    for kind in kinds.collect::<Result<Vec<_>, Problem>>()? {
        if arguments.goals.is_empty() && kind.names().kind != "Job" {
            return Err(Problem::usage(format!("--for is missing: what are {} to become?", kind.names().plural))
                .remedy("say it, e.g. --for=condition=Ready, --for=delete"));
        }
    }
    let goals = match arguments.goals.is_empty() {
        true => vec![Goal::Condition { kind: "complete".into(), status: "true".into() }],
        false => arguments.goals.clone(),
    };
    let client = connect::running(&arguments.target).await?;
    let mut awaited = Vec::new();
    for object in &from_files {
        awaited.push(of_file(&client, object, &arguments)?);
    }
    for object in named {
        awaited.extend(find(&client, object, &arguments).await?);
    }
    if awaited.is_empty() {
        if goals.contains(&Goal::Delete) {
            return Ok(Exit::Success);
        }
        return Err(Problem::failed("no matching resources found"));
    }
    let waits = awaited.iter().map(|object| wait(&client, object, &goals, &arguments));
    let ends = join_all(waits).await.into_iter().collect::<Result<Vec<Exit>, Problem>>()?;
    Ok(ends.into_iter().find(|exit| *exit != Exit::Success).unwrap_or(Exit::Success))
}

/// The object that a file holds, as the server has it.
fn of_file(client: &kube::Client, object: &Value, arguments: &Arguments) -> Result<Awaited, Problem> {
    let kind = objects::kind_of(object).ok_or_else(|| objects::not_served(object))?;
    let own = Some(meta::object::namespace(object)).filter(|own| !own.is_empty()).map(str::to_owned);
    let namespace = arguments.namespace.clone().or(own).unwrap_or_else(|| client.default_namespace().to_owned());
    objects::check_namespace(&namespace)?;
    let name = meta::object::name(object).to_owned();
    objects::check_name(&name)?;
    Ok(Awaited { kind, namespace: (kind.names().scope == Scope::Namespaced).then_some(namespace), name })
}

/// The objects a word on the command line stands for.
async fn find(client: &kube::Client, named: Named<'_>, arguments: &Arguments) -> Result<Vec<Awaited>, Problem> {
    let kind = kind_named(named.kind)?;
    let default = client.default_namespace().to_owned();
    let namespace = arguments.namespace.clone().unwrap_or(default);
    objects::check_namespace(&namespace)?;
    let namespace = (kind.names().scope == Scope::Namespaced).then_some(namespace);
    if let Some(name) = named.name {
        objects::check_name(name)?;
        if arguments.selector.is_some() || arguments.all {
            return Err(Problem::usage("name cannot be provided when a selector is specified")
                .remedy("leave out the names, or the selector"));
        }
        if arguments.all_namespaces {
            return Err(Problem::usage("a resource cannot be retrieved by name across all namespaces")
                .remedy("name its namespace with -n"));
        }
        return Ok(vec![Awaited { kind, namespace, name: name.into() }]);
    }
    if arguments.selector.is_none() && !arguments.all {
        return Err(
            Problem::usage(format!("which {}?", kind.names().plural)).remedy("name them, or give -l SELECTOR or --all")
        );
    }
    let namespace = namespace.filter(|_| !arguments.all_namespaces);
    let chosen = ListParams { label_selector: arguments.selector.clone(), ..ListParams::default() };
    let found = objects::api(client, kind, namespace.as_deref()).list(&chosen).await;
    let found = found.map_err(|error| refused(kind.names().plural, &error))?;
    let awaited = found.items.into_iter().map(|item| Awaited {
        kind,
        namespace: item.metadata.namespace,
        name: item.metadata.name.unwrap_or_default(),
    });
    Ok(awaited.collect())
}

fn refused(what: &str, error: &kube::Error) -> Problem {
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) => {
            Problem::failed(format!("the server refused to show {what}")).because(&status.message)
        }
        error => Problem::internal(format!("failed to look at {what}"))
            .because(innermost(error))
            .remedy("see whether it runs: kiln status; start it: kiln up"),
    }
}

/// Waits for one object, tells how it went, and gives the exit code it earned.
async fn wait(client: &kube::Client, object: &Awaited, goals: &[Goal], arguments: &Arguments) -> Result<Exit, Problem> {
    let (first, mut answer) = look(client, object, goals, arguments).await?;
    let mut last = first;
    if answer == Answer::NotYet {
        let following = follow(client, object, goals, arguments, &mut last);
        match tokio::time::timeout(arguments.timeout, following).await {
            Ok(end) => answer = end?,
            Err(_) => {
                eprintln!("error: timed out waiting for the condition on {}", object.title());
                return Ok(Exit::Timeout);
            }
        }
    }
    match answer {
        Answer::NotYet => Err(Problem::internal(format!("lost sight of {}", object.title()))),
        Answer::Met(position) => met(client, object, goals, position, last.as_ref()).await,
        Answer::Never(why) => never(client, object, &why, last.as_ref()).await,
    }
}

/// The first look: an object that is not there is an error, unless its coming or going is what is waited for.
async fn look(
    client: &kube::Client,
    object: &Awaited,
    goals: &[Goal],
    arguments: &Arguments,
) -> Result<(Option<Value>, Answer), Problem> {
    match api(client, object).get_opt(&object.name).await {
        Ok(Some(found)) => {
            let found = value(found, object.kind)?;
            let answer = judge(goals, Seen::Here(&found), arguments.while_suspended);
            Ok((Some(found), answer))
        }
        Ok(None) => match goals.iter().position(|goal| *goal == Goal::Delete) {
            Some(position) => Ok((None, Answer::Met(position))),
            None if goals.contains(&Goal::Create) => Ok((None, Answer::NotYet)),
            None => Err(Problem::failed(format!("there is no {}", object.title()))
                .remedy("to wait until it is made: --for=create")),
        },
        Err(error) => Err(refused(&object.title(), &error)),
    }
}

fn api(client: &kube::Client, object: &Awaited) -> Api<DynamicObject> {
    objects::api(client, object.kind, object.namespace.as_deref())
}

/// As JSON, with its kind: objects in lists do not say it.
fn value(object: DynamicObject, kind: &dyn Kind) -> Result<Value, Problem> {
    let unreadable = |error| Problem::internal("the server's answer is unreadable").because(error);
    let mut value = serde_json::to_value(object).map_err(unreadable)?;
    value["kind"] = kind.names().kind.into();
    Ok(value)
}

/// Watches until there is an answer. A server that goes away is waited for as well.
async fn follow(
    client: &kube::Client,
    object: &Awaited,
    goals: &[Goal],
    arguments: &Arguments,
    last: &mut Option<Value>,
) -> Result<Answer, Problem> {
    let config = watcher::Config::default().fields(&format!("metadata.name={}", object.name));
    let mut events = watcher(api(client, object), config).default_backoff().boxed();
    let mut was_listed = false;
    let mut told = false;
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Answer::NotYet),
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("warning: lost the server, trying again: {}", innermost(&error));
                }
                continue;
            }
        };
        let before = last.as_ref().map(|object| object["metadata"]["uid"].clone());
        let is_gone = match event {
            watcher::Event::Init => {
                was_listed = false;
                continue;
            }
            watcher::Event::InitDone => !was_listed && before.is_some(),
            watcher::Event::Delete(_) => true,
            watcher::Event::Apply(new) | watcher::Event::InitApply(new) => {
                was_listed = true;
                let new = value(new, object.kind)?;
                let is_another = before.is_some_and(|uid| uid != new["metadata"]["uid"]);
                if !is_another {
                    *last = Some(new);
                }
                is_another
            }
        };
        let seen = match (is_gone, last.as_ref()) {
            (true, _) => Seen::Gone,
            (false, Some(object)) => Seen::Here(object),
            (false, None) => Seen::NotYet,
        };
        let answer = judge(goals, seen, arguments.while_suspended);
        if answer != Answer::NotYet {
            return Ok(answer);
        }
    }
}

async fn met(
    client: &kube::Client,
    object: &Awaited,
    goals: &[Goal],
    position: usize,
    last: Option<&Value>,
) -> Result<Exit, Problem> {
    let which = if goals.len() == 1 { String::new() } else { format!(": {}", goals[position]) };
    println!("{} condition met{which}", object.title());
    if position == 0 {
        return Ok(Exit::Success);
    }
    let is_failure = matches!(&goals[position], Goal::Condition { kind, .. } if kind.eq_ignore_ascii_case("failed"));
    match last.filter(|_| is_failure) {
        Some(job) => Ok(exit_of(client, job).await),
        None => Ok(Exit::Failed),
    }
}

async fn never(client: &kube::Client, object: &Awaited, why: &Why, last: Option<&Value>) -> Result<Exit, Problem> {
    let title = object.title();
    match why {
        Why::Unanswerable(cause) => {
            Err(Problem::failed(format!("what is waited for cannot be looked for in {title}")).because(cause))
        }
        Why::Deleted => Err(Problem::failed(format!("{title} was deleted"))),
        Why::Ended(how) => Err(Problem::failed(format!("{title} has ended, and what is waited for will not come: {how}"))),
        Why::Suspended => Err(Problem::failed(format!("{title} is suspended, so it does not go on by itself")).remedy(format!(
            "resume it: kubectl patch {title} -p '{{\"spec\":{{\"suspend\":false}}}}';\nor wait until somebody does: --while-suspended"
        ))),
        Why::Failed { reason, message } => {
            eprintln!("error: {title} failed: {reason}: {message}");
            Ok(match last {
                Some(job) => exit_of(client, job).await,
                None => Exit::Failed,
            })
        }
    }
}

/// The code of the container that decided a failed Job, when one did.
async fn exit_of(client: &kube::Client, job: &Value) -> Exit {
    let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), meta::object::namespace(job));
    let own = kube::api::ListParams::default().labels(&format!("batch.kubernetes.io/controller-uid={uid}"));
    let Ok(pods) = pods.list(&own).await else {
        return Exit::Failed;
    };
    let Some(ended) = verdict::decisive(&pods.iter().collect::<Vec<_>>()) else {
        return Exit::Failed;
    };
    eprintln!(
        "container {} of pod/{} ended with exit code {} ({})",
        ended.container, ended.pod, ended.exit_code, ended.reason
    );
    u8::try_from(ended.exit_code).map_or(Exit::Failed, Exit::Container)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_out_of_a_list_ends_the_waiting_too() {
        let listed: DynamicObject = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "j" },
            "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "R", "message": "m" }] },
        }))
        .unwrap();
        let job = value(listed, kind_named("job").unwrap()).unwrap();
        let goals = ["condition=complete".parse().unwrap()];
        let never = Answer::Never(Why::Failed { reason: "R".into(), message: "m".into() });
        assert_eq!(judge(&goals, Seen::Here(&job), false), never);
    }
}
