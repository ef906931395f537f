use super::*;
use serde_json::{Value, json};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn container(probes: Value) -> Container {
    let mut container = json!({"name": "a"});
    container.as_object_mut().unwrap().extend(probes.as_object().unwrap().clone());
    serde_json::from_value(container).unwrap()
}

/// Answers of one probe, `+`, `-` or `?` each, and what holds after each of them.
#[track_caller]
fn check(kind: Kind, probe: Value, answers: &str, expect: &[Option<bool>]) {
    let probe: Probe = serde_json::from_value(probe).unwrap();
    let mut health = Health::default();
    let mut held = vec![];
    for answer in answers.chars() {
        let verdict = match answer {
            '+' => Some(true),
            '-' => Some(false),
            _ => None,
        };
        health.asked(kind, at(0));
        health.answered(kind, &probe, verdict);
        held.push(health.track(kind).holds);
    }
    assert_eq!(held, expect, "{answers}");
}

#[test]
fn what_holds_changes_after_enough_answers_in_a_row() {
    let (yes, no) = (Some(true), Some(false));
    check(Kind::Readiness, json!({}), "+", &[yes]);
    check(Kind::Readiness, json!({}), "---", &[None, None, no]);
    check(Kind::Readiness, json!({"failureThreshold": 0}), "---", &[None, None, no]);
    check(Kind::Readiness, json!({"failureThreshold": 1}), "-+-", &[no, yes, no]);
    check(Kind::Readiness, json!({"failureThreshold": 2}), "+-+--+", &[yes, yes, yes, yes, no, yes]);
    let slow = json!({"successThreshold": 2, "failureThreshold": 1});
    check(Kind::Readiness, slow, "+-++-", &[None, no, no, yes, no]);
    // Questions that could not be asked say nothing and interrupt nothing.
    check(Kind::Liveness, json!({"failureThreshold": 2}), "-?-", &[None, None, no]);
    check(Kind::Liveness, json!({"failureThreshold": 1}), "???", &[None, None, None]);
    check(Kind::Liveness, json!({"failureThreshold": 3}), "--+--", &[None, None, yes, yes, yes]);
}

#[test]
fn a_container_without_probes_has_started_and_is_ready() {
    let health = Health::default();
    let plain = container(json!({}));
    assert!(health.has_started(&plain) && health.is_ready(&plain));
    let alive = container(json!({"livenessProbe": {}}));
    assert!(health.is_ready(&alive));
    assert_eq!(health.due(Kind::Liveness, &plain, at(0), at(0)), Due::Wait);
}

#[test]
fn nothing_else_is_asked_before_the_container_has_started() {
    let probed = container(json!({"startupProbe": {}, "livenessProbe": {}, "readinessProbe": {}}));
    let mut health = Health::default();
    let due = |health: &Health| {
        [Kind::Startup, Kind::Liveness, Kind::Readiness].map(|kind| health.due(kind, &probed, at(0), at(5)))
    };
    assert_eq!(due(&health), [Due::At(at(0)), Due::Wait, Due::Wait]);
    assert!(!health.has_started(&probed) && !health.is_ready(&probed));
    health.asked(Kind::Startup, at(5));
    health.answered(Kind::Startup, probed.startup_probe.as_ref().unwrap(), Some(true));
    assert_eq!(due(&health), [Due::Wait, Due::At(at(0)), Due::At(at(0))]);
    assert!(health.has_started(&probed) && !health.is_ready(&probed));
    health.answered(Kind::Readiness, probed.readiness_probe.as_ref().unwrap(), Some(true));
    assert!(health.is_ready(&probed));
    assert_eq!(health.failed(), None);
}

#[test]
fn probes_are_asked_after_their_delay_and_then_each_period_once_the_last_has_answered() {
    let probed = container(json!({"livenessProbe": {"initialDelaySeconds": 7, "periodSeconds": 5}}));
    let probe = probed.liveness_probe.clone().unwrap();
    let mut health = Health::default();
    let due = |health: &Health, now| health.due(Kind::Liveness, &probed, at(100), at(now));
    assert_eq!(due(&health, 100), Due::At(at(107)));
    health.asked(Kind::Liveness, at(107));
    assert_eq!(due(&health, 107), Due::Wait);
    health.answered(Kind::Liveness, &probe, Some(true));
    assert_eq!(due(&health, 108), Due::At(at(112)));
    // One that took longer than its period is asked again at once.
    assert_eq!(due(&health, 120), Due::At(at(112)));
    let plain = container(json!({"livenessProbe": {"periodSeconds": 0}}));
    assert_eq!(health.due(Kind::Liveness, &plain, at(100), at(108)), Due::At(at(117)));
}

#[test]
fn a_clock_that_was_set_back_puts_probes_off_by_one_period_at_most() {
    let probed = container(json!({"readinessProbe": {"periodSeconds": 5}}));
    let mut health = Health::default();
    health.asked(Kind::Readiness, at(10_000));
    health.answered(Kind::Readiness, probed.readiness_probe.as_ref().unwrap(), Some(true));
    assert_eq!(health.due(Kind::Readiness, &probed, at(9_000), at(100)), Due::At(at(105)));
}

#[test]
fn a_failed_startup_or_liveness_probe_kills_and_readiness_never_does() {
    let probed = container(json!({"startupProbe": {"failureThreshold": 1}, "livenessProbe": {"failureThreshold": 1},
        "readinessProbe": {"failureThreshold": 1}}));
    for (kind, expect) in
        [(Kind::Startup, Some(Kind::Startup)), (Kind::Liveness, Some(Kind::Liveness)), (Kind::Readiness, None)]
    {
        let mut health = Health::default();
        health.answered(kind, kind.of(&probed).unwrap(), Some(false));
        assert_eq!(health.failed(), expect);
    }
}

#[test]
fn what_the_status_says_holds_until_probes_say_otherwise() {
    let probed = container(json!({"startupProbe": {}, "readinessProbe": {"failureThreshold": 2}}));
    let mut health = Health::remembered(true, true);
    assert!(health.is_ready(&probed));
    assert_eq!(health.due(Kind::Startup, &probed, at(0), at(50)), Due::Wait);
    assert_eq!(health.due(Kind::Readiness, &probed, at(0), at(50)), Due::At(at(0)));
    let probe = probed.readiness_probe.clone().unwrap();
    health.answered(Kind::Readiness, &probe, Some(false));
    assert!(health.is_ready(&probed));
    health.answered(Kind::Readiness, &probe, Some(false));
    assert!(!health.is_ready(&probed));
    assert!(!Health::remembered(false, false).has_started(&probed));
}
