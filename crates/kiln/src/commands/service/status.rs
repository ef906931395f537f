//! `kiln status`: whether the server in the background is up, and how it goes.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Directory, Standing, facts, standing};
use crate::machine::SystemClock;
use crate::output::{self, Exit, Problem, paint, tabs};
use meta::clock::Clock;

/// Say whether the server in the background is up, and how it goes
///
/// Exit code 0: it is up; 1: it is not.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// json: for programs
    #[arg(short, long, value_name = "FORM", value_parser = ["json"])]
    output: Option<String>,
}

/// All there is to say.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub state: State,
    pub process: Option<u32>,
    pub url: Option<String>,
    pub since: Option<Timestamp>,
    pub version: Option<String>,
    pub data_directory: String,
    /// Bytes that it takes.
    pub used: u64,
    /// Bytes that its disk has left.
    pub free: u64,
    pub node: Option<Node>,
    #[serde(serialize_with = "by_state")]
    pub pods: Vec<(String, usize)>,
    #[serde(serialize_with = "by_state")]
    pub jobs: Vec<(String, usize)>,
    pub next_runs: Vec<Run>,
    pub warnings: Vec<Warning>,
    /// Pods that run although no server does.
    pub pods_left: usize,
}

/// `{"running": 3}`
fn by_state<S: Serializer>(counts: &[(String, usize)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(state, n)| (state.to_lowercase(), n)))
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Up,
    Silent,
    #[default]
    Down,
}

/// The machine as a node.
#[derive(Debug, Serialize)]
pub struct Node {
    pub name: String,
    /// `Ready`, or why it is not.
    pub condition: String,
}

/// What a CronJob does next.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub cronjob: String,
    pub at: Timestamp,
}

/// What went wrong, lately.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    pub object: String,
    pub last_seen: Timestamp,
    pub reason: String,
    pub message: String,
    pub count: i64,
}

/// Rows of a list that grows; `-o json` has all of them.
const MOST: usize = 5;

/// Looks and tells.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let data_dir = arguments.directory.path()?;
    let now = SystemClock.now();
    let status = match standing(&data_dir).await? {
        Standing::Ready(ready) => facts::of_server(&data_dir, ready, now).await?,
        Standing::Silent { pid } => {
            Status { state: State::Silent, process: Some(pid), ..facts::of_directory(&data_dir) }
        }
        Standing::Down => facts::of_directory(&data_dir),
    };
    match arguments.output {
        Some(_) => output::print(&output::json::indented(&serde_json::to_value(&status).unwrap_or_default()))?,
        None => output::print(&text(&status, now, paint::wanted()))?,
    }
    Ok(if status.state == State::Up { Exit::Success } else { Exit::Failed })
}

fn text(status: &Status, now: Timestamp, is_coloured: bool) -> String {
    let process = status.process.map_or(String::new(), |pid| format!(" (process {pid})"));
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| lines.push(format!("{label:<11} {text}\n"));
    let head = match status.state {
        State::Up => {
            let since = status
                .since
                .map_or(String::new(), |at| format!(", for {}", meta::duration::human(now.duration_since(at))));
            format!(
                "{}: {}{since}{process}\n",
                paint::good("kiln is up".into(), is_coloured),
                status.url.as_deref().unwrap_or_default()
            )
        }
        State::Silent => format!(
            "{}{process}: it starts, ends, or hangs\n",
            paint::failed("kiln does not answer".into(), is_coloured)
        ),
        State::Down => format!("{}\n", paint::waiting("kiln is not up".into(), is_coloured)),
    };
    if let Some(version) = &status.version {
        line("version", version.clone());
    }
    line("kept in", format!("{}: {}, {} are free", status.data_directory, size(status.used), size(status.free)));
    if let Some(node) = &status.node {
        line("node", format!("{}: {}", node.name, paint::status(node.condition.clone(), is_coloured)));
        line("pods", counts(&status.pods));
        line("jobs", counts(&status.jobs));
        line("cronjobs", runs(&status.next_runs, now));
        line("warnings", warnings(&status.warnings, now));
    }
    if 0 < status.pods_left {
        line("pods", format!("running on without it: {}", status.pods_left));
    }
    match status.state {
        State::Up => {}
        State::Silent => {
            line("to do", format!("look again; else see {}/server.log, and kiln down", status.data_directory))
        }
        State::Down => line("to do", "kiln up".into()),
    }
    head + &lines.concat()
}

/// `2 running, 1 pending`
fn counts(counts: &[(String, usize)]) -> String {
    let counts: Vec<String> =
        counts.iter().filter(|(_, n)| 0 < *n).map(|(what, n)| format!("{n} {}", what.to_lowercase())).collect();
    if counts.is_empty() { "none".into() } else { counts.join(", ") }
}

const INDENT: &str = "\n            ";

