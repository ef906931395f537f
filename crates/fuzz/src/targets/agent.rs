//! Image archives, log files, what a supervisor is told.

use super::{OBJECT_WORDS, texts};
use crate::{Shape, Signal, Target};
use agent::dns::answer::{self, Reply, Transport};
use agent::dns::facts::ServiceFacts;
use agent::dns::names::Names;
use agent::images::ImageStore;
use agent::logs::line::Line;
use agent::logs::read::{Found, Options, Reader};
use agent::network::Range;
use std::path::PathBuf;

pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "image_archive",
        shape: Shape::Bytes,
        seeds: archives,
        words: &[
            "manifest.json",
            "index.json",
            "oci-layout",
            "../x",
            "/etc/passwd",
            "ustar\u{0}00",
            ".wh.",
            "layer.tar",
            "0000644\u{0}",
            "77777777777",
        ],
        run: |input| import(input, false),
    },
    Target {
        name: "root_archive",
        shape: Shape::Bytes,
        seeds: archives,
        words: &["../x", "/x", "a/../../b", ".wh..wh..opq", "ustar\u{0}00", "./", "1", "2", "5", "x", "L"],
        run: |input| import(input, true),
    },
    Target {
        name: "image_reference",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "busybox",
                "docker.io/library/busybox:1.36",
                "localhost:5000/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "kiln/demo",
            ])
        },
        words: &[":", "/", "@", "sha256:", ".", "-", "__", "localhost", "[::1]:5000/"],
        run: |input| match std::str::from_utf8(input) {
            Ok(text) => Signal::result(&agent::images::reference::parse(text), |name| format!("{name:?}").len()),
            Err(_) => Signal::of("no text"),
        },
    },
    Target {
        name: "dns_question",
        shape: Shape::Bytes,
        seeds: || {
            let question =
                |name: &[u8], end: &[u8]| [b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", name, end].concat();
            let name = b"\x02db\x01n\x03svc\x07cluster\x05local\x00";
            let alias = b"\x03out\x01n\x03svc\x07cluster\x05local\x00";
            vec![
                question(name, b"\x00\x01\x00\x01"),
                question(alias, b"\x00\x1c\x00\x01"),
                question(b"\x017\x014\x03200\x0210\x07in-addr\x04arpa\x00", b"\x00\x0c\x00\x01"),
            ]
        },
        words: &[
            "\u{4}_sql\u{4}_tcp",
            "\u{7}cluster\u{5}local\u{0}",
            "\u{4}host\u{4}kiln\u{8}internal",
            "\u{3}pod",
            "\u{0}\u{29}",
        ],
        run: dns_question,
    },
    Target {
        name: "log_file",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "2026-01-02T03:04:05.678901234Z stdout F hello\n2026-01-02T03:04:06Z stderr P part\n2026-01-02T03:04:06Z stderr F end\n",
                "junk\n\n2026-01-02T03:04:05Z stdout F:x y\n",
            ])
        },
        words: &[" stdout ", " stderr ", " F ", " P ", "\n", "2026-01-02T03:04:05Z", "9999-99-99T00:00:00Z"],
        run: log_file,
    },
    Target {
        name: "supervisor_frame",
        shape: Shape::Bytes,
        seeds: || {
            let frame =
                |json: &str| [&u32::try_from(json.len()).unwrap_or(0).to_le_bytes()[..], json.as_bytes()].concat();
            vec![
                frame(r#"{"id":1,"call":"Subscribe"}"#),
                frame(r#"{"id":2,"call":{"Stop":{"container":"c","grace_seconds":3}}}"#),
                frame(r#"{"Reply":{"id":1,"result":{"Ok":{"started_at":null}}}}"#),
                frame(r#"{"Runs":[]}"#),
            ]
        },
        words: OBJECT_WORDS,
        run: |input| Signal::of(&agent::supervisor::fuzz_frames(input)),
    },
];

thread_local! {
    /// In memory where there is such a place; gone with the run.
    static SCRATCH: tempfile::TempDir =
        tempfile::tempdir_in(crate::drive::fast_directory()).expect("there is room for temporary files");
}

fn scratch() -> PathBuf {
    SCRATCH.with(|dir| dir.path().to_owned())
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap_or(0));
        header.set_mode(0o644);
        let added = builder.append_data(&mut header, name, *content);
        added.expect("a small archive can be made");
    }
    builder.into_inner().expect("a small archive can be made")
}

fn archives() -> Vec<Vec<u8>> {
    let layer = tar(&[("etc/hello", b"hello\n"), ("bin/x", b"#!"), ("etc/.wh.gone", b"")]);
    let config = br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#;
    vec![
        tar(&[
            ("manifest.json", br#"[{"Config":"c.json","RepoTags":["a:b"],"Layers":["l.tar"]}]"#),
            ("c.json", config),
            ("l.tar", &layer),
        ]),
        tar(&[
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
            ("index.json", br#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:00","size":2}]}"#),
        ]),
        layer,
    ]
}

/// Makes the headers' checksums right again, or every mangled archive would end at its first one.
fn with_checksums(mut archive: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + 512).filter(|header| header.iter().any(|byte| *byte != 0)) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let digits = format!("{sum:06o}\0 ");
        header[148..156].copy_from_slice(&digits.as_bytes()[..8]);
        let size = std::str::from_utf8(&header[124..135]).ok().and_then(|text| usize::from_str_radix(text, 8).ok());
        let n_blocks = size.unwrap_or(0).div_ceil(512);
        at = at.saturating_add(512).saturating_add(n_blocks.saturating_mul(512));
    }
    archive
}

fn import(input: &[u8], is_root: bool) -> Signal {
    let dir = scratch();
    let archive = dir.join("archive.tar");
    let input = if input.len().is_multiple_of(7) { input.to_vec() } else { with_checksums(input.to_vec()) };
    if std::fs::write(&archive, input).is_err() {
        return Signal::of("no file");
    }
    let images = dir.join("images");
    let Ok(store) = ImageStore::open(&images) else { return Signal::of("no store") };
    let result = match is_root {
        true => store.import_rootfs(&archive, "fuzz/root").map(|()| Vec::new()),
        false => store.import(&archive, Some("fuzz/image")),
    };
    let text = result.as_ref().map_or_else(ToString::to_string, |names| names.join(" "));
    let _ = std::fs::remove_dir_all(&images);
    Signal::of(&text)
}

fn log_file(input: &[u8]) -> Signal {
    for line in input.split(|byte| *byte == b'\n') {
        if let Some(line) = Line::parse(line) {
            line.is_before(jiff::Timestamp::UNIX_EPOCH);
        }
    }
    let path = scratch().join("0.log");
    if std::fs::write(&path, input).is_err() {
        return Signal::of("no file");
    }
    let mut lengths = Vec::new();
    for options in [
        Options::default(),
        Options { timestamps: true, tail_lines: Some(2), ..Options::default() },
        Options { limit_bytes: Some(7), since: Some(jiff::Timestamp::UNIX_EPOCH), ..Options::default() },
    ] {
        let limit = options.limit_bytes;
        let mut n_bytes = 0;
        if let Ok(Some(mut reader)) = Reader::open(&path, options) {
            for _ in 0..10_000 {
                match reader.read() {
                    Ok(Found::Text(text)) => n_bytes += text.len(),
                    Ok(Found::End | Found::Enough) | Err(_) => break,
                }
            }
        }
        if let Some(limit) = limit {
            assert!(u64::try_from(n_bytes).unwrap_or(0) <= limit, "{n_bytes} bytes where {limit} were wanted");
        }
        lengths.push(n_bytes.checked_ilog2());
    }
    agent::logs::last_words(&path);
    Signal::hash(lengths)
}

/// Answers the packet, and takes it for the answer of a resolver too.
fn dns_question(input: &[u8]) -> Signal {
    let mut names = Names::new(Range::of([10, 200, 4, 0].into(), 22));
    let service = |name: &str, spec: serde_json::Value| {
        let service = serde_json::json!({"metadata": {"namespace": "n", "name": name}, "spec": spec});
        serde_json::from_value(service).map(|service| ServiceFacts::of(&service)).expect("it is a Service")
    };
    names.set_services([
        service("db", serde_json::json!({"selector": {"a": "b"}, "ports": [{"name": "sql", "port": 1}]})),
        service("out", serde_json::json!({"type": "ExternalName", "externalName": "example.org"})),
    ]);
    let mut signals = Vec::new();
    for transport in [Transport::Udp, Transport::Tcp] {
        let reply = answer::answer(&names, input, transport);
        signals.push(match &reply {
            Reply::Bytes(bytes) => bytes.get(3).copied().unwrap_or_default(),
            Reply::Silence => 100,
            Reply::Forward => 101,
            Reply::Follow { question, aliases } => {
                let joined = answer::finish(input, aliases, question, transport);
                assert!(joined.is_some(), "a question that can be followed can be answered");
                102
            }
        });
        let limit = if transport == Transport::Udp { 1_232 } else { usize::from(u16::MAX) };
        assert!(!matches!(&reply, Reply::Bytes(bytes) if limit < bytes.len()), "an answer has to fit");
        let aliases = [("a.b".to_owned(), "c.d".to_owned())];
        let _ = (answer::finish(input, &aliases, input, transport), answer::unavailable(input));
    }
    Signal::hash(signals)
}
