//! `kiln patch`: changes fields of objects.

use std::path::PathBuf;

use serde_json::Value;

use super::calls::{self, Payload, Refusal};
use super::completion;
use super::manifests;
use super::session::{Place, Session};
use super::targets::{Object, Selectors};
use super::writes::{DryRun, Failures, Writing};
use crate::output::{Exit, Problem};

/// Change fields of objects
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TYPE/NAME, or TYPE NAME
    #[arg(value_name = "OBJECT", add = completion::of_objects())]
    objects: Vec<String>,
    #[command(flatten)]
    files: manifests::Files,
    /// The patch, JSON or YAML
    #[arg(short, long, required_unless_present = "patch_file", conflicts_with = "patch_file")]
    patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE")]
    patch_file: Option<PathBuf>,
    /// What the patch is: strategic, merge or json
    #[arg(long = "type", value_name = "TYPE", default_value = "strategic")]
    patch_type: PatchType,
    /// Of this part only: status
    #[arg(long, value_name = "PART")]
    subresource: Option<String>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct PatchType(&'static str);

impl std::str::FromStr for PatchType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strategic" => Ok(Self("application/strategic-merge-patch+json")),
            "merge" => Ok(Self("application/merge-patch+json")),
            "json" => Ok(Self("application/json-patch+json")),
            _ => Err("it is strategic, merge or json".into()),
        }
    }
}

/// Patches them, one after the other.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    if arguments.writing.dry_run == DryRun::Client {
        return Err(Problem::usage("--dry-run=client cannot tell what the server would make of it")
            .remedy("use --dry-run=server"));
    }
    if let Some(subresource) = &arguments.subresource {
        super::objects::check_name(subresource)?;
    }
    let text = match (&arguments.patch, &arguments.patch_file) {
        (Some(text), _) => text.clone(),
        (None, file) => manifests::text(file.as_deref().unwrap_or_else(|| "-".as_ref()))?,
    };
    let patch: Value = serde_saphyr::from_str_with_options(&text, manifests::options())
        .map_err(|error| Problem::usage("the patch is neither JSON nor YAML").because(error))?;
    let session = arguments.place.connect().await?;
    let selectors = Selectors { files: arguments.files.clone(), ..Selectors::default() };
    let mut telling = arguments.writing.telling();
    let mut failures = Failures::default();
    for object in selectors.find(&arguments.objects, &session, &mut failures).await? {
        let Some((patched, is_changed)) = failures.keep(send(&object, &patch, &arguments, &session).await) else {
            continue;
        };
        telling.done(patched, if is_changed { "patched" } else { "patched (no change)" })?;
    }
    failures.end()
}

/// Patches one; gives what became of it, and whether that is anything new.
async fn send(
    object: &Object,
    patch: &Value,
    arguments: &Arguments,
    session: &Session,
) -> Result<(Value, bool), Problem> {
    let before = object.read(&session.client).await?;
    let part = arguments.subresource.as_ref().map_or(String::new(), |part| format!("/{part}"));
    let query = [("fieldManager", arguments.writing.manager("kubectl-patch")), arguments.writing.dry_run.query()];
    let path = calls::path(&format!("{}{part}", object.path()), &query);
    let body = patch.to_string();
    let payload = Payload { content_type: arguments.patch_type.0, body: body.as_bytes() };
    let after = calls::json(&session.client, "PATCH", &path, calls::JSON, payload).await.map_err(Refusal::problem)?;
    let is_changed = before != after;
    Ok((after, is_changed))
}