fn runs(runs: &[Run], now: Timestamp) -> String {
    if runs.is_empty() {
        return "none that will run".into();
    }
    let rows = runs
        .iter()
        .take(MOST)
        .map(|run| format!("{}\tin {}\n", run.cronjob, meta::duration::human(run.at.duration_since(now))));
    listed(&rows.collect::<String>(), runs.len())
}

fn warnings(warnings: &[Warning], now: Timestamp) -> String {
    if warnings.is_empty() {
        return "none in the last hour".into();
    }
    let rows = warnings.iter().take(MOST).map(|warning| {
        let Warning { object, last_seen, reason, message, count } = warning;
        let age = meta::duration::human(now.duration_since(*last_seen));
        let times = if 1 < *count { format!(" (x{count})") } else { String::new() };
        let message = output::printable(message.lines().next().unwrap_or_default());
        format!("{age} ago\t{object}\t{reason}: {message}{times}\n")
    });
    listed(&rows.collect::<String>(), warnings.len())
}

fn listed(rows: &str, n: usize) -> String {
    let aligned = tabs::align(rows, tabs::TABLE);
    let lines: Vec<&str> = aligned.lines().map(str::trim_end).collect();
    let more = if MOST < n { format!("{INDENT}and {} more", n - MOST) } else { String::new() };
    lines.join(INDENT) + &more
}

/// `1.5 GiB`
fn size(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn up() -> Status {
        let counts = |counts: &[(&str, usize)]| counts.iter().map(|(what, n)| ((*what).to_owned(), *n)).collect();
        Status {
            state: State::Up,
            process: Some(42),
            url: Some("https://127.0.0.1:6443".into()),
            since: Some(at("2026-01-01T08:30:00Z")),
            version: Some("v1.36.2+kiln.0.1.0".into()),
            data_directory: "/var/lib/kiln".into(),
            used: 12_900_000,
            free: 41_000_000_000,
            node: Some(Node { name: "box".into(), condition: "Ready".into() }),
            pods: counts(&[("Running", 3), ("Pending", 0), ("Failed", 1)]),
            jobs: counts(&[("Active", 2), ("Failed", 1)]),
            next_runs: vec![
                Run { cronjob: "default/clock".into(), at: at("2026-01-01T12:01:00Z") },
                Run { cronjob: "ops/backup".into(), at: at("2026-01-02T03:00:00Z") },
            ],
            warnings: vec![Warning {
                object: "default/pod/x".into(),
                last_seen: at("2026-01-01T11:55:00Z"),
                reason: "BackOff".into(),
                message: "Back-off restarting failed container\nmore".into(),
                count: 4,
            }],
            pods_left: 0,
        }
    }

    #[test]
    fn a_server_that_is_up_is_told_of_on_one_screen() {
        let expect = "\
kiln is up: https://127.0.0.1:6443, for 3h30m (process 42)
version     v1.36.2+kiln.0.1.0
kept in     /var/lib/kiln: 12.3 MiB, 38.2 GiB are free
node        box: Ready
pods        3 running, 1 failed
jobs        2 active, 1 failed
cronjobs    default/clock   in 60s
            ops/backup      in 15h
warnings    5m ago   default/pod/x   BackOff: Back-off restarting failed container (x4)
";
        assert_eq!(text(&up(), at(NOW), false), expect);
    }

    #[test]
    fn a_server_with_nothing_to_do_says_so() {
        let idle = Status { pods: vec![], jobs: vec![], next_runs: vec![], warnings: vec![], since: None, ..up() };
        let text = text(&idle, at(NOW), false);
        assert!(text.contains("pods        none\njobs        none\ncronjobs    none that will run\nwarnings    none in the last hour\n"), "{text}");
    }

    #[test]
    fn long_lists_end() {
        let mut many = up();
        many.next_runs = (0..8).map(|n| Run { cronjob: format!("a/c{n}"), at: at("2026-01-01T12:01:00Z") }).collect();
        let text = text(&many, at(NOW), false);
        assert!(text.contains("            a/c4   in 60s\n            and 3 more\n"), "{text}");
    }

    #[test]
    fn one_that_is_not_up_says_what_to_do() {
        let down = Status { data_directory: "/d".into(), used: 100, free: 2048, pods_left: 2, ..Status::default() };
        let expect = "kiln is not up\nkept in     /d: 100 B, 2.0 KiB are free\npods        running on without it: 2\nto do       kiln up\n";
        assert_eq!(text(&down, at(NOW), false), expect);
        let silent = Status { state: State::Silent, process: Some(7), pods_left: 0, ..down };
        let expect = "kiln does not answer (process 7): it starts, ends, or hangs\nkept in     /d: 100 B, 2.0 KiB are free\nto do       look again; else see /d/server.log, and kiln down\n";
        assert_eq!(text(&silent, at(NOW), false), expect);
    }
}
