use super::*;
use serde_json::json;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn run(attempt: u32, state: RunState) -> Run {
    Run { container: "c".into(), attempt, state }
}

fn exited(exit_code: i32, oom_killed: bool) -> RunState {
    RunState::Exited { exit_code, oom_killed, started_at: at(1), finished_at: at(2) }
}

fn running() -> RunState {
    RunState::Running { pid: 1, started_at: at(1) }
}

fn status(value: serde_json::Value) -> Known {
    Known::from_status(&serde_json::from_value(value).unwrap())
}

#[test]
fn ends_get_the_reasons_containerd_gives_them() {
    let reason = |state| {
        let mut known = Known::default();
        assert!(known.observe(&run(0, state)));
        let State::Ended(ended) = known.state else { panic!("still runs") };
        (ended.exit_code, ended.reason)
    };
    assert_eq!(reason(exited(0, false)), (0, "Completed".into()));
    assert_eq!(reason(exited(3, false)), (3, "Error".into()));
    assert_eq!(reason(exited(137, true)), (137, "OOMKilled".into()));
    assert_eq!(reason(RunState::Lost), (137, "ContainerStatusUnknown".into()));
}

#[test]
fn an_end_is_news_only_once_and_is_never_undone() {
    let mut known = Known::default();
    assert!(!known.observe(&run(0, running())));
    assert!(known.observe(&run(0, exited(0, false))));
    assert!(!known.observe(&run(0, exited(0, false))));
    assert!(!known.observe(&run(0, running())));
    assert!(matches!(known.state, State::Ended(_)));
}

#[test]
fn a_restart_remembers_how_the_run_before_ended() {
    let mut known = Known::default();
    known.observe(&run(0, exited(3, false)));
    known.started(1, at(3), at(3));
    assert_eq!(known.attempt(), Some(1));
    assert_eq!(known.last.as_ref().map(|last| last.exit_code), Some(3));
    assert_eq!(known.crash_loop.restarts, 1);
    assert!(!known.observe(&run(0, exited(9, false))), "an older run is no news");
    known.observe(&run(2, running()));
    assert_eq!(known.attempt(), Some(2));
}

#[test]
fn a_container_that_ran_when_the_server_died_is_lost_unless_the_runtime_knows_better() {
    let running_then = json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 2,
        "state": {"running": {"startedAt": "1970-01-01T00:00:01Z"}},
        "lastState": {"terminated": {"exitCode": 4}}});
    let mut known = status(running_then);
    assert_eq!(known.state, State::Ended(Ended::unknown(2)));
    assert_eq!(known.last.as_ref().map(|last| (last.attempt, last.exit_code)), Some((1, 4)));
    assert!(!known.observe(&run(2, running())));
    assert!(matches!(known.state, State::Running { attempt: 2, .. }));
    assert!(known.observe(&run(2, exited(0, false))));
}

#[test]
fn a_container_in_a_crash_loop_goes_on_counting_after_a_restart_of_the_server() {
    let known = status(json!({"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "startedAt": "1970-01-01T00:00:10Z", "finishedAt": "1970-01-01T00:00:20Z"}}}));
    assert_eq!(known.attempt(), Some(3));
    assert_eq!(known.last, None);
    assert_eq!(known.crash_loop.restart_at(at(20)), at(60));
}

#[test]
fn an_absent_image_shows_its_error_then_its_back_off() {
    let image = || Obstacle::Image { image: "nope:1".into(), error: "it is not here".into() };
    let first = Blocked::again(None, image(), at(0));
    assert_eq!(first.retry_at, at(10));
    assert_eq!(first.waiting(at(2)), ("ErrImagePull".into(), "it is not here".into()));
    assert_eq!(
        first.waiting(at(3)),
        ("ImagePullBackOff".into(), "Back-off pulling image \"nope:1\": ErrImagePull: it is not here".into())
    );
    let second = Blocked::again(Some(&first), image(), at(10));
    assert_eq!(second.retry_at, at(30));
}

#[test]
fn the_end_of_a_run_that_was_followed_by_another_unseen_is_asked_for() {
    let newer = |attempt| Run {
        container: "a".into(),
        attempt,
        state: RunState::Running { pid: 1, started_at: Timestamp::UNIX_EPOCH },
    };
    let at = |state| Known { state, ..Known::default() };
    let running = |attempt| at(State::Running { attempt, started_at: Timestamp::UNIX_EPOCH });
    let ended = |attempt| {
        let finished_at = Some(Timestamp::UNIX_EPOCH);
        at(State::Ended(Ended { finished_at, ..Ended::unknown(attempt) }))
    };
    let lost = |attempt| at(State::Ended(Ended::unknown(attempt)));
    for (known, attempt, expect) in [
        (Known::default(), 0, None),
        (Known::default(), 2, Some(1)),
        (running(0), 0, None),
        (running(0), 1, Some(0)),
        (lost(0), 1, Some(0)),
        (lost(0), 3, Some(2)),
        (ended(0), 1, None),
        (ended(0), 2, Some(1)),
        (ended(2), 2, None),
    ] {
        assert_eq!(known.missed_before(&newer(attempt)), expect, "{known:?} {attempt}");
    }
}
