//! `kiln cron suspend` and `resume`.

use serde_json::{Value, json};

use super::super::calls::{self, Payload, Refusal};
use super::super::completion;
use super::super::objects;
use super::super::session::{Place, Session};
use super::super::writes::Failures;
use crate::output::{self, Exit, Problem};

/// Which CronJobs
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// CronJobs: NAME or cronjob/NAME
    #[arg(value_name = "NAME", add = completion::of_cron_jobs(), required_unless_present = "all", conflicts_with = "all")]
    names: Vec<String>,
    /// All CronJobs of the namespace
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

/// Sets spec.suspend, and tells of each CronJob what it is now.
pub async fn run(arguments: Arguments, suspend: bool) -> Result<Exit, Problem> {
    let names = arguments.names.iter().map(|word| super::name_of(word)).collect::<Result<Vec<_>, _>>()?;
    let session = arguments.place.connect().await?;
    let mut failures = Failures::default();
    let cronjobs = match arguments.all {
        true => super::all(&session).await?,
        false => {
            let mut found = Vec::new();
            for name in names {
                found.extend(failures.keep(super::read(&session, name).await));
            }
            found
        }
    };
    for cronjob in cronjobs {
        failures.keep(set(&session, &cronjob, suspend).await);
    }
    failures.end()
}

async fn set(session: &Session, cronjob: &Value, suspend: bool) -> Result<(), Problem> {
    let title = objects::title(cronjob);
    let state = if suspend { "suspended" } else { "resumed" };
    if (cronjob["spec"]["suspend"] == true) == suspend {
        let is = if suspend { "is suspended already" } else { "is not suspended" };
        return output::tell(&format!("{title} {is}\n"));
    }
    let path = session.path(super::KIND, meta::object::name(cronjob))?;
    let path = calls::path(&path, &[("fieldManager", "kiln-cron")]);
    let body = json!({"metadata": {"uid": cronjob["metadata"]["uid"]}, "spec": {"suspend": suspend}}).to_string();
    let payload = Payload { content_type: "application/merge-patch+json", body: body.as_bytes() };
    calls::json(&session.client, "PATCH", &path, calls::JSON, payload).await.map_err(Refusal::problem)?;
    output::tell(&format!("{title} {state}\n"))
}
