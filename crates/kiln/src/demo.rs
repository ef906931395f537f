//! The applets of the image `kiln/demo`: the kiln binary under another name, as busybox does it. No shell, no files, no network.

mod pi;

use nix::sys::signal::{SigSet, Signal};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Takes some seconds; more is no demonstration.
const MAX_DIGITS: usize = 100_000;
const USAGE: u8 = 2;

/// The applet meant by a program's own name: `/bin/pi` is `pi`, `kiln` is none.
pub fn applet_of(argv0: &std::ffi::OsStr) -> Option<&'static str> {
    let name = Path::new(argv0).file_name()?;
    ["pi", "echo", "sleep", "seq", "fail"].into_iter().find(|applet| name == *applet)
}

/// Runs an applet; `arguments` come without its name.
pub fn main(applet: &str, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    if let Err(error) = end_on_signals() {
        eprintln!("{applet}: cannot wait for signals: {error}");
        return ExitCode::FAILURE;
    }
    let arguments: Vec<String> =
        arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let done = plan(applet, &arguments).and_then(|task| Ok(run(task, &mut out)?));
    let done = done.and_then(|code| out.flush().map(|()| code).map_err(Complaint::Output));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(Complaint::Usage(text)) => {
            eprintln!("{applet}: {text}");
            ExitCode::from(USAGE)
        }
        Err(Complaint::Output(error)) => {
            eprintln!("{applet}: write error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A container's first process ignores a signal unless it asks for it, so every applet does.
fn end_on_signals() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block()?;
    let wait = move || {
        if let Ok(signal) = signals.wait() {
            std::process::exit(128 + signal as i32);
        }
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

/// What an applet is asked to do.
#[derive(Debug, PartialEq)]
enum Task {
    Pi(usize),
    Echo(String),
    Sleep(Duration),
    Seq(i64, i64),
    Fail(u8),
}

#[derive(Debug)]
enum Complaint {
    Usage(String),
    Output(io::Error),
}

impl From<io::Error> for Complaint {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn plan(applet: &str, arguments: &[String]) -> Result<Task, Complaint> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (applet, arguments.as_slice()) {
        ("pi", [digits]) => match digits.parse() {
            Ok(digits @ 1..=MAX_DIGITS) => Ok(Task::Pi(digits)),
            _ => usage(format!("DIGITS must be a number from 1 to {MAX_DIGITS}, not {digits:?}")),
        },
        ("pi", _) => usage("usage: pi DIGITS"),
        ("echo", words) => Ok(Task::Echo(words.join(" "))),
        ("sleep", [seconds]) => match seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()) {
            Some(duration) => Ok(Task::Sleep(duration)),
            None => usage(format!("SECONDS must be a number such as 1 or 0.5, not {seconds:?}")),
        },
        ("sleep", _) => usage("usage: sleep SECONDS"),
        ("seq", [last]) => Ok(Task::Seq(1, integer(last)?)),
        ("seq", [first, last]) => Ok(Task::Seq(integer(first)?, integer(last)?)),
        ("seq", _) => usage("usage: seq [FIRST] LAST"),
        ("fail", []) => Ok(Task::Fail(1)),
        ("fail", [code]) => match code.parse() {
            Ok(code @ 1..) => Ok(Task::Fail(code)),
            _ => usage(format!("CODE must be a number from 1 to 255, not {code:?}")),
        },
        ("fail", _) => usage("usage: fail [CODE]"),
        _ => usage("no such applet: there are pi, echo, sleep, seq and fail"),
    }
}

fn integer(text: &str) -> Result<i64, Complaint> {
    text.parse().or_else(|_| usage(format!("{text:?} is not a whole number")))
}

fn usage<T>(text: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint::Usage(text.into()))
}

fn run(task: Task, out: &mut impl Write) -> io::Result<u8> {
    match task {
        Task::Pi(digits) => writeln!(out, "{}", pi::digits(digits))?,
        Task::Echo(text) => writeln!(out, "{text}")?,
        Task::Sleep(duration) => std::thread::sleep(duration),
        Task::Seq(first, last) => (first..=last).try_for_each(|n| writeln!(out, "{n}"))?,
        Task::Fail(code) => {
            writeln!(out, "reading orders.csv")?;
            out.flush()?;
            eprintln!("fail: orders.csv, line 42: expected 7 columns, found 6");
            return Ok(code);
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(line: &str) -> Result<Task, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match plan(&words[0], &words[1..]) {
            Ok(task) => Ok(task),
            Err(Complaint::Usage(text)) => Err(text),
            Err(Complaint::Output(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn the_programs_name_picks_the_applet() {
        for (argv0, expect) in [
            ("pi", Some("pi")),
            ("/bin/seq", Some("seq")),
            ("kiln", None),
            ("/bin/kiln", None),
            ("pie", None),
            ("", None),
        ] {
            assert_eq!(applet_of(argv0.as_ref()), expect, "{argv0}");
        }
    }

    #[test]
    fn command_lines_mean_tasks() {
        for (line, expect) in [
            ("pi 2000", Task::Pi(2000)),
            ("echo", Task::Echo(String::new())),
            ("echo a b  c", Task::Echo("a b c".into())),
            ("sleep 0.25", Task::Sleep(Duration::from_millis(250))),
            ("seq 3", Task::Seq(1, 3)),
            ("seq -2 3", Task::Seq(-2, 3)),
            ("fail", Task::Fail(1)),
            ("fail 255", Task::Fail(255)),
        ] {
            assert_eq!(plan_of(line), Ok(expect), "{line}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, expect) in [
            ("pi", "usage: pi DIGITS"),
            ("pi 1 2", "usage: pi DIGITS"),
            ("pi 0", "DIGITS must be a number from 1 to 100000, not \"0\""),
            ("pi 100001", "DIGITS must be a number from 1 to 100000, not \"100001\""),
            ("sleep", "usage: sleep SECONDS"),
            ("sleep -1", "SECONDS must be a number such as 1 or 0.5, not \"-1\""),
            ("sleep nan", "SECONDS must be a number such as 1 or 0.5, not \"nan\""),
            ("sleep 1e300", "SECONDS must be a number such as 1 or 0.5, not \"1e300\""),
            ("seq", "usage: seq [FIRST] LAST"),
            ("seq x", "\"x\" is not a whole number"),
            ("seq 1 2 3", "usage: seq [FIRST] LAST"),
            ("fail 0", "CODE must be a number from 1 to 255, not \"0\""),
            ("fail 256", "CODE must be a number from 1 to 255, not \"256\""),
            ("sh", "no such applet: there are pi, echo, sleep, seq and fail"),
        ] {
            assert_eq!(plan_of(line), Err(expect.into()), "{line}");
        }
    }

    #[test]
    fn tasks_write_their_lines() {
        for (task, code, expect) in [
            (Task::Pi(5), 0, "3.1416\n"),
            (Task::Echo("hello".into()), 0, "hello\n"),
            (Task::Seq(2, 4), 0, "2\n3\n4\n"),
            (Task::Seq(2, 1), 0, ""),
            (Task::Seq(i64::MAX, i64::MAX), 0, "9223372036854775807\n"),
            (Task::Fail(3), 3, "reading orders.csv\n"),
        ] {
            let mut out = Vec::new();
            assert_eq!(run(task, &mut out).unwrap(), code);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }
}
