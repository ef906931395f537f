//! A Job's progress: a live line on a terminal, one line per change otherwise. All of it on stderr.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

/// Draws progress and keeps the container's output from running into it.
pub struct Progress {
    bar: Option<ProgressBar>,
    last: Mutex<String>,
}

impl Progress {
    /// A live line when stderr is a terminal.
    pub fn on_stderr() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            bar.set_style(style.expect("the template is a constant"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, last: Mutex::default() }
    }

    /// Says where things stand; repeated texts are dropped.
    pub fn say(&self, text: &str) {
        let mut last = self.last.lock();
        if *last == text {
            return;
        }
        text.clone_into(&mut last);
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => eprintln!("{text}"),
        }
    }

    /// Says on a terminal what is waited for; elsewhere nobody looks at it.
    pub fn wait(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// A result, on stdout.
    pub fn print(&self, text: &str) -> Result<(), super::Problem> {
        let mut printed = Ok(());
        self.suspended(|| printed = super::print(text));
        printed
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        self.suspended(|| eprintln!("{text}"));
    }

    /// Container output to stdout.
    pub fn stdout(&self, bytes: &[u8]) {
        self.suspended(|| {
            let mut out = std::io::stdout().lock();
            // A closed pipe downstream (`| head`) is not the Job's failure.
            let _ = out.write_all(bytes).and_then(|()| out.flush());
        });
    }

    /// Container output to stderr.
    pub fn stderr(&self, bytes: &[u8]) {
        self.suspended(|| {
            let _ = std::io::stderr().lock().write_all(bytes);
        });
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn suspended(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}
