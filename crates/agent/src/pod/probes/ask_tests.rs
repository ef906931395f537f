use super::*;
use serde_json::{Value, json};

#[test]
fn ports_are_numbers_names_or_numbers_written_as_text() {
    let container: Container = serde_json::from_value(
        json!({"name": "a", "ports": [{"name": "web", "containerPort": 8080, "hostPort": 80}, {"containerPort": 9}]}),
    )
    .unwrap();
    let resolve = |port: Value| resolve_port(&serde_json::from_value(port).unwrap(), &container);
    assert_eq!(resolve(json!(81)), Ok(81));
    assert_eq!(resolve(json!("web")), Ok(8080));
    assert_eq!(resolve(json!("82")), Ok(82));
    assert_eq!(resolve(json!("http")), Err("strconv.Atoi: parsing \"http\": invalid syntax".into()));
    assert_eq!(resolve(json!("70000")), Err("invalid port number: 70000".into()));
    assert_eq!(resolve(json!(0)), Err("invalid port number: 0".into()));
}

#[test]
fn answers_are_judged_as_the_kubelet_does() {
    let page = |status| judge_page(Ok(http::Page { status, body: "text".into() }));
    for status in [200, 204, 299] {
        assert_eq!(page(status), Answer::Success);
    }
    for status in [300, 302, 304, 399] {
        let text = "Probe terminated redirects, Response body: text";
        assert_eq!(page(status), Answer::Warning(text.into()));
    }
    for status in [100, 199, 400, 404, 500, 599] {
        assert_eq!(page(status), Answer::Failure(format!("HTTP probe failed with statuscode: {status}")));
    }
    assert_eq!(judge_page(Err(Fault::Head("EOF".into()))), Answer::Failure("EOF".into()));
    let broken = judge_page(Err(Fault::Body("EOF".into())));
    assert_eq!(broken, Answer::Error { state: "failure", text: "EOF".into() });
    assert_eq!(broken.verdict(), None);
}

#[test]
fn events_have_the_kubelets_words() {
    use crate::pod::probes::Kind;
    let notice = |answer: Answer| answer.notice(Kind::Readiness);
    assert_eq!(notice(Answer::Success), None);
    let failed = notice(Answer::Failure("no".into()));
    assert_eq!(failed, Some(("Unhealthy", "Readiness probe failed: no".into())));
    let warned = notice(Answer::Warning("hm".into()));
    assert_eq!(warned, Some(("ProbeWarning", "Readiness probe warning: hm".into())));
    let errored = notice(unknown("why".into()));
    let text = "Readiness probe errored and resulted in unknown state: why";
    assert_eq!(errored, Some(("Unhealthy", text.into())));
}
