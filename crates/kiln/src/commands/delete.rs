//! `kiln delete`: objects go, and the command with them: it waits until they are gone.

use std::time::Duration;

use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};

use super::calls::{self, Payload, Refusal};
use super::completion;
use super::objects::{self, qualified};
use super::session::{Place, Session};
use super::targets::{Object, Selectors};
use super::writes::{DryRun, Failures};
use crate::output::form::Form;
use crate::output::{self, Exit, Problem};

/// Delete objects, and wait until they are gone
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TYPE/NAME…, TYPE NAME…, or TYPE with -l or --all
    #[arg(value_name = "OBJECT", add = completion::of_objects())]
    objects: Vec<String>,
    #[command(flatten)]
    selectors: Selectors,
    /// What happens to what they own: background (it goes afterwards), foreground (before), orphan (it stays)
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "background", default_missing_value = "background")]
    cascade: Cascade,
    /// Seconds that pods have to end; -1 is their own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// A grace period of one second
    #[arg(long, conflicts_with = "grace_period")]
    now: bool,
    /// Let go at once, whatever still runs
    #[arg(long)]
    force: bool,
    /// Wait until they are gone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// Give up waiting after this long; 0 does not
    #[arg(long, value_name = "DURATION", value_parser = super::parse_patience, allow_hyphen_values = true, default_value = "0")]
    timeout: Duration,
    /// What is not there is no error
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_not_found: Option<bool>,
    /// none, client (nothing is sent) or server (judged, but not done)
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client")]
    dry_run: DryRun,
    /// name
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct Cascade(&'static str);

impl std::str::FromStr for Cascade {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "background" | "true" => Ok(Self("Background")),
            "foreground" => Ok(Self("Foreground")),
            "orphan" | "false" => Ok(Self("Orphan")),
            _ => Err("it is background, foreground or orphan".into()),
        }
    }
}

impl Arguments {
    /// DeleteOptions, as kubectl's.
    fn options(&self) -> Value {
        let mut options = json!({ "propagationPolicy": self.cascade.0 });
        let grace_seconds = match (self.grace_period, self.force) {
            _ if self.now => Some(1),
            (seconds, true) if seconds < 0 => Some(0),
            // At once is only for those who say --force.
            (0, false) => Some(1),
            (seconds, _) => (0 <= seconds).then_some(seconds),
        };
        if let Some(seconds) = grace_seconds {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        if self.dry_run == DryRun::Server {
            options["dryRun"] = json!(["All"]);
        }
        options
    }

    fn check(&self) -> Result<(), Problem> {
        if self.output.as_ref().is_some_and(|form| !matches!(form, Form::Name)) {
            return Err(Problem::usage("of what is deleted there is only -o name"));
        }
        if self.force && 0 < self.grace_period {
            return Err(Problem::usage("--force and --grace-period greater than 0 cannot be specified together"));
        }
        Ok(())
    }
}

/// Deletes them all, then waits for all.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    arguments.check()?;
    let session = arguments.place.connect().await?;
    let selectors = &arguments.selectors;
    let mut failures = Failures::default();
    let found = selectors.find(&arguments.objects, &session, &mut failures).await?;
    if found.is_empty() && failures.is_empty() {
        output::print("No resources found\n")?;
        return Ok(Exit::Success);
    }
    if arguments.force && arguments.options()["gracePeriodSeconds"] == 0 {
        eprintln!(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely."
        );
    }
    let ignores = arguments.ignore_not_found.unwrap_or(selectors.is_choosing());
    let mut going = Vec::new();
    for object in found {
        match delete(&object, &arguments, &session).await {
            Ok(uid) => {
                tell(&object, &arguments)?;
                going.push((object, uid));
            }
            Err(refusal) if ignores && refusal.is_not_found() => {}
            Err(refusal) => {
                failures.keep::<()>(Err(refusal.problem()));
            }
        }
    }
    if arguments.wait && arguments.dry_run == DryRun::No {
        for (object, uid) in going.into_iter().filter_map(|(object, uid)| Some((object, uid?))) {
            failures.keep(wait(&object, &uid, &arguments, &session).await);
        }
    }
    failures.end()
}

/// Deletes one, and gives its uid.
async fn delete(object: &Object, arguments: &Arguments, session: &Session) -> Result<Option<String>, Refusal> {
    if arguments.dry_run == DryRun::Client {
        return calls::get(&session.client, &object.path()).await.map(|_| None);
    }
    let body = arguments.options().to_string();
    let payload = Payload { content_type: calls::JSON, body: body.as_bytes() };
    let answer = calls::json(&session.client, "DELETE", &object.path(), calls::JSON, payload).await?;
    let uid = answer.pointer("/metadata/uid").or(answer.pointer("/details/uid"));
    Ok(uid.and_then(Value::as_str).map(str::to_owned))
}

fn tell(object: &Object, arguments: &Arguments) -> Result<(), Problem> {
    if arguments.output.is_some() {
        return output::tell(&format!("{}\n", object.title()));
    }
    let how = if arguments.force { "force deleted" } else { "deleted" };
    output::tell(&format!("{} {:?} {how}{}\n", qualified(object.kind), object.name, arguments.dry_run.note()))
}

async fn wait(object: &Object, uid: &str, arguments: &Arguments, session: &Session) -> Result<(), Problem> {
    // A look is cheaper than a watch, and most are gone at once.
    if calls::get(&session.client, &object.path()).await.is_err_and(|refusal| refusal.is_not_found()) {
        return Ok(());
    }
    let api = objects::api(&session.client, object.kind, object.namespace.as_deref());
    let gone = await_condition(api, &object.name, conditions::is_deleted(uid));
    let lost = |error: kube::runtime::wait::Error| {
        Problem::internal(format!("lost sight of {}", object.title())).because(objects::innermost(&error))
    };
    if arguments.timeout.is_zero() {
        return gone.await.map(drop).map_err(lost);
    }
    match tokio::time::timeout(arguments.timeout, gone).await {
        Ok(end) => end.map(drop).map_err(lost),
        Err(_) => Err(Problem::failed(format!("timed out waiting for the condition on {}", object.title()))),
    }
}
