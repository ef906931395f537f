//! Reads the log of one run from its files, across rotations, as text. Blocking; knows nothing of pods.

use super::LogRequest;
use super::line::Line;
use super::write::Stream;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How much is read from a file at once.
const CHUNK: usize = 64 * 1024;
/// Rotated files that are looked for; writers keep fewer.
const MAX_ROTATED: u32 = 10;
/// A longer line is no log line: it is cut rather than kept in memory whole.
const MAX_LINE: usize = 1 << 20;

/// Which part of a log is wanted, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Each line begins with when it was written.
    pub timestamps: bool,
    /// Only that many last lines.
    pub tail_lines: Option<u64>,
    /// Only this output.
    pub output: Option<Stream>,
    /// No more than that many bytes.
    pub limit_bytes: Option<u64>,
    /// Only lines written at this instant or later.
    pub since: Option<Timestamp>,
}

impl From<&LogRequest> for Options {
    fn from(request: &LogRequest) -> Self {
        Self {
            timestamps: request.timestamps,
            tail_lines: request.tail_lines,
            output: request.output,
            limit_bytes: request.limit_bytes,
            since: request.since,
        }
    }
}

/// What a reader found.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// Some text.
    Text(Bytes),
    /// All there is for now.
    End,
    /// As much as was wanted.
    Enough,
}

/// A position in a log.
pub struct Reader {
    path: PathBuf,
    options: Options,
    /// Oldest first; the last is the one that grows.
    files: VecDeque<Part>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
    remaining: Option<u64>,
    /// Whether stdout's and stderr's last lines were partial.
    in_line: [bool; 2],
    /// The last file is known to be rotated away: it is read to its end once more before the next is opened.
    rotated: bool,
}

struct Part {
    file: File,
    identity: (u64, u64),
}

impl Part {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        Ok(Some(Self { file, identity: (metadata.dev(), metadata.ino()) }))
    }
}

impl Reader {
    /// Opens the log at `path` where `options` want to begin; none if there is none yet.
    pub fn open(path: &Path, options: Options) -> io::Result<Option<Self>> {
        let mut files = parts_newer_than(path, None)?;
        if files.is_empty() {
            return Ok(None);
        }
        if let Some(tail_lines) = options.tail_lines {
            skip_to_tail(&mut files, tail_lines)?;
        }
        Ok(Some(Self {
            path: path.to_owned(),
            remaining: options.limit_bytes,
            options,
            files,
            rest: vec![],
            in_line: [false; 2],
            rotated: false,
        }))
    }

    /// The next text.
    pub fn read(&mut self) -> io::Result<Found> {
        loop {
            if self.remaining == Some(0) {
                return Ok(Found::Enough);
            }
            let Some(part) = self.files.front_mut() else {
                return Ok(Found::End);
            };
            let mut chunk = vec![0; CHUNK];
            let n = part.file.read(&mut chunk)?;
            if 0 < n {
                let text = self.take(&chunk[..n]);
                if text.is_empty() {
                    continue;
                }
                return Ok(Found::Text(text));
            }
            if !self.next_file()? {
                return Ok(Found::End);
            }
        }
    }

    /// At the end of a file: goes on to the next one, if the log has been rotated. Answers whether there may be more to read.
    fn next_file(&mut self) -> io::Result<bool> {
        if 1 < self.files.len() {
            self.files.pop_front();
            return Ok(true);
        }
        if self.rotated {
            let newer = parts_newer_than(&self.path, self.files.front())?;
            self.rotated = false;
            if newer.is_empty() {
                return Ok(false);
            }
            self.files = newer;
            return Ok(true);
        }
        let current = Part::open(&self.path)?;
        let last = self.files.back().map(|part| part.identity);
        self.rotated = current.is_some_and(|current| Some(current.identity) != last);
        Ok(self.rotated)
    }

