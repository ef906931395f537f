//! Bodies against the schema, every kind's pure functions, schedules.

use super::{OBJECT_WORDS, json_examples, texts};
use crate::{Shape, Signal, Target};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kinds::check::{Circumstances, Lines, Manifest};
use kinds::schema::{self, Strictness};
use serde_json::{Value, json};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "schema", shape: Shape::Json, seeds: bodies, words: OBJECT_WORDS, run: decode },
    Target { name: "kinds", shape: Shape::Json, seeds: bodies, words: OBJECT_WORDS, run: life },
    Target { name: "check", shape: Shape::Json, seeds: bodies, words: OBJECT_WORDS, run: look },
    Target {
        name: "schedule",
        shape: Shape::Bytes,
        seeds: || {
            texts(&[
                "* * * * *",
                "*/5 0-23/2 1,15 jan-dec ?",
                "@daily",
                "@every 1h30m",
                "TZ=Europe/Zurich 30 2 * * sun",
                "CRON_TZ=UTC 0 0 29 2 *",
            ])
        },
        words: &[
            "*",
            "/",
            "-",
            ",",
            "?",
            "@every ",
            "@hourly",
            "TZ=",
            "CRON_TZ=",
            "Asia/Tokyo",
            "mon",
            "dec",
            "L",
            "60",
            "\t",
        ],
        run: schedule,
    },
];

fn bodies() -> Vec<Vec<u8>> {
    let mut bodies = json_examples();
    bodies.extend(texts(&[
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"500m"}},"ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":"http"}}}]},"status":{"phase":"Running","containerStatuses":[{"name":"c","state":{"terminated":{"exitCode":3}}}]}}"#,
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"type":"Opaque","data":{"a":"YQ=="},"stringData":{"b":"c"}}"#,
        r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"a"},"reason":"r","count":3,"firstTimestamp":"2026-01-01T00:00:00Z","lastTimestamp":"2026-01-01T00:00:01Z"}"#,
        r#"{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}"#,
        r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j"},"spec":{"completions":3,"completionMode":"Indexed","podFailurePolicy":{"rules":[{"action":"FailJob","onExitCodes":{"operator":"In","values":[1]}}]},"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"m","image":"i"}]}}},"status":{"active":1,"conditions":[{"type":"Complete","status":"True"}]}}"#,
    ]));
    bodies
}

fn kind_of(body: &[u8]) -> &'static dyn kinds::Kind {
    // The body says which kind it is tried as, and any body is tried as some.
    let sum = body.iter().take(64).fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let named = serde_json::from_slice::<Value>(body).ok().and_then(|value| value["kind"].as_str().map(String::from));
    let named = kinds::KINDS.iter().find(|kind| Some(kind.names().kind) == named.as_deref());
    *named.unwrap_or(&kinds::KINDS[sum % kinds::KINDS.len()])
}

fn decode(input: &[u8]) -> Signal {
    let Some(ty) = schema::lookup(kind_of(input).type_name()) else { return Signal::of("no type") };
    let strict = schema::decode(input, ty, Strictness::Strict);
    if let Ok(decoded) = &strict {
        let text = decoded.object.to_string();
        let again = schema::decode(text.as_bytes(), ty, Strictness::Strict);
        let again = again.unwrap_or_else(|error| panic!("{text} is not read again: {error}"));
        assert_eq!(again.object, decoded.object, "what was read is read as the same");
        assert!(again.complaints.is_empty(), "{:?} of {text}", again.complaints);
    }
    Signal::result(&strict, |decoded| (decoded.complaints.len(), decoded.object.to_string().len().checked_ilog2()))
}

/// What a server does with an object of a kind, one pure function after the other.
fn life(input: &[u8]) -> Signal {
    let kind = kind_of(input);
    let Some(ty) = schema::lookup(kind.type_name()) else { return Signal::of("no type") };
    let Ok(decoded) = schema::decode(input, ty, Strictness::Ignore) else { return Signal::of("not decoded") };
    let mut object = decoded.object;
    if !object.is_object() {
        return Signal::of("not an object");
    }
    kind.default(&mut object);
    let once = object.clone();
    kind.default(&mut object);
    assert_eq!(object, once, "defaults of {} are idempotent", kind.names().kind);
    kind.prepare_create(&mut object);
    let mut errors = kind.validate(&object);
    kind.warnings(&object);
    let mut changed = object.clone();
    for part in [kinds::Part::Spec, kinds::Part::Status] {
        kind.prepare_update(&mut changed, &once, part);
        kind.note_edit(&mut changed, &once, Timestamp::UNIX_EPOCH);
        errors.extend(kind.validate_update(&changed, &once, part));
    }
    kind.selectable_fields(&object);
    let row = kind.row(&object, Timestamp::UNIX_EPOCH);
    assert_eq!(row.cells.len(), kind.columns().len());
    kind.deletion(&object, Some(-1));
    kind.deletion_refusal(&object);
    kind.holds_deletion(&object);
    kind.mark_deleted(&mut changed);
    let mut stored = object.clone();
    kind.to_storage(&mut stored);
    kind.from_storage(&mut stored);
    let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Signal::of(&words.join(" "))
}

/// What would go wrong with it, beside an object that makes what others name.
fn look(input: &[u8]) -> Signal {
    let Ok(object) = serde_json::from_slice::<Value>(input) else { return Signal::of("no JSON") };
    let beside =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "date > /data/a/b"}});
    let manifest = |(index, object): (usize, Value)| Manifest {
        file: "x".to_owned(),
        document: index + 1,
        object,
        lines: Lines::default(),
        repeated: Vec::new(),
    };
    let manifests: Vec<Manifest> = [object.clone(), beside, object].into_iter().enumerate().map(manifest).collect();
    let circumstances = Circumstances {
        now: Timestamp::UNIX_EPOCH,
        local: TimeZone::UTC,
        namespace: "default".to_owned(),
        is_complete: true,
    };
    let findings = kinds::check::findings(&manifests, &circumstances);
    let words: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
    Signal::of(&words.join(" "))
}

fn schedule(input: &[u8]) -> Signal {
    let Ok(text) = std::str::from_utf8(input) else { return Signal::of("no text") };
    let parsed = text.parse::<kinds::cronjob::schedule::Schedule>();
    Signal::result(&parsed, |schedule| format!("{schedule:?}").len())
}
