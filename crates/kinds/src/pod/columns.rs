//! Rows of `kubectl get pods`. The status word is pieced together from phase, conditions and containers
//! (K:pkg/printers/internalversion/printers.go, printPod).

use crate::kind::{Column, Row};
use crate::table;
use jiff::Timestamp;
use meta::object;
use serde_json::{Value, json};

pub(super) const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Ready", "How many containers are ready, of how many."),
    table::column("Status", "Where the pod is on its way."),
    table::column("Restarts", "How often containers were restarted, and when last."),
    table::AGE,
    table::wide("IP", "Address of the pod."),
    table::wide("Node", "Node that runs the pod."),
    table::wide("Nominated Node", "Node that will run the pod once others have made room."),
    table::wide("Readiness Gates", "How many conditions for readiness hold, of how many."),
];

pub(super) fn row(pod: &Value, now: Timestamp) -> Row {
    let view = View::of(pod);
    let restarts = match view.last_restart {
        Some(then) if view.n_restarts != 0 => {
            let ago = meta::duration::human(now.duration_since(then));
            format!("{} ({ago} ago)", view.n_restarts)
        }
        _ => view.n_restarts.to_string(),
    };
    let status = &pod["status"];
    let first_ip = &status["podIPs"][0]["ip"];
    let ip = if first_ip.is_null() { &status["podIP"] } else { first_ip };
    let cells = vec![
        table::name(pod),
        format!("{}/{}", view.n_ready, view.n_containers).into(),
        view.status.into(),
        restarts.into(),
        table::age(pod, now),
        table::text_or(ip, "<none>").into(),
        table::text_or(&pod["spec"]["nodeName"], "<none>").into(),
        table::text_or(&status["nominatedNodeName"], "<none>").into(),
        readiness_gates(pod).into(),
    ];
    Row { cells, conditions: completed(phase(pod)) }
}

fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("")
}

/// What a row says of pods that have ended: kubectl can leave them out by it.
fn completed(phase: &str) -> Vec<Value> {
    let message = match phase {
        "Succeeded" => "The pod has completed successfully.",
        "Failed" => "The pod failed.",
        _ => return Vec::new(),
    };
    vec![json!({"type": "Completed", "status": "True", "reason": phase, "message": message})]
}

struct View {
    status: String,
    n_ready: usize,
    n_containers: usize,
    n_restarts: i64,
    last_restart: Option<Timestamp>,
}

impl View {
    fn of(pod: &Value) -> Self {
        let n_sidecars = list(&pod["spec"], "initContainers").filter(|container| is_sidecar(container)).count();
        let mut view = View {
            status: before_containers(pod),
            n_ready: 0,
            n_containers: list(&pod["spec"], "containers").count() + n_sidecars,
            n_restarts: 0,
            last_restart: None,
        };
        let is_initializing = view.look_at_init_containers(pod);
        if !is_initializing || table::has_condition(pod, "Initialized") {
            view.look_at_containers(pod);
        }
        if object::is_being_deleted(pod) {
            let has_ended = matches!(phase(pod), "Succeeded" | "Failed");
            if pod["status"]["reason"] == "NodeLost" {
                view.status = "Unknown".to_owned();
            } else if !has_ended {
                view.status = "Terminating".to_owned();
            }
        }
        view
    }

    /// Whether an init container has the word.
    fn look_at_init_containers(&mut self, pod: &Value) -> bool {
        let specs: Vec<&Value> = list(&pod["spec"], "initContainers").collect();
        for (index, container) in list(&pod["status"], "initContainerStatuses").enumerate() {
            self.count_restarts(container);
            let is_sidecar = specs.iter().any(|spec| spec["name"] == container["name"] && is_sidecar(spec));
            let state = &container["state"];
            let terminated = &state["terminated"];
            if !terminated.is_null() && terminated["exitCode"] == 0 {
                continue;
            }
            if is_sidecar && container["started"] == true {
                self.n_ready += usize::from(container["ready"] == true);
                continue;
            }
            let waiting = table::text_or(&state["waiting"]["reason"], "PodInitializing");
            self.status = if !terminated.is_null() {
                format!("Init:{}", end_of(terminated))
            } else if waiting != "PodInitializing" {
                format!("Init:{waiting}")
            } else {
                format!("Init:{index}/{}", specs.len())
            };
            return true;
        }
        false
    }