    /// Turns whole lines of the log into the container's text.
    fn take(&mut self, chunk: &[u8]) -> Bytes {
        let mut text = vec![];
        let mut unread = chunk;
        while let Some(newline) = unread.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&unread[..newline], &unread[newline + 1..]);
            unread = after;
            if self.rest.is_empty() {
                self.add(line, &mut text);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.add(&whole, &mut text);
            }
        }
        if self.rest.len() < MAX_LINE {
            self.rest.extend_from_slice(unread);
        }
        if let Some(remaining) = &mut self.remaining {
            text.truncate(usize::try_from(*remaining).unwrap_or(usize::MAX));
            *remaining -= text.len() as u64;
        }
        text.into()
    }

    fn add(&mut self, line: &[u8], text: &mut Vec<u8>) {
        let Some(line) = Line::parse(line) else {
            return;
        };
        if self.options.output.is_some_and(|output| output != line.stream) {
            return;
        }
        let in_line = &mut self.in_line[line.stream as usize];
        let is_new_line = !*in_line;
        *in_line = line.is_partial;
        if self.options.since.is_some_and(|since| line.is_before(since)) {
            return;
        }
        if self.options.timestamps && is_new_line {
            text.extend_from_slice(line.timestamp.as_bytes());
            text.push(b' ');
        }
        text.extend_from_slice(line.text);
        if !line.is_partial {
            text.push(b'\n');
        }
    }
}

/// The files of a log that are newer than `than`, oldest first. Opened from the newest on, so that a rotation in between shows a
/// file twice (which is noticed) rather than not at all.
fn parts_newer_than(path: &Path, than: Option<&Part>) -> io::Result<VecDeque<Part>> {
    let mut parts: VecDeque<Part> = VecDeque::new();
    for age in 0..=MAX_ROTATED {
        let Some(part) = Part::open(&aged(path, age))? else {
            if age == 0 {
                // Between the two renames of a rotation there is no newest file.
                continue;
            }
            break;
        };
        if than.is_some_and(|than| than.identity == part.identity) {
            break;
        }
        let is_known = parts.iter().any(|known| known.identity == part.identity);
        if !is_known {
            parts.push_front(part);
        }
    }
    Ok(parts)
}

fn aged(path: &Path, age: u32) -> PathBuf {
    if age == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

/// Drops and skips whatever is before the last `lines` lines.
fn skip_to_tail(files: &mut VecDeque<Part>, lines: u64) -> io::Result<()> {
    let mut wanted = lines;
    let mut keep = 0;
    for part in files.iter_mut().rev() {
        keep += 1;
        let (start, found) = tail_start(&mut part.file, wanted)?;
        part.file.seek(SeekFrom::Start(start))?;
        wanted -= found;
        if wanted == 0 {
            break;
        }
    }
    while keep < files.len() {
        files.pop_front();
    }
    Ok(())
}

/// Where the last `wanted` lines of a file begin, and how many of them it has.
fn tail_start(file: &mut File, wanted: u64) -> io::Result<(u64, u64)> {
    let end = file.seek(SeekFrom::End(0))?;
    if wanted == 0 {
        return Ok((end, 0));
    }
    let mut found = 0;
    let mut position = end;
    let mut buffer = vec![0; CHUNK];
    while 0 < position {
        let length = position.min(CHUNK as u64);
        position -= length;
        file.seek(SeekFrom::Start(position))?;
        let chunk = &mut buffer[..usize::try_from(length).unwrap_or(CHUNK)];
        file.read_exact(chunk)?;
        for (index, byte) in chunk.iter().enumerate().rev() {
            let at = position + index as u64;
            // The newline at the very end closes the last line; every earlier one begins a line after it.
            if *byte == b'\n' && at + 1 != end {
                found += 1;
                if found == wanted {
                    return Ok((at + 1, found));
                }
            }
        }
    }
    Ok((0, if end == 0 { found } else { found + 1 }))
}

/// The end of a log for a termination message: 80 lines or 2048 bytes, whichever is less (K: FallbackToLogsOnError).
pub fn last_words(path: &Path) -> String {
    const LINES: u64 = 80;
    const BYTES: usize = 2048;
    let options = Options { tail_lines: Some(LINES), ..Options::default() };
    let Ok(Some(mut reader)) = Reader::open(path, options) else {
        return String::new();
    };
    let mut text = vec![];
    while let Ok(Found::Text(more)) = reader.read() {
        text.extend_from_slice(&more);
        let excess = text.len().saturating_sub(BYTES);
        text.drain(..excess);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
