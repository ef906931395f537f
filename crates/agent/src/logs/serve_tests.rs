use super::*;
use serde_json::{Value, json};

fn ask(previous: bool, container: Value) -> Result<u32, String> {
    let mut container = container;
    for (field, value) in [("name", json!("c")), ("image", json!("")), ("imageID", json!("")), ("ready", json!(false))]
    {
        container[field] = value;
    }
    let status = serde_json::from_value(json!({"containerStatuses": [container]})).unwrap();
    let request = LogRequest { pod: "p".into(), container: "c".into(), previous, ..LogRequest::default() };
    attempt(&request, &status)
}

#[test]
fn the_newest_run_is_meant_or_the_one_before() {
    let ended = || json!({"terminated": {"exitCode": 1}});
    let running = || json!({"running": {}});
    let looping = || json!({"waiting": {"reason": "CrashLoopBackOff"}});
    for (restarts, state, last, newest, previous) in [
        (0, running(), json!(null), 0, None),
        (0, ended(), json!(null), 0, None),
        (2, running(), ended(), 2, Some(1)),
        (2, ended(), ended(), 2, Some(1)),
        (2, looping(), ended(), 2, Some(2)),
    ] {
        let status = json!({"restartCount": restarts, "state": state, "lastState": last});
        assert_eq!(ask(false, status.clone()).unwrap(), newest);
        match previous {
            Some(previous) => assert_eq!(ask(true, status).unwrap(), previous),
            None => {
                assert_eq!(ask(true, status).unwrap_err(), "previous terminated container \"c\" in pod \"p\" not found")
            }
        }
    }
}

#[test]
fn a_container_that_has_not_begun_says_why() {
    let why =
        |reason: &str| ask(false, json!({"restartCount": 0, "state": {"waiting": {"reason": reason}}})).unwrap_err();
    let begin = "container \"c\" in pod \"p\" is waiting to start: ";
    for (reason, text) in [
        ("ContainerCreating", "ContainerCreating"),
        ("PodInitializing", "PodInitializing"),
        ("ErrImagePull", "image can't be pulled"),
        ("ImagePullBackOff", "trying and failing to pull image"),
    ] {
        assert_eq!(why(reason), format!("{begin}{text}"));
    }
    assert_eq!(ask(false, json!({"restartCount": 0})).unwrap_err(), format!("{begin}ContainerCreating"));
}

#[tokio::test]
async fn following_ends_with_the_run_and_misses_nothing_written_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.log");
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let end = async move {
        let _ = end.await;
    };
    let mut text = stream(path.clone(), Options::default(), Some(Box::pin(end)));
    let write = |line: &str| {
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).create(true).open(&path).unwrap();
        writeln!(file, "1970-01-01T00:00:01Z stdout F {line}").unwrap();
    };
    write("a");
    assert_eq!(text.next().await.unwrap().unwrap(), "a\n");
    write("b");
    ended.send(()).unwrap();
    let mut rest = vec![];
    while let Some(more) = text.next().await {
        rest.extend_from_slice(&more.unwrap());
    }
    assert_eq!(rest, b"b\n");
}

#[tokio::test]
async fn without_following_the_text_ends_where_the_file_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = stream(dir.path().join("none.log"), Options::default(), None);
    assert!(text.next().await.is_none());
}