    /// The first container that has something to say has the word, so the last is asked first.
    fn look_at_containers(&mut self, pod: &Value) {
        // Only sidecars' restarts still count once initialization is over.
        (self.n_restarts, self.last_restart) = (0, None);
        for spec in list(&pod["spec"], "initContainers").filter(|spec| is_sidecar(spec)) {
            let mut statuses = list(&pod["status"], "initContainerStatuses");
            if let Some(status) = statuses.find(|status| status["name"] == spec["name"]) {
                self.count_restarts(status);
            }
        }
        let mut has_running = false;
        let statuses: Vec<&Value> = list(&pod["status"], "containerStatuses").collect();
        for container in statuses.into_iter().rev() {
            self.count_restarts(container);
            let state = &container["state"];
            let waiting = table::text_or(&state["waiting"]["reason"], "");
            if !waiting.is_empty() {
                self.status = waiting.to_owned();
            } else if !state["terminated"].is_null() {
                self.status = end_of(&state["terminated"]);
            } else if container["ready"] == true && !state["running"].is_null() {
                has_running = true;
                self.n_ready += 1;
            }
        }
        if self.status != "Completed" {
            return;
        }
        // That one is through with its work is not the word while others run, or when another failed.
        let failed = list(&pod["status"], "containerStatuses")
            .map(|container| &container["state"]["terminated"])
            .find(|terminated| terminated["exitCode"].as_i64().unwrap_or(0) != 0);
        if has_running {
            let is_ready = table::has_condition(pod, "Ready");
            self.status = if is_ready { "Running" } else { "NotReady" }.to_owned();
        } else if let Some(terminated) = failed {
            self.status = end_of(terminated);
        }
    }

    fn count_restarts(&mut self, container: &Value) {
        self.n_restarts += container["restartCount"].as_i64().unwrap_or(0);
        let finished = table::instant(&container["lastState"]["terminated"]["finishedAt"]);
        self.last_restart = self.last_restart.max(finished);
    }
}

/// The word before any container has one.
fn before_containers(pod: &Value) -> String {
    let is_gated =
        table::condition(pod, "PodScheduled").is_some_and(|scheduled| scheduled["reason"] == "SchedulingGated");
    if is_gated {
        return "SchedulingGated".to_owned();
    }
    table::text_or(&pod["status"]["reason"], phase(pod)).to_owned()
}

