//! `kiln apply`: objects become as files say, by server-side apply. Fields that others manage are left to them.

use super::calls::{self, Payload};
use super::create::Validate;
use super::manifests::Files;
use super::session::{Place, Session};
use super::targets;
use super::writes::{DryRun, Failures, Writing};
use crate::output::{Exit, Problem};
use serde_json::{Value, json};

/// kubectl's own, so that objects may go back and forth between the two.
const MANAGER: &str = "kubectl";

/// Make objects, or make them as files say (server-side apply)
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    files: Files,
    /// Take over fields that others manage
    #[arg(long)]
    force_conflicts: bool,
    /// Always so; taken for kubectl's sake
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide = true)]
    server_side: bool,
    /// What the server does about unknown fields: strict, warn or ignore
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "strict", default_missing_value = "strict")]
    validate: Validate,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    place: Place,
}

/// Applies them, one after the other; what fails does not keep the others from it.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    if !arguments.server_side {
        return Err(Problem::usage("kiln applies on the server only").remedy("leave out --server-side=false"));
    }
    if arguments.files.files.is_empty() {
        return Err(Problem::usage("must specify -f").remedy("name the files to apply: kiln apply -f FILE"));
    }
    if arguments.writing.dry_run == DryRun::Client {
        return Err(Problem::usage("--dry-run=client cannot tell what the server would make of it")
            .remedy("use --dry-run=server"));
    }
    let objects = arguments.files.read()?;
    let session = arguments.place.connect().await?;
    let mut telling = arguments.writing.telling();
    let mut failures = Failures::default();
    for object in objects {
        if let Some(applied) = failures.keep(apply(object, &arguments, &session).await) {
            telling.done(applied, "serverside-applied")?;
        }
    }
    failures.end()
}

async fn apply(mut object: Value, arguments: &Arguments, session: &Session) -> Result<Value, Problem> {
    let target = targets::from_file(&object, session)?;
    if let Some(namespace) = &target.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let force = if arguments.force_conflicts { "true" } else { "false" };
    let manager = ("fieldManager", arguments.writing.manager(MANAGER));
    let query = [manager, ("force", force), arguments.validate.query(), arguments.writing.dry_run.query()];
    let body = object.to_string();
    let payload = Payload { content_type: "application/apply-patch+yaml", body: body.as_bytes() };
    let path = calls::path(&target.path(), &query);
    let applied = calls::json(&session.client, "PATCH", &path, calls::JSON, payload).await;
    applied.map_err(|refusal| match refusal.is_conflict() {
        true => refusal
            .problem()
            .remedy("leave those fields out of the file, give them the values that they have,\nor take them over: --force-conflicts"),
        false => refusal.problem(),
    })
}
