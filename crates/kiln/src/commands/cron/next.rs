//! `kiln cron next`: the coming runs, of CronJobs on the server or in files.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kinds::Kind;
use kinds::cronjob::CronJob;
use kinds::cronjob::forecast::{self, ClockChange};
use kinds::cronjob::schedule::Schedule;
use kinds::cronjob::ticks::{NoTicks, Ticks};
use meta::clock::Clock;
use serde_json::{Value, json};

use super::super::completion;
use super::super::manifests::Files;
use super::super::objects;
use super::super::session::Place;
use super::super::writes::Failures;
use crate::machine::SystemClock;
use crate::output::{self, Exit, Problem, tabs};

/// Clock changes are told of this far ahead, or as far as the runs that are shown.
const AHEAD: SignedDuration = SignedDuration::from_hours(365 * 24);

const A_SCHEDULE: &str =
    "write five fields: minute hour day-of-month month day-of-week, e.g. \"30 3 * * 1-5\"; or @daily, @every 90m";
const A_ZONE: &str =
    "use a name of the IANA database as spec.timeZone, e.g. Europe/Berlin or Etc/UTC; capital letters matter";

/// Tell the coming runs
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// CronJobs: NAME or cronjob/NAME; without any, all of the namespace
    #[arg(value_name = "NAME", add = completion::of_cron_jobs())]
    names: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// How many runs to tell of each
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "5", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    number: u16,
    /// Runs after this moment, e.g. 2026-03-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// json: for programs
    #[arg(short, long, value_name = "FORM", value_parser = ["json"])]
    output: Option<String>,
    #[command(flatten)]
    place: NamedPlace,
}

/// A place whose namespace has no short option: `-n` is a number here.
#[derive(Debug, clap::Args)]
struct NamedPlace {
    /// Namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    target: super::super::connect::Target,
}

/// What is to come of one CronJob.
struct Forecast {
    title: String,
    namespace: String,
    name: String,
    schedule: String,
    zone: String,
    is_suspended: bool,
    /// For want of a better moment: the file does not say when the server will begin.
    counts_from_now: bool,
    runs: Vec<(Timestamp, String)>,
    changes: Vec<ClockChange>,
}

/// Prints them.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let mut failures = Failures::default();
    let cronjobs = cronjobs(&arguments, &mut failures).await?;
    let now = SystemClock.now();
    let from = arguments.from.unwrap_or(now);
    let (is_given, is_file) = (arguments.from.is_some(), !arguments.files.files.is_empty());
    let told = |cronjob: &Value| {
        if is_file {
            accepted(cronjob)?;
        }
        // A file has no past, even if it was read from a server.
        let accounted = forecast::accounted_until(cronjob).filter(|_| !is_file);
        // What has its outcome does not come again, if the clock was ahead; but whoever asks for the past is told of it.
        let after = accounted.filter(|_| !is_given).map_or(from, |accounted| accounted.max(from));
        forecast(cronjob, accounted, after, arguments.number.into(), &SystemClock.zone())
    };
    let forecasts: Vec<Forecast> = cronjobs.iter().filter_map(|cronjob| failures.keep(told(cronjob))).collect();
    match arguments.output {
        Some(_) => output::print(&output::json::indented(&forecasts.iter().map(as_json).collect()))?,
        None => {
            output::print(&table(&forecasts, from))?;
            forecasts.iter().flat_map(warnings).for_each(|warning| eprintln!("warning: {warning}"));
        }
    }
    failures.end()
}

async fn cronjobs(arguments: &Arguments, failures: &mut Failures) -> Result<Vec<Value>, Problem> {
    if !arguments.files.files.is_empty() {
        if !arguments.names.is_empty() {
            return Err(Problem::usage("CronJobs are named either by -f or by words").remedy("leave one of them out"));
        }
        let objects = arguments.files.read()?;
        let found: Vec<Value> = objects.into_iter().filter(|object| object["kind"] == "CronJob").collect();
        let none = || Problem::usage("there is no CronJob in the file").remedy("give one with `kind: CronJob`");
        return if found.is_empty() { Err(none()) } else { Ok(found) };
    }
    let names = arguments.names.iter().map(|word| super::name_of(word)).collect::<Result<Vec<_>, _>>()?;
    let NamedPlace { namespace, target } = &arguments.place;
    let session = Place::of(namespace.clone(), target.clone()).connect().await?;
    if names.is_empty() {
        return super::all(&session).await;
    }
    let mut found = Vec::new();
    for name in names {
        found.extend(failures.keep(super::read(&session, name).await));
    }
    Ok(found)
}

/// Refuses what the server would not take either.
fn accepted(cronjob: &Value) -> Result<(), Problem> {
    let mut whole = cronjob.clone();
    CronJob.default(&mut whole);
    let wrong =
        CronJob.validate(&whole).into_iter().find(|error| ["spec.schedule", "spec.timeZone"].contains(&&*error.field));
    wrong.map_or(Ok(()), |wrong| {
        let remedy = if wrong.field == "spec.schedule" { A_SCHEDULE } else { A_ZONE };
        Err(Problem::usage(format!("{}: {wrong}", objects::title(cronjob))).remedy(remedy))
    })
}

