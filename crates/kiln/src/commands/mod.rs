//! The command line: one module a verb.

mod api_resources;
mod apply;
mod auth;
mod calls;
mod check;
mod choice;
mod completion;
mod connect;
mod create;
mod cron;
mod delete;
mod demo;
mod describe;
mod doctor;
mod events;
mod exec;
mod explain;
mod following;
mod get;
mod image;
mod label;
mod logs;
mod man;
mod manifests;
mod objects;
mod patch;
mod run;
mod runtimes;
mod server;
mod service;
mod session;
mod streams;
mod switches;
mod targets;
mod verdict;
mod wait;
mod writes;

use std::process::ExitCode;
use std::time::Duration;

use agent::userns;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::output::{self, Exit, Problem};

/// Kubernetes Jobs on this machine, without Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "kiln", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve in the background, and tell kubectl of it
    Up(service::up::Arguments),
    /// End the server in the background, and its pods
    Down(service::down::Arguments),
    /// Say whether the server in the background is up, and how it goes
    Status(service::status::Arguments),
    /// Run a few Jobs and a CronJob that show what there is
    Demo(demo::Arguments),
    /// Run one Job to its end: stream its logs, exit with its code
    Run(run::Arguments),
    /// Show objects: as a table, JSON, YAML or in columns of your own; -w goes on with what changes
    Get(get::Arguments),
    /// Make objects, or make them as files say (server-side apply)
    Apply(apply::Arguments),
    /// Make objects: from files, or by a word for their kind
    Create(create::Arguments),
    /// Delete objects, and wait until they are gone
    Delete(delete::Arguments),
    /// Change fields of objects
    Patch(patch::Arguments),
    /// Set and remove labels: KEY=VALUE sets, KEY- removes
    Label(label::Arguments),
    /// Set and remove annotations: KEY=VALUE sets, KEY- removes
    Annotate(label::Arguments),
    /// Show objects with all that there is to know, and what has happened to them
    Describe(describe::Arguments),
    /// Show what containers print; of a Job, what all its pods print, retries included
    Logs(logs::Arguments),
    /// Run a program in a container: -it gives it this terminal
    Exec(exec::Exec),
    /// See what a container prints, and write to it
    Attach(exec::Attach),
    /// Show what has happened, in a namespace or to an object
    Events(events::Arguments),
    /// Wait until objects are as they should be, or never will be
    Wait(wait::Arguments),
    /// When CronJobs run next; run one now, stop and resume them
    Cron(cron::Arguments),
    /// Say what would go wrong with manifests, without a server
    Check(check::Arguments),
    /// Say what a kind or one of its fields is for
    Explain(explain::Arguments),
    /// List the kinds that the server has
    ApiResources(api_resources::Arguments),
    /// Say what one may do, and who one is
    Auth(auth::Arguments),
    /// Serve the Kubernetes API and run pods, in the foreground
    Server(server::Arguments),
    /// Images on this machine
    Image(image::Arguments),
    /// Print the program by which a shell completes kiln's command lines
    Completion(completion::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
    /// Say what this machine has of what containers need, what is missing, and how to get it
    Doctor(doctor::Arguments),
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    // A shell that completes a command line asks by an environment variable, and is answered here.
    clap_complete::CompleteEnv::with_factory(Arguments::command).complete();
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(help) => {
            let _ = help.print();
            return if help.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    let refused = become_root_of_containers(&arguments.command).err();
    // Others may do without: `run` where there is a server.
    if let (Some(refused), Command::Server(_)) = (&refused, &arguments.command) {
        return output::report(&connect::no_containers(Some(refused))).into();
    }
    let result = match arguments.command {
        Command::Up(arguments) => asynchronously(service::up::run(arguments)),
        Command::Down(arguments) => asynchronously(service::down::run(arguments)),
        Command::Status(arguments) => asynchronously(service::status::run(arguments)),
        Command::Demo(arguments) => asynchronously(demo::run(arguments)),
        Command::Run(arguments) => asynchronously(run::run(arguments)),
        Command::Get(arguments) => asynchronously(get::run(arguments)),
        Command::Apply(arguments) => asynchronously(apply::run(arguments)),
        Command::Create(arguments) => asynchronously(create::run(arguments)),
        Command::Delete(arguments) => asynchronously(delete::run(arguments)),
        Command::Patch(arguments) => asynchronously(patch::run(arguments)),
        Command::Label(arguments) => asynchronously(label::run(arguments, label::What::Labels)),
        Command::Annotate(arguments) => asynchronously(label::run(arguments, label::What::Annotations)),
        Command::Describe(arguments) => asynchronously(describe::run(arguments)),
        Command::Logs(arguments) => asynchronously(logs::run(arguments)),
        Command::Exec(arguments) => asynchronously(exec::exec(arguments)),
        Command::Attach(arguments) => asynchronously(exec::attach(arguments)),
        Command::Events(arguments) => asynchronously(events::run(arguments)),
        Command::Explain(arguments) => asynchronously(explain::run(arguments)),
        Command::ApiResources(arguments) => asynchronously(api_resources::run(arguments)),
        Command::Auth(arguments) => asynchronously(auth::run(arguments)),
        Command::Wait(arguments) => asynchronously(wait::run(arguments)),
        Command::Cron(arguments) => asynchronously(cron::run(arguments)),
        Command::Check(arguments) => check::run(arguments),
        Command::Server(arguments) => asynchronously(server::run(arguments)),
        Command::Image(arguments) => image::run(&arguments),
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        Command::Doctor(arguments) => doctor::run(arguments, refused),
    };
    result.unwrap_or_else(|problem| output::report(&problem)).into()
}

/// As kubectl's plugin it shows how it was called.
fn parse() -> Result<Arguments, clap::Error> {
    let program = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    let is_plugin = program.file_name().is_some_and(|name| name == "kubectl-kiln");
    let command = Arguments::command();
    let command = if is_plugin { command.bin_name("kubectl kiln") } else { command };
    let words = switches::plain(&command, std::env::args_os());
    Arguments::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// Commands that run containers, or make what they are made of, go on in a user namespace when the user is not root.
fn become_root_of_containers(command: &Command) -> Result<(), userns::Refused> {
    let state_dir = match command {
        Command::Server(arguments) => Some(arguments.data_dir().join("agent")),
        Command::Run(_) | Command::Image(_) | Command::Doctor(_) => None,
        _ => return Ok(()),
    };
    if userns::standing() != userns::Standing::Ordinary {
        return Ok(());
    }
    Err(userns::enter(state_dir.as_deref()))
}

fn asynchronously(work: impl Future<Output = Result<Exit, Problem>>) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::internal("failed to start").because(error))?;
    let result = runtime.block_on(work);
    // Whatever still blocks a thread (a read of a vanished disk) must not keep the command from ending.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Where this machine's or this user's configuration is: `/etc/kiln` as root, else `$XDG_CONFIG_HOME/kiln`.
fn config_dir() -> std::path::PathBuf {
    if crate::machine::is_root() { "/etc/kiln".into() } else { config_home().join("kiln") }
}

/// Where programs of this user keep their configuration.
fn config_home() -> std::path::PathBuf {
    let home = || std::path::PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".config");
    std::env::var_os("XDG_CONFIG_HOME").map_or_else(home, Into::into)
}