fn end_of(terminated: &Value) -> String {
    let reason = table::text_or(&terminated["reason"], "");
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match terminated["signal"].as_i64().unwrap_or(0) {
        0 => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates: Vec<&str> =
        list(&pod["spec"], "readinessGates").map(|gate| gate["conditionType"].as_str().unwrap_or("")).collect();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let n_true = gates.iter().filter(|gate| table::has_condition(pod, gate)).count();
    format!("{n_true}/{}", gates.len())
}

fn is_sidecar(init_container: &Value) -> bool {
    init_container["restartPolicy"] == "Always"
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[field].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Pod;
    use crate::testing::{cells, now};

    /// Ready, Status, Restarts.
    #[track_caller]
    fn check(spec: Value, status: Value, expect: [&str; 3]) {
        let pod = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
        assert_eq!(cells(&Pod, &pod)[1..4], expect);
    }

    fn two() -> Value {
        json!({"containers": [{"name": "a"}, {"name": "b"}]})
    }
    fn with_init() -> Value {
        json!({"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a"}]})
    }

    #[test]
    fn containers_have_the_word_and_the_first_has_it_before_the_second() {
        let running = json!({"name": "x", "ready": true, "state": {"running": {}}});
        let done = json!({"name": "x", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        let failed = json!({"name": "x", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        let bare = json!({"name": "x", "state": {"terminated": {"exitCode": 3}}});
        let killed = json!({"name": "x", "state": {"terminated": {"exitCode": 137, "signal": 9}}});
        let waiting = json!({"name": "x", "state": {"waiting": {"reason": "ImagePullBackOff"}}});
        let ready = json!([{"type": "Ready", "status": "True"}]);
        for (phase, statuses, conditions, expect) in [
            ("Pending", json!([]), json!([]), ["0/2", "Pending", "0"]),
            ("Running", json!([running, running]), json!([]), ["2/2", "Running", "0"]),
            ("Running", json!([done, running]), json!([]), ["1/2", "NotReady", "0"]),
            ("Running", json!([done, running]), ready, ["1/2", "Running", "0"]),
            ("Running", json!([failed, running]), json!([]), ["1/2", "Error", "0"]),
            ("Succeeded", json!([done, done]), json!([]), ["0/2", "Completed", "0"]),
            ("Failed", json!([failed, done]), json!([]), ["0/2", "Error", "0"]),
            ("Failed", json!([done, failed]), json!([]), ["0/2", "Error", "0"]),
            ("Failed", json!([bare, done]), json!([]), ["0/2", "ExitCode:3", "0"]),
            ("Failed", json!([killed]), json!([]), ["0/2", "Signal:9", "0"]),
            ("Pending", json!([waiting, running]), json!([]), ["1/2", "ImagePullBackOff", "0"]),
        ] {
            check(two(), json!({"phase": phase, "containerStatuses": statuses, "conditions": conditions}), expect);
        }
    }

    #[test]
    fn reasons_of_the_pod_itself_come_before_its_phase() {
        check(two(), json!({"phase": "Failed", "reason": "Evicted"}), ["0/2", "Evicted", "0"]);
        let gated = json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]);
        check(two(), json!({"phase": "Pending", "conditions": gated}), ["0/2", "SchedulingGated", "0"]);
    }

    #[test]
    fn init_containers_have_the_word_until_they_are_done() {
        let init = |state: Value| json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "restartCount": 1, "state": state}]});
        check(with_init(), init(json!({"running": {}})), ["0/2", "Init:0/2", "1"]);
        check(with_init(), init(json!({"waiting": {"reason": "PodInitializing"}})), ["0/2", "Init:0/2", "1"]);
        check(with_init(), init(json!({"waiting": {"reason": "ErrImagePull"}})), ["0/2", "Init:ErrImagePull", "1"]);
        check(with_init(), init(json!({"terminated": {"exitCode": 2}})), ["0/2", "Init:ExitCode:2", "1"]);
        check(with_init(), init(json!({"terminated": {"exitCode": 2, "signal": 6}})), ["0/2", "Init:Signal:6", "1"]);
        check(with_init(), init(json!({"terminated": {"exitCode": 2, "reason": "Error"}})), ["0/2", "Init:Error", "1"]);
    }

    #[test]
    fn sidecars_count_as_containers() {
        let status = json!({"phase": "Running",
            "initContainerStatuses": [
                {"name": "i", "restartCount": 3, "state": {"terminated": {"exitCode": 0}}},
                {"name": "s", "restartCount": 2, "started": true, "ready": true, "state": {"running": {}}}],
            "containerStatuses": [{"name": "a", "ready": true, "restartCount": 1, "state": {"running": {}}}]});
        check(with_init(), status, ["2/2", "Running", "3"]);
    }

    #[test]
    fn restarts_tell_when_the_last_was() {
        let container = json!({"name": "a", "restartCount": 3, "ready": true, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}}});
        check(two(), json!({"phase": "Running", "containerStatuses": [container]}), ["1/2", "Running", "3 (5m ago)"]);
    }

    #[test]
    fn a_pod_being_deleted_is_terminating_until_it_has_ended() {
        let pod = |status: Value| {
            let pod = json!({"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": two(), "status": status});
            cells(&Pod, &pod)[2].clone()
        };
        assert_eq!(pod(json!({"phase": "Running"})), "Terminating");
        assert_eq!(pod(json!({"phase": "Failed"})), "Failed");
        assert_eq!(pod(json!({"phase": "Running", "reason": "NodeLost"})), "Unknown");
    }

    #[test]
    fn wide_columns_and_row_conditions() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "box", "readinessGates": [{"conditionType": "x"}, {"conditionType": "y"}]},
            "status": {"phase": "Succeeded", "podIPs": [{"ip": "10.0.0.2"}], "conditions": [{"type": "x", "status": "True"}]}});
        assert_eq!(cells(&Pod, &pod)[5..], ["10.0.0.2", "box", "<none>", "1/2"]);
        let row = row(&pod, now());
        assert_eq!(row.conditions[0]["reason"], "Succeeded");
        assert_eq!(row.conditions[0]["type"], "Completed");
        let bare = json!({"metadata": {"name": "p"}});
        assert_eq!(cells(&Pod, &bare)[5..], ["<none>", "<none>", "<none>", "<none>"]);
    }
}
