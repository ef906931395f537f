//! Probes against a scripted runtime and scripted ports, in virtual time.

use super::*;
use crate::pod::probes::dial::Wire;
use crate::runtime::fake::Program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Listeners by `HOST:PORT`: what each writes to whoever asks. One that writes nothing never answers.
#[derive(Default)]
pub(super) struct Ports {
    answers: Mutex<BTreeMap<String, String>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Ports {
    pub(super) fn listen(&self, address: &str, answer: &str) {
        self.answers.lock().insert(address.to_owned(), answer.to_owned());
    }

    pub(super) fn close(&self, address: &str) {
        self.answers.lock().remove(address);
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

#[async_trait::async_trait]
impl Dial for Ports {
    async fn dial(&self, host: &str, port: u16) -> std::io::Result<Box<dyn Wire>> {
        let answer = self.answers.lock().get(&format!("{host}:{port}")).cloned();
        let answer = answer.ok_or_else(|| std::io::Error::from_raw_os_error(libc::ECONNREFUSED))?;
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let requests = self.requests.clone();
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match far.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => return,
                }
            }
            requests.lock().push(String::from_utf8(request).unwrap());
            far.write_all(answer.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            if answer.is_empty() {
                let _ = far.read_to_end(&mut rest).await;
            }
        });
        Ok(Box::new(near))
    }
}

pub(super) fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

pub(super) fn container(name: &str, more: Value) -> Value {
    let mut container = json!({"name": name, "image": "demo"});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

pub(super) fn pod_of(policy: &str, more: Value) -> Value {
    json!({"restartPolicy": policy, "containers": [container("a", more)]})
}

pub(super) fn exec(command: &str) -> Value {
    json!({"exec": {"command": command.split(' ').collect::<Vec<_>>()}})
}

pub(super) fn probe(handler: Value, more: Value) -> Value {
    let mut probe = handler;
    probe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    probe
}

/// `COMMAND TAKES CODE`: a program that does just that.
pub(super) fn program(exec: &crate::runtime::Exec) -> Option<Program> {
    let number = |at: usize| exec.command.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    let is_there = exec.command.first().is_some_and(|word| word != "nope");
    is_there.then(|| Program { takes: seconds(number(1)), exit_code: number(2) as i32, output: "out\n".into() })
}

impl World {
    pub(super) fn of(spec: Value, on_stop: OnStop) -> Self {
        let script = Script::Run { acts: vec![Act::Sleep(seconds(1_000))], on_stop };
        let world = World::new(spec, move |_, _| script.clone());
        world.runtime.play_programs(program);
        world
    }

    /// Seconds and commands of the programs executed in a container.
    pub(super) fn executed(&self, container: &str) -> Vec<(i64, String)> {
        let executed = self.runtime.executed().into_iter();
        executed.filter(|(_, of, _)| of == container).map(|(at, _, command)| (at.as_second(), command)).collect()
    }

    pub(super) fn second(&self) -> i64 {
        self.clock.now().as_second()
    }

    pub(super) fn delete(&self, grace_seconds: i64) {
        let at = self.clock.now() + jiff::SignedDuration::from_secs(grace_seconds);
        self.change(|pod| {
            pod["metadata"]["deletionTimestamp"] = json!(at.to_string());
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace_seconds);
        });
    }

    pub(super) fn n_told(&self, text: &str) -> usize {
        self.api.events.lock().iter().filter(|event| event.contains(text)).count()
    }

    pub(super) fn last_status(&self) -> Value {
        self.api.statuses.lock().last().cloned().unwrap()
    }
}