fn forecast(
    cronjob: &Value,
    accounted: Option<Timestamp>,
    from: Timestamp,
    n: usize,
    local: &TimeZone,
) -> Result<Forecast, Problem> {
    let text = |field: &str| cronjob["spec"][field].as_str().unwrap_or_default();
    let title = objects::title(cronjob);
    let (schedule, zone) = (text("schedule"), Some(text("timeZone")).filter(|zone| !zone.is_empty()));
    let ticks = Ticks::read(schedule, zone, local).map_err(|why| unreadable(&title, schedule, why))?;
    let runs: Vec<Timestamp> = ticks.runs(accounted, from).take(n).collect();
    let horizon = from.checked_add(AHEAD).ok().max(runs.last().copied()).unwrap_or(from);
    let changes = if runs.is_empty() { Vec::new() } else { ticks.clock_changes(from, horizon) };
    Ok(Forecast {
        title,
        namespace: meta::object::namespace(cronjob).to_owned(),
        name: meta::object::name(cronjob).to_owned(),
        schedule: schedule.to_owned(),
        zone: ticks.zone().iana_name().unwrap_or("local").to_owned(),
        is_suspended: cronjob["spec"]["suspend"] == true,
        counts_from_now: accounted.is_none() && matches!(ticks.schedule(), Schedule::Every { .. }),
        runs: runs.iter().map(|run| (*run, local_text(*run, ticks.zone()))).collect(),
        changes,
    })
}

