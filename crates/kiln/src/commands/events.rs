//! `kiln events`: what has happened, oldest first.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::calls;
use super::describe::events::age;
use super::describe::page::{View, instant, text_or};
use super::following::{Change, Collection, Follower};
use super::objects::{self, Named};
use super::session::{Place, Session};
use crate::output::form::{self, Form};
use crate::output::tabs::{self, Widths};
use crate::output::{self, Exit, Problem, printable};

/// Show what has happened
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Of this object: TYPE/NAME, e.g. job/pi
    #[arg(long = "for", value_name = "OBJECT")]
    about: Option<String>,
    /// Of these types: Normal, Warning
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Go on with what happens
    #[arg(short, long)]
    watch: bool,
    /// Form: name, json, yaml, jsonpath=TEMPLATE, custom-columns=HEADING:PATH,…
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
    /// No headings
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    place: Place,
}

/// Shows them; then, with -w, those that come.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    check_types(&arguments.types)?;
    let fields = match &arguments.about {
        Some(about) => about_fields(about)?,
        None => String::new(),
    };
    // Those of the core group; clients of events.k8s.io see the same.
    let kind = objects::kind_named("events")?;
    let session = arguments.place.connect().await?;
    let namespace = (!arguments.all_namespaces).then_some(session.namespace.as_str());
    let path = objects::collection(kind, namespace);
    let query = vec![("fieldSelector", fields)];
    let followed = Collection { client: &session.client, kind, path, query, accept: calls::JSON };
    let (mut follower, mut events) = Follower::begin(followed).await?;
    events.retain(|event| is_of(event, &arguments.types));
    events.sort_by_key(last_seen);
    let mut printer = Printer { arguments: &arguments, widths: Widths::new(), is_begun: false };
    if !arguments.watch {
        if events.is_empty() {
            return none(&arguments, &session);
        }
        printer.print(events)?;
        return Ok(Exit::Success);
    }
    // As kubectl: one after the other, and no list of them.
    events.into_iter().try_for_each(|event| printer.print(vec![event]))?;
    loop {
        let Change { what, item } = follower.next().await?;
        if matches!(what.as_str(), "ADDED" | "MODIFIED") && is_of(&item, &arguments.types) {
            printer.print(vec![item])?;
        }
    }
}

fn check_types(types: &[String]) -> Result<(), Problem> {
    match types.iter().find(|of| !["normal", "warning"].contains(&of.to_lowercase().as_str())) {
        Some(_) => Err(Problem::usage("valid --types are Normal or Warning")
            .remedy("name one of them, or both: --types Normal,Warning")),
        None => Ok(()),
    }
}

fn about_fields(about: &str) -> Result<String, Problem> {
    let words = [about.to_owned()];
    let named = objects::parse(&words)?;
    let [Named { kind, name: Some(name) }] = named[..] else {
        return Err(
            Problem::usage(format!("--for {about:?} is not TYPE/NAME")).remedy("name an object like this: job/pi")
        );
    };
    objects::check_name(name)?;
    let kind = objects::kind_named(kind)?.names().kind;
    Ok(format!("involvedObject.kind={kind},involvedObject.name={name}"))
}

fn is_of(event: &Value, types: &[String]) -> bool {
    types.is_empty() || types.iter().any(|of| event["type"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(of)))
}

/// Where nothing has happened.
fn none(arguments: &Arguments, session: &Session) -> Result<Exit, Problem> {
    match arguments.all_namespaces {
        true => eprintln!("No events found."),
        false => eprintln!("No events found in {} namespace.", session.namespace),
    }
    Ok(Exit::Success)
}

fn last_seen(event: &Value) -> Option<Timestamp> {
    let moments = [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"]];
    moments.into_iter().find_map(instant)
}

struct Printer<'a> {
    arguments: &'a Arguments,
    widths: Widths,
    is_begun: bool,
}

impl Printer<'_> {
    fn print(&mut self, events: Vec<Value>) -> Result<(), Problem> {
        let text = match &self.arguments.output {
            None | Some(Form::Wide) => self.table(&events),
            Some(form) => self.in_form(form, events).map_err(Problem::failed)?,
        };
        self.is_begun = true;
        output::print(&text)
    }

    fn in_form(&mut self, form: &Form, events: Vec<Value>) -> Result<String, String> {
        let events: Vec<Value> = events.into_iter().map(form::without_managed_fields).collect();
        match form {
            Form::Columns(columns) => {
                let mut text = if self.has_heading() { columns.headings() } else { String::new() };
                for event in &events {
                    text.push_str(&columns.row(event)?);
                }
                Ok(tabs::align_on(&text, tabs::TABLE, &mut self.widths))
            }
            Form::Name => form::each(form, &events, objects::title),
            // Documents are told apart.
            Form::Yaml if self.arguments.watch && self.is_begun => {
                Ok(format!("---\n{}", form::each(form, &events, objects::title)?))
            }
            _ if self.arguments.watch => form::each(form, &events, objects::title),
            _ => form::each(form, &[form::list(events)], objects::title),
        }
    }

    fn has_heading(&self) -> bool {
        !self.is_begun && !self.arguments.no_headers
    }

    fn table(&mut self, events: &[Value]) -> String {
        let view = View { now: Timestamp::now(), zone: TimeZone::system() };
        let mut text = String::new();
        if self.has_heading() {
            let namespace = if self.arguments.all_namespaces { "NAMESPACE\t" } else { "" };
            text.push_str(&format!("{namespace}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n"));
        }
        for event in events {
            text.push_str(&row(event, self.arguments.all_namespaces, &view));
        }
        tabs::align_on(&text, tabs::TABLE, &mut self.widths)
    }
}

fn row(event: &Value, has_namespace: bool, view: &View) -> String {
    let text = |value: &Value| printable(&text_or(value, ""));
    let namespace = if has_namespace { format!("{}\t", text(&event["metadata"]["namespace"])) } else { String::new() };
    let about = &event["involvedObject"];
    format!(
        "{namespace}{}\t{}\t{}\t{}/{}\t{}\n",
        age(event, view),
        text(&event["type"]),
        text(&event["reason"]),
        text(&about["kind"]),
        text(&about["name"]),
        text(&event["message"]).trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_named_by_type_and_name() {
        assert_eq!(about_fields("job/pi").unwrap(), "involvedObject.kind=Job,involvedObject.name=pi");
        assert_eq!(about_fields("cj/x").unwrap(), "involvedObject.kind=CronJob,involvedObject.name=x");
        assert!(about_fields("job").unwrap_err().what.contains("is not TYPE/NAME"));
        assert!(about_fields("jib/x").unwrap_err().what.contains("doesn't have a resource type"));
    }

    #[test]
    fn rows_have_what_happened_to_whom() {
        let view = View { now: "2026-01-01T00:10:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let event = json!({"metadata": {"namespace": "n"}, "type": "Normal", "reason": "Made", "message": " a \u{1b}b\n",
            "involvedObject": {"kind": "Job", "name": "x"}, "firstTimestamp": "2026-01-01T00:05:00Z"});
        assert_eq!(row(&event, true, &view), "n\t5m\tNormal\tMade\tJob/x\ta ^[b\n");
        assert_eq!(row(&event, false, &view), "5m\tNormal\tMade\tJob/x\ta ^[b\n");
        assert!(is_of(&event, &["normal".into()]) && !is_of(&event, &["Warning".into()]));
        assert!(check_types(&["Odd".into()]).is_err());
    }
}
