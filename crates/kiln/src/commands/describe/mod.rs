//! `kiln describe`: an object for a person to read, with what has happened to it.

mod claim;
mod containers;
mod cronjob;
pub(super) mod events;
mod generic;
mod job;
mod keyed;
pub(super) mod page;
mod pod;
mod template;
mod volumes;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kinds::Kind;
use serde_json::Value;

use self::page::{Page, View};
use super::calls::{self, Refusal};
use super::completion;
use super::objects;
use super::session::{Place, Session};
use super::targets::{Object, Selectors};
use super::writes::Failures;
use crate::output::{self, Exit, Problem};

/// Show objects with all that there is to know, and what has happened to them
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TYPE/NAME…, TYPE [NAME…]; a name may be the beginning of one
    #[arg(value_name = "OBJECT", add = completion::of_objects())]
    objects: Vec<String>,
    #[command(flatten)]
    files: super::manifests::Files,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// With what has happened to them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    show_events: bool,
    #[command(flatten)]
    place: Place,
}

/// Describes them, one after the other.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let session = arguments.place.connect().await?;
    let has_names = arguments.objects.len() != 1 || arguments.objects[0].contains('/');
    let selectors = Selectors {
        files: arguments.files.clone(),
        selector: arguments.selector.clone(),
        all: arguments.selector.is_none() && !has_names,
        all_namespaces: arguments.all_namespaces,
        ..Selectors::default()
    };
    let mut failures = Failures::default();
    let found = selectors.find(&arguments.objects, &session, &mut failures).await?;
    if found.is_empty() && failures.is_empty() {
        match arguments.all_namespaces {
            true => eprintln!("No resources found"),
            false => eprintln!("No resources found in {} namespace.", session.namespace),
        }
    }
    let mut n_described = 0;
    for object in found {
        let asked_for = object.name.clone();
        for object in failures.keep(exact_or_beginning_with(object, &session).await).into_iter().flatten() {
            let Some(text) = failures.keep(describe(&object, &arguments, &session).await) else { continue };
            // kubectl's gaps: before what was named, after what was guessed from the beginning of its name.
            let before = if 0 < n_described { "\n\n" } else { "" };
            let after = if object.name == asked_for { "" } else { "\n" };
            output::print(&format!("{before}{text}{after}"))?;
            n_described += 1;
        }
    }
    failures.end()
}

/// The object of the name, or, where there is none, those whose names begin with it.
async fn exact_or_beginning_with(object: Object, session: &Session) -> Result<Vec<Object>, Problem> {
    if object.found.is_some() {
        return Ok(vec![object]);
    }
    let refusal = match calls::get(&session.client, &object.path()).await {
        Ok(found) => return Ok(vec![Object { found: Some(found), ..object }]),
        Err(refusal) if refusal.is_not_found() => refusal,
        Err(refusal) => return Err(refusal.problem()),
    };
    let collection = objects::collection(object.kind, object.namespace.as_deref());
    let list = calls::get(&session.client, &collection).await.map_err(Refusal::problem)?;
    let all = objects::items(object.kind, list)?.into_iter();
    let alike = all.filter(|item| meta::object::name(item).starts_with(&object.name));
    let alike =
        alike.map(|item| Object { name: meta::object::name(&item).into(), found: Some(item), ..object.clone() });
    let alike: Vec<Object> = alike.collect();
    if alike.is_empty() { Err(refusal.problem()) } else { Ok(alike) }
}

async fn describe(object: &Object, arguments: &Arguments, session: &Session) -> Result<String, Problem> {
    let value = object.read(&session.client).await?;
    let events = match arguments.show_events {
        true => Some(events_of(&value, session).await?),
        false => None,
    };
    let around = around(object.kind, &value, session).await?;
    let view = View { now: Timestamp::now(), zone: TimeZone::system() };
    Ok(render(object.kind, &value, events.as_deref(), &around, &view))
}

/// What else a kind's description looks at: the pods that use a claim.
async fn around(kind: &dyn Kind, object: &Value, session: &Session) -> Result<Vec<Value>, Problem> {
    if kind.names().kind != "PersistentVolumeClaim" {
        return Ok(Vec::new());
    }
    let pods = objects::kind_named("pods")?;
    let path = objects::collection(pods, Some(meta::object::namespace(object)));
    objects::items(pods, calls::get(&session.client, &path).await.map_err(Refusal::problem)?)
}

async fn events_of(object: &Value, session: &Session) -> Result<Vec<Value>, Problem> {
    let events = objects::kind_named("events")?;
    let (name, namespace, uid) =
        (meta::object::name(object), meta::object::namespace(object), meta::object::uid(object));
    let mut terms = vec![format!("involvedObject.name={name}"), format!("involvedObject.uid={uid}")];
    if !namespace.is_empty() {
        terms.push(format!("involvedObject.namespace={namespace}"));
    }
    let collection = objects::collection(events, Some(namespace).filter(|namespace| !namespace.is_empty()));
    let path = calls::path(&collection, &[("fieldSelector", &terms.join(","))]);
    objects::items(events, calls::get(&session.client, &path).await.map_err(Refusal::problem)?)
}

/// The description of an object. Pure.
fn render(kind: &dyn Kind, object: &Value, events: Option<&[Value]>, around: &[Value], view: &View) -> String {
    let mut page = Page::default();
    match kind.names().kind {
        "Job" => job::describe(&mut page, object, view),
        "CronJob" => cronjob::describe(&mut page, object, view),
        "Pod" => pod::describe(&mut page, object, view),
        "ConfigMap" => keyed::config_map(&mut page, object),
        "Secret" => keyed::secret(&mut page, object),
        "PersistentVolumeClaim" => claim::describe(&mut page, object, around),
        _ => generic::describe(&mut page, object),
    }
    if let Some(events) = events.filter(|_| kind.names().kind != "Secret") {
        events::describe(&mut page, events, view);
    }
    page.finish()
}
