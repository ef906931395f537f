//! Writes a container's output as CRI log lines: `RFC3339Nano stdout F text`. Runs in the supervisor.
//!
//! A line longer than 16 KiB becomes several `P` (partial) lines and a last `F`. At 10 MiB `N.log` is renamed to `N.log.1`,
//! `N.log.1` to `N.log.2` and so on; five files are kept, the current one among them.

use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Longest text in one CRI line.
pub const MAX_TEXT: usize = 16 * 1024;
/// A file is rotated once it is this long.
pub const MAX_FILE: u64 = 10 << 20;
/// Files kept, the current one included.
pub const MAX_FILES: u32 = 5;

/// Which of the container's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// The name under which a rotated file is kept; `age` 1 is the newest.
pub fn rotated(path: &Path, age: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

/// An open log file.
pub struct LogWriter {
    path: PathBuf,
    file: File,
    length: u64,
    max_file: u64,
    stdout: Partial,
    stderr: Partial,
}

impl LogWriter {
    /// Appends to `path`; its directory exists.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self {
            length: file.metadata()?.len(),
            file,
            path: path.to_owned(),
            max_file: MAX_FILE,
            stdout: Partial::default(),
            stderr: Partial::default(),
        })
    }

    /// Takes what the container wrote at `now`.
    pub fn write(&mut self, stream: Stream, output: &[u8], now: Timestamp) -> io::Result<()> {
        let partial = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let lines = partial.feed(output, stream, now);
        self.append(&lines)
    }

    /// The stream has ended: what came after its last newline is a line too.
    pub fn finish(&mut self, stream: Stream, now: Timestamp) -> io::Result<()> {
        let partial = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let lines = partial.finish(stream, now);
        self.append(&lines)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.max_file <= self.length {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(lines) {
            // Half a line on a full disk would swallow the next one.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..MAX_FILES - 1).rev() {
            let _ = fs::rename(rotated(&self.path, age), rotated(&self.path, age + 1));
        }
        fs::rename(&self.path, rotated(&self.path, 1))?;
        self.file = open(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// The beginning of a line whose end has not come yet; always shorter than [`MAX_TEXT`].
#[derive(Default)]
struct Partial(Vec<u8>);

impl Partial {
    fn feed(&mut self, mut output: &[u8], stream: Stream, now: Timestamp) -> Vec<u8> {
        let head = head(stream, now);
        let mut lines = Vec::with_capacity(output.len() + head.len() + 8);
        while !output.is_empty() {
            let room = MAX_TEXT - self.0.len();
            let newline = output.iter().take(room + 1).position(|byte| *byte == b'\n');
            let (text, tag, taken) = match newline {
                Some(at) => (&output[..at], b'F', at + 1),
                None if room < output.len() => (&output[..room], b'P', room),
                None => {
                    self.0.extend_from_slice(output);
                    break;
                }
            };
            push_line(&mut lines, &head, tag, &[&self.0, text]);
            self.0.clear();
            output = &output[taken..];
        }
        lines
    }

    fn finish(&mut self, stream: Stream, now: Timestamp) -> Vec<u8> {
        let mut lines = Vec::new();
        if !self.0.is_empty() {
            push_line(&mut lines, &head(stream, now), b'F', &[&self.0]);
        }
        self.0 = Vec::new();
        lines
    }
}

fn head(stream: Stream, now: Timestamp) -> String {
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    format!("{now} {stream} ")
}

fn push_line(lines: &mut Vec<u8>, head: &str, tag: u8, texts: &[&[u8]]) {
    lines.extend_from_slice(head.as_bytes());
    lines.extend_from_slice(&[tag, b' ']);
    for text in texts {
        lines.extend_from_slice(text);
    }
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanosecond: i64) -> Timestamp {
        Timestamp::from_nanosecond(nanosecond.into()).unwrap()
    }

    #[track_caller]
    fn check(chunks: &[&str], expect: &[(char, usize)]) {
        let mut partial = Partial::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            lines.extend(partial.feed(chunk.as_bytes(), Stream::Stdout, at(5)));
        }
        lines.extend(partial.finish(Stream::Stdout, at(5)));
        let text = String::from_utf8(lines).unwrap();
        let seen: Vec<_> = text
            .lines()
            .map(|line| {
                let rest = line.strip_prefix("1970-01-01T00:00:00.000000005Z stdout ").unwrap();
                (rest.chars().next().unwrap(), rest.len() - 2)
            })
            .collect();
        assert_eq!(seen, expect);
    }

    #[test]
    fn lines_are_cut_at_newlines_and_at_16_kib() {
        let long = "x".repeat(MAX_TEXT);
        check(&["one\ntwo\n"], &[('F', 3), ('F', 3)]);
        check(&["no newline"], &[('F', 10)]);
        check(&["sp", "li", "t\n\n"], &[('F', 5), ('F', 0)]);
        check(&[""], &[]);
        check(&[&long, "\n"], &[('F', MAX_TEXT)]);
        check(&[&long, "y\n"], &[('P', MAX_TEXT), ('F', 1)]);
        check(&[&long, &long, "y"], &[('P', MAX_TEXT), ('P', MAX_TEXT), ('F', 1)]);
    }

    #[test]
    fn files_rotate_by_rename_and_five_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let mut log = LogWriter::open(&path).unwrap();
        log.max_file = 40;
        for n in 0..20 {
            log.write(Stream::Stderr, format!("line {n:02}\n").as_bytes(), at(n)).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["0.log", "0.log.1", "0.log.2", "0.log.3", "0.log.4"]);
        assert!(fs::read_to_string(&path).unwrap().contains("line 19"));
        assert!(fs::read_to_string(rotated(&path, 1)).unwrap().contains("line 18"));
    }

    #[test]
    fn a_reopened_log_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        for word in ["a\n", "b"] {
            let mut log = LogWriter::open(&path).unwrap();
            log.write(Stream::Stdout, word.as_bytes(), at(0)).unwrap();
            log.finish(Stream::Stdout, at(0)).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00Z stdout F a\n1970-01-01T00:00:00Z stdout F b\n");
    }
}
