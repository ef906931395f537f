//! `kiln explain`: what a kind and its fields are for, from the server's OpenAPI v3; where no server runs, from that which
//! this kiln's would have.

mod plaintext;

use kinds::Kind;
use serde_json::Value;

use self::plaintext::{Missing, Subject, page};
use super::calls::{self, Refusal};
use super::completion;
use super::connect::{self, Target};
use super::objects::{self, kind_named};
use crate::output::{self, Exit, Problem};

/// Say what a kind or one of its fields is for
///
/// kiln explain job, kiln explain job.spec.backoffLimit
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// KIND, or KIND.FIELD.FIELD
    #[arg(value_name = "KIND[.FIELD...]", add = completion::of_fields())]
    subject: String,
    /// The fields of fields too, by name only
    #[arg(long)]
    recursive: bool,
    /// Of this group and version: batch/v1
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// Form: plaintext
    #[arg(short, long, value_name = "FORM", value_parser = ["plaintext"], default_value = "plaintext")]
    output: String,
    #[command(flatten)]
    target: Target,
}

/// Looks it up and prints it.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let (word, path) = split(&arguments.subject)?;
    let kind = of_version(kind_named(word)?, arguments.api_version.as_deref())?;
    let document = document(kind, &arguments.target).await?;
    let names = kind.names();
    let subject = Subject { group: names.group, version: names.version, kind: names.kind, path: &path };
    let (text, missing) = page(&document, subject, arguments.recursive);
    output::print(&text)?;
    match missing {
        None => Ok(Exit::Success),
        Some(Missing::Kind) => Err(Problem::failed(format!("the server tells nothing of {}", names.plural))),
        Some(Missing::Field { name, known }) => Err(unknown_field(&path, &name, &known)),
    }
}

/// `job.spec.backoffLimit`: the kind, and the names of fields.
fn split(subject: &str) -> Result<(&str, Vec<String>), Problem> {
    let subject = subject.strip_suffix('.').unwrap_or(subject);
    let (kind, path) = subject.split_once('.').unwrap_or((subject, ""));
    let path: Vec<String> = path.split('.').filter(|_| !path.is_empty()).map(str::to_owned).collect();
    if kind.is_empty() || path.iter().any(String::is_empty) {
        return Err(Problem::usage(format!("{subject:?} is not KIND.FIELD")).remedy("e.g. job.spec.backoffLimit"));
    }
    Ok((kind, path))
}

/// The same kind in another group or version.
fn of_version(kind: &'static dyn Kind, api_version: Option<&str>) -> Result<&'static dyn Kind, Problem> {
    let Some(wanted) = api_version else { return Ok(kind) };
    let plural = kind.names().plural;
    let found = kinds::KINDS
        .iter()
        .copied()
        .find(|kind| kind.names().plural == plural && objects::api_version(*kind) == wanted);
    found.ok_or_else(|| {
        let known = kinds::KINDS.iter().copied().filter(|kind| kind.names().plural == plural).map(objects::api_version);
        Problem::failed(format!("couldn't find resource for \"{wanted}, Resource={plural}\""))
            .remedy(format!("there is {}", known.collect::<Vec<_>>().join(", ")))
    })
}

async fn document(kind: &dyn Kind, target: &Target) -> Result<Value, Problem> {
    let place = place(kind);
    match connect::existing(target).await? {
        Some(client) => calls::get(&client, &format!("/openapi/v3/{place}")).await.map_err(Refusal::problem),
        None => Ok(own_document(&place)),
    }
}

/// Where a kind's document is: `apis/batch/v1`.
fn place(kind: &dyn Kind) -> String {
    let names = kind.names();
    let root = if names.group.is_empty() { "api".to_owned() } else { format!("apis/{}", names.group) };
    format!("{root}/{}", names.version)
}

/// What a server of this version would answer.
fn own_document(place: &str) -> Value {
    let text = apiserver::openapi::v3_json(place).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn unknown_field(path: &[String], name: &str, known: &[String]) -> Problem {
    // kubectl names the last field of the path, whichever is missing.
    let last = path.last().map_or(name, String::as_str);
    let problem = Problem::failed(format!("field {last:?} does not exist"));
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(nearest) if 0.8 <= likeness(nearest) => {
            problem.remedy(format!("did you mean {nearest:?} instead of {name:?}?"))
        }
        Some(_) => problem.remedy(format!("in the place of {name:?} there are: {}", known.join(", "))),
        None => problem.remedy(format!("what stands before {name:?} has no fields")),
    }
}

/// What can follow the text `job.spec.ba`, as this kiln's server would have it.
pub fn completions(text: &str) -> Vec<String> {
    let Some((before, _)) = text.rsplit_once('.') else {
        return kinds::KINDS.iter().map(|kind| kind.names().plural.to_owned()).collect();
    };
    let Ok((word, path)) = split(before) else { return Vec::new() };
    let Ok(kind) = kind_named(word) else { return Vec::new() };
    let names = kind.names();
    let subject = Subject { group: names.group, version: names.version, kind: names.kind, path: &path };
    let fields = plaintext::fields(&own_document(&place(kind)), subject);
    fields.into_iter().map(|field| format!("{before}.{field}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_kind_and_names_of_fields() {
        for (text, kind, path) in [
            ("job", "job", &[][..]),
            ("jobs.spec.", "jobs", &["spec"]),
            ("po.spec.containers", "po", &["spec", "containers"]),
        ] {
            assert_eq!(split(text).unwrap(), (kind, path.iter().map(|name| (*name).to_owned()).collect()), "{text}");
        }
        for text in ["", ".spec", "job..spec"] {
            assert_eq!(split(text).unwrap_err().exit.code(), 2, "{text}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_says_what_is() {
        let path = ["spec".to_owned(), "backofLimit".to_owned()];
        let known = ["activeDeadlineSeconds".to_owned(), "backoffLimit".to_owned()];
        assert_eq!(
            unknown_field(&path, "backofLimit", &known).render(),
            "error: field \"backofLimit\" does not exist\nto do: did you mean \"backoffLimit\" instead of \"backofLimit\"?\n"
        );
        assert_eq!(
            unknown_field(&path, "xyz", &known).remedy.as_deref(),
            Some("in the place of \"xyz\" there are: activeDeadlineSeconds, backoffLimit")
        );
        assert_eq!(unknown_field(&path, "x", &[]).remedy.as_deref(), Some("what stands before \"x\" has no fields"));
    }

    #[test]
    fn fields_are_completed() {
        assert!(completions("jo").contains(&"jobs".to_owned()));
        assert!(completions("job.spec.ba").contains(&"job.spec.backoffLimit".to_owned()));
        assert!(completions("pod.spec.containers.env.").contains(&"pod.spec.containers.env.valueFrom".to_owned()));
        assert_eq!(completions("nothing.spec."), Vec::<String>::new());
    }

    #[test]
    fn kinds_of_one_name_are_told_apart_by_version() {
        let events = kind_named("events").unwrap();
        let found = of_version(events, Some("events.k8s.io/v1")).unwrap();
        assert_eq!(found.names().group, "events.k8s.io");
        let wrong = of_version(kind_named("job").unwrap(), Some("batch/v2")).map(|_| ()).unwrap_err();
        assert_eq!(
            wrong.render(),
            "error: couldn't find resource for \"batch/v2, Resource=jobs\"\nto do: there is batch/v1\n"
        );
    }
}