fn ready(status: &PodStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

pub(super) fn restarted(times: i32) -> impl FnMut(&PodStatus) -> bool {
    move |status| status.container_statuses.iter().flatten().any(|container| container.restart_count == times)
}

fn has_run(status: &PodStatus) -> bool {
    is_running(status)
}

#[tokio::test(start_paused = true)]
async fn a_container_that_fails_its_liveness_probe_is_killed_and_restarted_whatever_its_exit_code() {
    let probe = probe(exec("check 0 1"), json!({"periodSeconds": 5, "initialDelaySeconds": 2}));
    let mut world = World::of(pod_of("OnFailure", json!({"livenessProbe": probe})), OnStop::Exit(0));
    let status = world.until(restarted(1)).await;
    // At 2, 7 and 12 seconds.
    assert_eq!(world.second(), 12);
    assert_eq!(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 0);
    world.told("Unhealthy Liveness probe failed: out\n").await;
    world.told("Killing Container a failed liveness probe, will be restarted").await;
    assert_eq!(world.n_told("Unhealthy"), 1, "the others are counted on it");
    world.until(waits_for("CrashLoopBackOff")).await;
    assert_eq!(world.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_must_not_restart_fails_with_its_liveness_probe() {
    let probe = probe(exec("check 0 1"), json!({"failureThreshold": 1}));
    let mut world = World::of(pod_of("Never", json!({"livenessProbe": probe})), OnStop::Exit(143));
    world.end().await;
    assert_eq!(world.last_status()["phase"], "Failed");
    assert_eq!(world.attempts().len(), 1);
    world.told("Killing Container a failed liveness probe").await;
    assert_eq!(world.n_told("will be restarted"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_liveness_probe_has_a_grace_of_its_own() {
    let probe = probe(exec("check 0 1"), json!({"failureThreshold": 1, "terminationGracePeriodSeconds": 7}));
    let mut world = World::of(pod_of("Never", json!({"livenessProbe": probe})), OnStop::Ignore);
    world.end().await;
    assert_eq!(world.second(), 7);
    assert_eq!(world.last_status()["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_takes_too_long_or_is_not_there_is_told() {
    let slow = probe(exec("check 9 0"), json!({"timeoutSeconds": 2, "failureThreshold": 1}));
    let nope = exec("nope");
    let more = json!({"livenessProbe": slow, "readinessProbe": nope});
    let mut world = World::of(pod_of("Never", more), OnStop::Exit(143));
    world.end().await;
    assert_eq!(world.second(), 2);
    world.told("Unhealthy Liveness probe failed: command timed out: \"check 9 0\" timed out after 2s").await;
    world
        .told("Unhealthy Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": executable file not found in $PATH: unknown")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_ready_as_long_as_its_readiness_probe_says_so() {
    let get = json!({"httpGet": {"path": "/healthz?full", "port": "web", "scheme": "HTTP", "host": "10.1.2.3",
        "httpHeaders": [{"name": "X-A", "value": "b"}]}});
    let more = json!({"readinessProbe": probe(get, json!({"failureThreshold": 2})), "ports": [{"name": "web", "containerPort": 8080}]});
    let mut world = World::of(pod_of("Always", more), OnStop::Exit(143));
    let status = world.until(has_run).await;
    assert_eq!(status["containerStatuses"][0]["ready"], false);
    assert_eq!(status["containerStatuses"][0]["started"], true);
    let unready = &status["conditions"][2];
    assert_eq!((&unready["type"], &unready["reason"]), (&json!("Ready"), &json!("ContainersNotReady")));
    let refused = "Unhealthy Readiness probe failed: Get \"http://10.1.2.3:8080/healthz?full\": dial tcp 10.1.2.3:8080: connect: connection refused";
    world.told(refused).await;
    world.network.listen("10.1.2.3:8080", &http("204 No Content", "", ""));
    world.until(ready).await;
    assert_eq!(world.second(), 10);
    let request = world.network.requests().remove(0);
    assert_eq!(
        request,
        "GET /healthz?full HTTP/1.1\r\nX-A: b\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\nHost: 10.1.2.3:8080\r\nConnection: close\r\n\r\n"
    );
    world.network.listen("10.1.2.3:8080", &http("503 Service Unavailable", "", "secret"));
    world.until(|status| !ready(status)).await;
    assert_eq!(world.second(), 30);
    world.told("Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503").await;
    assert_eq!(world.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_on_the_same_host_only() {
    let get = json!({"httpGet": {"path": "/", "port": 80, "host": "10.1.2.3"}});
    let mut world = World::of(pod_of("Always", json!({"readinessProbe": get})), OnStop::Exit(143));
    world.network.listen("10.1.2.3:80", &http("302 Found", "Location: http://10.1.2.3:81/there\r\n", ""));
    world.network.listen("10.1.2.3:81", &http("302 Found", "Location: https://elsewhere/\r\n", "gone"));
    world.until(ready).await;
    world.told("ProbeWarning Readiness probe warning: Probe terminated redirects, Response body: gone").await;
    let requests = world.network.requests();
    assert!(requests[1].starts_with("GET /there HTTP/1.1\r\n"), "{requests:?}");
    world.network.listen("10.1.2.3:81", &http("302 Found", "Location: /there\r\n", ""));
    world.told("Unhealthy Readiness probe failed: Get \"http://10.1.2.3:81/there\": stopped after 10 redirects").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_has_failed() {
    let get = json!({"httpGet": {"path": "/", "port": 80, "host": "10.1.2.3"}});
    let more = json!({"livenessProbe": probe(get, json!({"failureThreshold": 1, "timeoutSeconds": 3}))});
    let mut world = World::of(pod_of("Never", more), OnStop::Exit(143));
    world.network.listen("10.1.2.3:80", "");
    world.end().await;
    assert_eq!(world.second(), 3);
    world.told("Unhealthy Liveness probe failed: Get \"http://10.1.2.3:80/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)").await;
}

#[tokio::test(start_paused = true)]
async fn ports_are_reached_at_the_address_of_the_pod() {
    let tcp = json!({"tcpSocket": {"port": 5432}});
    let mut spec = pod_of("Always", json!({"readinessProbe": probe(tcp, json!({"failureThreshold": 1}))}));
    spec["hostNetwork"] = json!(true);
    let mut world = World::of(spec, OnStop::Exit(143));
    let status = world.until(has_run).await;
    let address = format!("{}:5432", status["podIP"].as_str().unwrap());
    world.told(&format!("Unhealthy Readiness probe failed: dial tcp {address}: connect: connection refused")).await;
    world.network.listen(&address, "");
    world.until(ready).await;
    world.network.close(&address);
    world.until(|status| !ready(status)).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_else_is_asked_before_the_startup_probe_has_succeeded() {
    let startup = probe(exec("start 0 0"), json!({"initialDelaySeconds": 20}));
    let more = json!({"startupProbe": startup, "livenessProbe": exec("live 0 0"), "readinessProbe": exec("ready 0 0")});
    let mut world = World::of(pod_of("Always", more), OnStop::Exit(143));
    let status = world.until(has_run).await;
    assert_eq!((&status["containerStatuses"][0]["started"]), &json!(false));
    world.until(ready).await;
    let expect = [(20, "start 0 0"), (20, "live 0 0"), (20, "ready 0 0")].map(|(at, command)| (at, command.to_owned()));
    assert_eq!(world.executed("a"), expect);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_never_starts_up_is_killed() {
    let startup = probe(exec("start 0 1"), json!({"failureThreshold": 2, "periodSeconds": 3}));
    let more = json!({"startupProbe": startup, "livenessProbe": exec("live 0 0")});
    let mut world = World::of(pod_of("Always", more), OnStop::Exit(143));
    world.until(restarted(1)).await;
    assert_eq!(world.second(), 3);
    world.told("Unhealthy Startup probe failed: out\n").await;
    world.told("Killing Container a failed startup probe, will be restarted").await;
    assert!(world.executed("a").iter().all(|(_, command)| command == "start 0 1"));
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_holds_up_those_after_it_until_it_has_started() {
    let startup = probe(exec("start 0 0"), json!({"initialDelaySeconds": 4}));
    let mut spec = json!({"restartPolicy": "Never", "containers": [container("a", json!({}))]});
    spec["initContainers"] = json!([container("s", json!({"restartPolicy": "Always", "startupProbe": startup}))]);
    let mut world = World::new(spec, |name, _| match name {
        "a" => Script::exit_after(seconds(10), 0),
        _ => Script::exit_after(seconds(1_000), 0),
    });
    world.runtime.play_programs(program);
    let starts = |status: &PodStatus| {
        status
            .init_container_statuses
            .iter()
            .flatten()
            .any(|init| init.state.as_ref().is_some_and(|state| state.running.is_some()))
    };
    let status = world.until(starts).await;
    assert_eq!(status["phase"], "Pending");
    assert_eq!(status["initContainerStatuses"][0]["started"], false);
    assert_eq!(world.attempts(), [("s".to_owned(), 0)]);
    world.until(is_running).await;
    assert_eq!(world.second(), 4);
    world.end().await;
    assert_eq!(world.last_status()["phase"], "Succeeded");
    assert_eq!(world.second(), 14);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_fails_its_liveness_probe_is_restarted() {
    let mut spec = json!({"restartPolicy": "Never", "containers": [container("a", json!({}))]});
    let live = probe(exec("live 0 1"), json!({"failureThreshold": 1, "initialDelaySeconds": 3}));
    spec["initContainers"] = json!([container("s", json!({"restartPolicy": "Always", "livenessProbe": live}))]);
    let mut world = World::new(spec, |name, _| match name {
        "a" => Script::exit_after(seconds(5), 0),
        _ => Script::exit_after(seconds(1_000), 0),
    });
    world.runtime.play_programs(program);
    world.end().await;
    assert_eq!(world.attempts(), [("s".to_owned(), 0), ("a".to_owned(), 0), ("s".to_owned(), 1)]);
    world.told("Killing Init container s failed liveness probe").await;
    assert_eq!(world.last_status()["phase"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_pod_stays_ready_when_the_server_is_killed() {
    let startup = exec("start 0 0");
    let mut world = World::of(
        pod_of("Always", json!({"startupProbe": startup, "readinessProbe": exec("ready 0 0")})),
        OnStop::Exit(143),
    );
    world.until(ready).await;
    let written = world.last_status();
    assert_eq!(written["containerStatuses"][0]["ready"], true);
    world.runtime.play_programs(|_| Some(Program { takes: Duration::ZERO, exit_code: 1, output: String::new() }));
    world.restart().await;
    let status = world.until(has_run).await;
    assert_eq!(status["containerStatuses"][0]["ready"], true);
    assert_eq!(status["containerStatuses"][0]["started"], true);
    world.until(|status| !ready(status)).await;
    assert_eq!(world.second(), 20, "three failures ten seconds apart");
    assert_eq!(world.executed("a").iter().filter(|(_, command)| command.starts_with("start")).count(), 1);
}
