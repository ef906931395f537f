//! `kiln cron`: when CronJobs run next, and what people do to them by hand.

mod next;
mod pause;
mod trigger;

use clap::Subcommand;
use jiff::Timestamp;
use kinds::Kind;
use kinds::cronjob::forecast;
use kinds::cronjob::ticks::Ticks;
use meta::clock::Clock;
use serde_json::Value;

use super::calls::{self, Refusal};
use super::objects;
use super::session::Session;
use crate::machine::SystemClock;
use crate::output::{Exit, Problem};

const KIND: &dyn Kind = &kinds::cronjob::CronJob;

/// When CronJobs run next; run one now, stop and resume them
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell the coming runs, in the CronJob's zone, and what clock changes do to them
    Next(next::Arguments),
    /// Run a CronJob's Job now, perhaps with other arguments or environment
    Trigger(trigger::Arguments),
    /// Make no more Jobs until resumed; those that run go on
    Suspend(pause::Arguments),
    /// Make Jobs again
    Resume(pause::Arguments),
}

/// Does what the subcommand says.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    match arguments.what {
        What::Next(arguments) => next::run(arguments).await,
        What::Trigger(arguments) => trigger::run(arguments).await,
        What::Suspend(arguments) => pause::run(arguments, true).await,
        What::Resume(arguments) => pause::run(arguments, false).await,
    }
}

/// A CronJob's name, which may be written as `cronjob/NAME`.
fn name_of(word: &str) -> Result<&str, Problem> {
    let name = match word.split_once('/') {
        None => word,
        Some((kind, name)) if objects::kind_named(kind)?.names().kind == KIND.names().kind => name,
        Some(_) => {
            return Err(Problem::usage(format!("{word:?} is not a CronJob")).remedy("name it as NAME or cronjob/NAME"));
        }
    };
    objects::check_name(name)?;
    Ok(name)
}

/// The CronJob of this name.
async fn read(session: &Session, name: &str) -> Result<Value, Problem> {
    calls::get(&session.client, &session.path(KIND, name)?).await.map_err(Refusal::problem)
}

/// Every CronJob of the namespace.
async fn all(session: &Session) -> Result<Vec<Value>, Problem> {
    let answer = calls::get(&session.client, &session.collection(KIND)).await.map_err(Refusal::problem)?;
    objects::items(KIND, answer)
}

/// When a CronJob runs next; not at all while it is suspended.
pub(super) fn next_run(cronjob: &Value, now: Timestamp) -> Option<Timestamp> {
    if cronjob["spec"]["suspend"] == true {
        return None;
    }
    let schedule = cronjob["spec"]["schedule"].as_str()?;
    let ticks = Ticks::read(schedule, cronjob["spec"]["timeZone"].as_str(), &SystemClock.zone()).ok()?;
    ticks.runs(forecast::accounted_until(cronjob), now).next()
}