/// The data directory where none is named: `KILN_DATA_DIR`, else the usual one.
fn default_data_dir() -> std::path::PathBuf {
    let named = std::env::var_os("KILN_DATA_DIR").filter(|dir| !dir.is_empty());
    named.map_or_else(usual_data_dir, Into::into)
}

/// The usual data directory: `/var/lib/kiln` as root, else `$XDG_DATA_HOME/kiln`.
fn usual_data_dir() -> std::path::PathBuf {
    if crate::machine::is_root() {
        return "/var/lib/kiln".into();
    }
    let home = || std::path::PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".local/share");
    std::env::var_os("XDG_DATA_HOME").map_or_else(home, Into::into).join("kiln")
}

/// `90s`, `5m`, `1h30m`, or plain seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is not a duration such as 90s, 5m or 1h"))?;
    Duration::try_from(span).map_err(|_| "a timeout cannot be negative".into())
}

/// How long to wait for something. As kubectl: a negative time is a week.
fn parse_patience(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    match text.strip_prefix('-') {
        Some(positive) => parse_duration(positive).map(|_| WEEK),
        None => parse_duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_patience("-1s"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_patience("2s"), Ok(Duration::from_secs(2)));
        assert!(parse_patience("-x").is_err() && parse_duration("-1s").is_err());
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("soon"), Err("\"soon\" is not a duration such as 90s, 5m or 1h".into()));
    }
}
