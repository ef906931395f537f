use super::*;
use std::io::Write;

struct Log {
    dir: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("0.log")
    }

    /// Appends `SECOND stream tag text` lines.
    fn write(&self, lines: &[(u32, &str)]) {
        let mut file = File::options().append(true).create(true).open(self.path()).unwrap();
        for (second, rest) in lines {
            writeln!(file, "1970-01-01T00:00:{second:02}Z {rest}").unwrap();
        }
    }

    fn rotate(&self) {
        for age in (0..4).rev() {
            let _ = std::fs::rename(aged(&self.path(), age), aged(&self.path(), age + 1));
        }
    }

    fn read(&self, options: Options) -> String {
        all(&mut Reader::open(&self.path(), options).unwrap().unwrap())
    }
}

fn all(reader: &mut Reader) -> String {
    let mut text = vec![];
    while let Found::Text(more) = reader.read().unwrap() {
        text.extend_from_slice(&more);
    }
    String::from_utf8(text).unwrap()
}

fn tail(lines: u64) -> Options {
    Options { tail_lines: Some(lines), ..Options::default() }
}

#[test]
fn lines_of_both_streams_in_order_and_partial_ones_joined() {
    let log = Log::new();
    log.write(&[(1, "stdout F one"), (2, "stderr F two"), (3, "stdout P thr"), (4, "stdout F ee")]);
    assert_eq!(log.read(Options::default()), "one\ntwo\nthree\n");
    let with_timestamps = Options { timestamps: true, ..Options::default() };
    assert_eq!(
        log.read(with_timestamps),
        "1970-01-01T00:00:01Z one\n1970-01-01T00:00:02Z two\n1970-01-01T00:00:03Z three\n"
    );
}

#[test]
fn what_is_no_log_line_is_skipped() {
    let log = Log::new();
    std::fs::write(log.path(), "garbage\n\n\u{0}\n").unwrap();
    log.write(&[(1, "stdout F one")]);
    assert_eq!(log.read(Options::default()), "one\n");
}

#[test]
fn since_tail_and_limit() {
    let log = Log::new();
    log.write(&[(1, "stdout F a"), (2, "stdout F b"), (3, "stdout F c")]);
    let since = Options { since: Timestamp::from_second(2).ok(), ..Options::default() };
    assert_eq!(log.read(since), "b\nc\n");
    for (lines, expect) in [(0, ""), (1, "c\n"), (3, "a\nb\nc\n"), (9, "a\nb\nc\n")] {
        assert_eq!(log.read(tail(lines)), expect);
    }
    for (bytes, expect) in [(0, ""), (3, "a\nb"), (100, "a\nb\nc\n")] {
        let limit = Options { limit_bytes: Some(bytes), ..Options::default() };
        assert_eq!(log.read(limit), expect);
    }
}

#[test]
fn one_output_alone() {
    let log = Log::new();
    log.write(&[(1, "stdout P a"), (2, "stderr F b"), (3, "stdout F c")]);
    let only = |output| Options { output: Some(output), ..Options::default() };
    assert_eq!(log.read(only(Stream::Stdout)), "ac\n");
    assert_eq!(log.read(only(Stream::Stderr)), "b\n");
}

#[test]
fn rotated_files_are_read_oldest_first() {
    let log = Log::new();
    for (second, line) in [(1, "stdout F a"), (2, "stdout F b"), (3, "stdout F c")] {
        log.rotate();
        log.write(&[(second, line)]);
    }
    assert_eq!(log.read(Options::default()), "a\nb\nc\n");
    assert_eq!(log.read(tail(2)), "b\nc\n");
}

#[test]
fn long_logs_are_read_whole_and_from_the_tail() {
    let log = Log::new();
    let text = format!("stdout F {}", "x".repeat(16 * 1024));
    let lines: Vec<(u32, &str)> = (0..30).map(|second| (second, text.as_str())).collect();
    log.write(&lines);
    assert_eq!(log.read(Options::default()).lines().count(), 30);
    assert_eq!(log.read(tail(12)).lines().count(), 12);
}

#[test]
fn a_reader_follows_across_rotations_and_loses_nothing() {
    let log = Log::new();
    log.write(&[(1, "stdout F a")]);
    let mut reader = Reader::open(&log.path(), Options::default()).unwrap().unwrap();
    assert_eq!(all(&mut reader), "a\n");
    log.write(&[(2, "stdout F b")]);
    log.rotate();
    log.write(&[(3, "stdout F c")]);
    log.rotate();
    log.write(&[(4, "stdout F d")]);
    assert_eq!(all(&mut reader), "b\nc\nd\n");
    assert_eq!(reader.read().unwrap(), Found::End);
    log.write(&[(5, "stdout F e")]);
    assert_eq!(all(&mut reader), "e\n");
}

#[test]
fn half_a_line_is_not_shown_before_its_end_is_there() {
    let log = Log::new();
    std::fs::write(log.path(), "1970-01-01T00:00:01Z stdout F ha").unwrap();
    let mut reader = Reader::open(&log.path(), Options::default()).unwrap().unwrap();
    assert_eq!(all(&mut reader), "");
    let mut file = File::options().append(true).open(log.path()).unwrap();
    file.write_all(b"lf\n").unwrap();
    assert_eq!(all(&mut reader), "half\n");
}

#[test]
fn there_may_be_no_log_yet() {
    assert!(Reader::open(&Log::new().path(), Options::default()).unwrap().is_none());
}

#[test]
fn last_words_are_the_last_2048_bytes() {
    let log = Log::new();
    let line = format!("stdout F {}", "x".repeat(99));
    log.write(&vec![(1, line.as_str()); 100]);
    assert_eq!(last_words(&log.path()).len(), 2048);
    assert_eq!(last_words(Path::new("/nonexistent/0.log")), "");
}
