//! `kiln completion`: what a shell asks when somebody presses Tab. Names are those that the server has at that moment.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::env::Shells;
use clap_complete::{ArgValueCompleter, CompletionCandidate};
use kinds::Kind;
use serde_json::Value;

use super::calls;
use super::connect::Target;
use super::objects::{self, kind_named};
use super::session::Place;
use crate::output::{self, Exit, Problem};

/// The variable by which a shell asks.
const ASKS: &str = "COMPLETE";
/// Who presses Tab does not wait longer.
const PATIENCE: Duration = Duration::from_secs(1);
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Print the program by which a shell completes kiln's command lines
///
/// For this shell: source <(kiln completion bash). For every one: put that line into ~/.bashrc
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    shell: String,
}

/// Prints it.
pub fn run(arguments: &Arguments) -> Result<Exit, Problem> {
    let failed = |error: std::io::Error| Problem::internal("cannot write the program").because(error);
    let program = std::env::args_os().next().unwrap_or_else(|| "kiln".into());
    let program = PathBuf::from(program).to_string_lossy().into_owned();
    let mut text = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&arguments.shell) {
        shell.write_registration(ASKS, "kiln", "kiln", &program, &mut text).map_err(failed)?;
    }
    output::write_bytes(&text)?;
    Ok(Exit::Success)
}

/// For arguments that name objects, or their kind first.
pub fn of_objects() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| answer(current, objects_after))
}

/// For arguments that name pods.
pub fn of_pods() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| answer(current, |_, current| of_kind_or("pods", current)))
}

/// For arguments that name CronJobs.
pub fn of_cron_jobs() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| answer(current, |_, current| of_kind_or("cronjobs", current)))
}

/// For `explain`: kinds and their fields.
pub fn of_fields() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current = current.to_string_lossy();
        let fitting = super::explain::completions(&current).into_iter().filter(|text| text.starts_with(&*current));
        fitting.map(CompletionCandidate::new).collect()
    })
}

/// For `-n`.
pub fn of_namespaces() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| answer(current, |_, _| of_kind_or("namespaces", "")))
}

/// What can stand where the cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    /// A kind's plural name.
    Kind,
    /// An object's name; with its kind before it if that is how it begins.
    Name { kind: &'a str, is_pair: bool },
}

fn of_kind_or<'a>(kind: &'a str, current: &'a str) -> Wanted<'a> {
    match current.split_once('/') {
        Some((kind, _)) => Wanted::Name { kind, is_pair: true },
        None => Wanted::Name { kind, is_pair: false },
    }
}

/// `words` stand before the cursor, the program and its verb first.
fn objects_after<'a>(words: &[&'a str], current: &'a str) -> Wanted<'a> {
    let kind = positional(words).nth(2);
    match (kind, current.split_once('/')) {
        (_, Some((kind, _))) => Wanted::Name { kind, is_pair: true },
        (Some(kind), None) if !kind.contains('/') => Wanted::Name { kind, is_pair: false },
        (None | Some(_), None) => Wanted::Kind,
    }
}

/// Words that are no options, nor the values of those that are usual before an object's name.
fn positional<'a, 'b>(words: &'b [&'a str]) -> impl Iterator<Item = &'a str> + 'b {
    let with_value = [
        "-n",
        "--namespace",
        "-o",
        "--output",
        "-l",
        "--selector",
        "-c",
        "--container",
        "--kubeconfig",
        "--for",
        "-p",
        "--type",
    ];
    let is_value = move |at: usize| 0 < at && with_value.contains(&words[at - 1]);
    words.iter().enumerate().filter(move |(at, word)| !word.starts_with('-') && !is_value(*at)).map(|(_, word)| *word)
}

/// The value of an option, as `NAME VALUE` or `NAME=VALUE`.
fn option<'a>(words: &[&'a str], names: &[&str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some((name, value)) if names.contains(&name) => Some(value),
        _ if names.contains(word) => words.get(at + 1).copied(),
        _ => None,
    })
}

fn answer(
    current: &OsStr,
    wanted: impl Fn(&[&'static str], &'static str) -> Wanted<'static>,
) -> Vec<CompletionCandidate> {
    // The program ends when it has answered; what it has read may stay as long.
    let kept = |text: OsString| -> &'static str { Box::leak(text.to_string_lossy().into_owned().into_boxed_str()) };
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|text| text.parse::<usize>().ok());
    // PROGRAM -- the command line; some shells tell only what stands before the cursor.
    let words: Vec<&str> = std::env::args_os().skip_while(|word| word != "--").skip(1).map(kept).collect();
    let before = &words[..index.unwrap_or(words.len().saturating_sub(1)).min(words.len())];
    let current = kept(current.to_owned());
    let found = match wanted(before, current) {
        Wanted::Kind => kinds::KINDS.iter().map(|kind| kind.names().plural.to_owned()).collect(),
        Wanted::Name { kind, is_pair } => {
            let names = names(kind, before);
            if is_pair { names.iter().map(|name| format!("{kind}/{name}")).collect() } else { names }
        }
    };
    let fitting = found.into_iter().filter(|text| text.starts_with(current));
    fitting.map(CompletionCandidate::new).collect()
}

/// The names of a kind's objects; none if no server answers soon.
fn names(kind: &str, words: &[&str]) -> Vec<String> {
    let Ok(kind) = kind_named(kind) else { return Vec::new() };
    let place = Place::of(
        option(words, &["-n", "--namespace"]).map(str::to_owned),
        Target::at(
            option(words, &["--kubeconfig"])
                .map(PathBuf::from)
                .or_else(|| std::env::var_os("KILN_KUBECONFIG").map(Into::into)),
        ),
    );
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let asked = async { tokio::time::timeout(PATIENCE, ask(kind, &place)).await };
    runtime.block_on(asked).ok().flatten().unwrap_or_default()
}

async fn ask(kind: &dyn Kind, place: &Place) -> Option<Vec<String>> {
    let session = place.connect().await.ok()?;
    let path = calls::path(&session.collection(kind), &[("limit", "500")]);
    let list = calls::json(&session.client, "GET", &path, NAMES_ONLY, calls::EMPTY).await.ok()?;
    let items = list["items"].as_array()?.iter();
    Some(
        items
            .map(|item: &Value| meta::object::name(item).to_owned())
            .filter(|name| objects::check_name(name).is_ok())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_follows_from_the_words_before() {
        let name = |kind, is_pair| Wanted::Name { kind, is_pair };
        for (line, current, expect) in [
            ("kiln get", "", Wanted::Kind),
            ("kiln get -n prod", "jo", Wanted::Kind),
            ("kiln get jobs", "", name("jobs", false)),
            ("kiln get -o wide jobs pi", "", name("jobs", false)),
            ("kiln describe", "job/p", name("job", true)),
            ("kiln delete job/a", "", Wanted::Kind),
            ("kiln delete job/a", "cm/", name("cm", true)),
            ("kiln get --namespace=prod cj", "", name("cj", false)),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(objects_after(&words, current), expect, "{line} {current}");
        }
        assert_eq!(of_kind_or("pods", "job/x"), name("job", true));
        assert_eq!(of_kind_or("pods", "x"), name("pods", false));
    }

    #[test]
    fn options_have_their_value_beside_or_after_them() {
        let words = ["kiln", "get", "-n", "a", "--kubeconfig=/k"];
        assert_eq!(option(&words, &["-n", "--namespace"]), Some("a"));
        assert_eq!(option(&words, &["--kubeconfig"]), Some("/k"));
        assert_eq!(option(&words, &["--context"]), None);
    }
}