fn local_text(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

fn unreadable(title: &str, schedule: &str, why: NoTicks) -> Problem {
    let quote = meta::field::quote;
    match why {
        NoTicks::UnknownZone(zone) => {
            Problem::usage(format!("{title}: spec.timeZone: Invalid value: {}: unknown time zone {zone}", quote(&zone)))
                .remedy(A_ZONE)
        }
        NoTicks::Unparseable(error) => {
            Problem::usage(format!("{title}: spec.schedule: Invalid value: {}: {error}", quote(schedule)))
                .remedy(A_SCHEDULE)
        }
    }
}

fn table(forecasts: &[Forecast], from: Timestamp) -> String {
    if forecasts.is_empty() {
        return String::new();
    }
    let mut text = "CRONJOB\tNEXT\tZONE\tIN\n".to_owned();
    for forecast in forecasts {
        let Forecast { name, zone, .. } = forecast;
        for (at, local) in &forecast.runs {
            let left = meta::duration::human(at.duration_since(from));
            text.push_str(&format!("{name}\t{local}\t{zone}\t{left}\n"));
        }
        if forecast.runs.is_empty() {
            text.push_str(&format!("{name}\tnever\t{zone}\t<none>\n"));
        }
    }
    tabs::align(&text, tabs::TABLE)
}

fn warnings(forecast: &Forecast) -> Vec<String> {
    let Forecast { title, name, zone, .. } = forecast;
    let mut warnings = Vec::new();
    if forecast.is_suspended {
        warnings.push(format!("{title} is suspended: nothing runs until `kiln cron resume {name}`"));
    }
    if forecast.counts_from_now {
        warnings.push(format!("{title}: {:?} counts from when the server gets the CronJob", forecast.schedule));
    }
    if forecast.runs.is_empty() {
        warnings.push(format!("{title}: no date within five years matches {:?}", forecast.schedule));
    }
    warnings.extend(forecast.changes.iter().map(|change| format!("{title}: {}", change.told(zone))));
    if !forecast.changes.is_empty() {
        warnings.push(format!(
            "{title}: for a run every day choose an hour that the clock shows once, or timeZone: Etc/UTC"
        ));
    }
    warnings
}

fn as_json(forecast: &Forecast) -> Value {
    let time = |time: &DateTime| time.strftime("%FT%H:%M:%S").to_string();
    let change = |change: &ClockChange| {
        json!({
            "at": change.at.to_string(), "from": time(&change.from), "to": time(&change.to),
            "effect": if change.leaves_out() { "LeftOut" } else { "Repeated" },
            "runs": change.runs.iter().map(time).collect::<Vec<_>>(),
        })
    };
    let run = |(at, local): &(Timestamp, String)| json!({"at": at.to_string(), "local": local});
    json!({
        "namespace": forecast.namespace, "name": forecast.name, "schedule": forecast.schedule, "timeZone": forecast.zone,
        "suspend": forecast.is_suspended, "runs": forecast.runs.iter().map(run).collect::<Vec<_>>(),
        "clockChanges": forecast.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(spec: &Value, from: &str) -> (String, Vec<String>) {
        let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "night"}, "spec": spec});
        let from = from.parse().unwrap();
        let forecast = forecast(&cronjob, None, from, 3, &TimeZone::UTC).unwrap();
        (table(std::slice::from_ref(&forecast), from), warnings(&forecast))
    }

    #[test]
    fn runs_are_told_in_the_cronjobs_zone_with_what_clock_changes_do() {
        let spec = json!({"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"});
        let (table, warnings) = told(&spec, "2026-03-27T12:00:00Z");
        let expect = "\
CRONJOB   NEXT                        ZONE            IN
night     2026-03-28T02:30:00+01:00   Europe/Berlin   13h
night     2026-03-30T02:30:00+02:00   Europe/Berlin   2d12h
night     2026-03-31T02:30:00+02:00   Europe/Berlin   3d12h
";
        assert_eq!(table, expect);
        let expect = [
            "cronjob.batch/night: on 2026-03-29 the clock of Europe/Berlin goes forward from 02:00 to 03:00: the run of 02:30 is left out",
            "cronjob.batch/night: on 2026-10-25 the clock of Europe/Berlin goes back from 03:00 to 02:00: the run of 02:30 is done twice",
            "cronjob.batch/night: for a run every day choose an hour that the clock shows once, or timeZone: Etc/UTC",
        ];
        assert_eq!(warnings, expect);
    }

    #[test]
    fn what_never_runs_or_is_suspended_says_so() {
        let (table, warnings) = told(&json!({"schedule": "0 0 30 2 *"}), "2026-03-27T12:00:00Z");
        assert_eq!(table, "CRONJOB   NEXT    ZONE   IN\nnight     never   UTC    <none>\n");
        assert_eq!(warnings, ["cronjob.batch/night: no date within five years matches \"0 0 30 2 *\""]);
        let (table, warnings) = told(&json!({"schedule": "@every 90s", "suspend": true}), "2026-03-27T12:00:00Z");
        assert!(table.contains("2026-03-27T12:01:30+00:00") && table.contains("90s"), "{table}");
        let expect = [
            "cronjob.batch/night is suspended: nothing runs until `kiln cron resume night`",
            "cronjob.batch/night: \"@every 90s\" counts from when the server gets the CronJob",
        ];
        assert_eq!(warnings, expect);
    }

    #[test]
    fn runs_at_every_interval_are_told_as_the_server_counts_them() {
        let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "x", "creationTimestamp": "2026-03-27T11:59:00Z"}, "spec": {"schedule": "@every 90s"}});
        let accounted = forecast::accounted_until(&cronjob);
        let forecast =
            forecast(&cronjob, accounted, "2026-03-27T12:01:00Z".parse().unwrap(), 2, &TimeZone::UTC).unwrap();
        let runs: Vec<&str> = forecast.runs.iter().map(|(_, local)| local.as_str()).collect();
        assert_eq!(runs, ["2026-03-27T12:02:00+00:00", "2026-03-27T12:03:30+00:00"]);
        assert_eq!(warnings(&forecast), Vec::<String>::new());
    }

    #[test]
    fn several_runs_are_told_as_one_range() {
        let spec = json!({"schedule": "*/20 2 * * *", "timeZone": "Europe/Berlin"});
        let (_, warnings) = told(&spec, "2026-03-27T12:00:00Z");
        assert!(warnings[0].ends_with("the 3 runs from 02:00 to 02:40 are left out"), "{}", warnings[0]);
        let (_, warnings) =
            told(&json!({"schedule": "30 23 * * *", "timeZone": "America/Havana"}), "2025-09-01T00:00:00Z");
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn a_file_is_told_what_the_server_would_not_take() {
        let check = |spec: Value| {
            let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}, "spec": spec});
            accepted(&cronjob).err().map(|problem| problem.what)
        };
        assert_eq!(check(json!({"schedule": "0 2 * * *", "timeZone": "Europe/Berlin"})), None);
        let zoned = check(json!({"schedule": "TZ=Europe/Berlin 0 2 * * *"})).unwrap();
        assert!(zoned.starts_with("cronjob.batch/x: spec.schedule: Invalid value: "), "{zoned}");
        let nowhere = check(json!({"schedule": "0 2 * * *", "timeZone": ""})).unwrap();
        assert!(nowhere.starts_with("cronjob.batch/x: spec.timeZone: Invalid value: "), "{nowhere}");
    }

    #[test]
    fn what_cannot_be_read_names_the_field() {
        for (spec, expect) in [
            (
                json!({"schedule": "60 * * * *"}),
                "spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60",
            ),
            (
                json!({"schedule": "@daily", "timeZone": "Berlin"}),
                "spec.timeZone: Invalid value: \"Berlin\": unknown time zone Berlin",
            ),
        ] {
            let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}, "spec": spec});
            let problem = forecast(&cronjob, None, Timestamp::UNIX_EPOCH, 3, &TimeZone::UTC).err().unwrap();
            assert_eq!(problem.what, format!("cronjob.batch/x: {expect}"));
            assert_eq!(problem.exit.code(), 2);
        }
    }
}
