//! The worker against a scripted runtime and a few lines of API server, in virtual time.

#[path = "errands_tests.rs"]
mod errands;
#[path = "hooks_tests.rs"]
mod hooks;

use super::super::probes::dial::Dial;
use super::super::watch::STARTS_AT_ONCE;
use super::*;
use crate::node::Machine;
use crate::runtime::Runtime as _;
use crate::runtime::fake::{Act, FakeImages, FakeRuntime, OnStop, Script};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use meta::clock::Clock;
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::atomic::AtomicBool;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A wall clock that goes as tokio's virtual time does.
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let seconds = self.0.elapsed();
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(seconds).unwrap()
    }
}

/// As much of an API server as one pod needs.
#[derive(Default)]
pub(in crate::pod) struct Api {
    pub(in crate::pod) pod: Mutex<Value>,
    config_maps: Mutex<BTreeMap<String, Value>>,
    /// Each status that was written.
    pub(in crate::pod) statuses: Mutex<Vec<Value>>,
    /// `REASON MESSAGE` of each event.
    events: Mutex<Vec<String>>,
    pub(in crate::pod) deletions: Mutex<Vec<Value>>,
}

impl Api {
    fn answer(&self, method: &Method, path: &str, body: &Value) -> Result<Value, StatusCode> {
        let last = path.rsplit('/').next().unwrap_or("");
        if path.ends_with("/events") {
            let text = |field: &str| body[field].as_str().unwrap_or("").to_owned();
            self.events.lock().push(format!("{} {}", text("reason"), text("message")));
            return Ok(body.clone());
        }
        if path.contains("/events/") {
            return Ok(json!({"metadata": {"name": last}, "involvedObject": {}}));
        }
        if path.contains("/configmaps/") {
            return self.config_maps.lock().get(last).cloned().ok_or(StatusCode::NOT_FOUND);
        }
        match *method {
            Method::PATCH => {
                let mut pod = self.pod.lock();
                pod["status"] = body["status"].clone();
                self.statuses.lock().push(body["status"].clone());
                Ok(pod.clone())
            }
            Method::DELETE => {
                self.deletions.lock().push(body.clone());
                Ok(json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}}))
            }
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn client(self: Arc<Self>) -> kube::Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = self.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let (code, answer) = match api.answer(&head.method, head.uri.path(), &body) {
                    Ok(answer) => (StatusCode::OK, answer),
                    Err(code) => (
                        code,
                        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                        "metadata": {}, "message": "no", "reason": "NotFound", "code": code.as_u16()}),
                    ),
                };
                let body = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        kube::Client::new(service, "default")
    }
}

/// A pod, the machine it runs on, and its worker.
pub(in crate::pod) struct World {
    pub(in crate::pod) api: Arc<Api>,
    pub(in crate::pod) runtime: FakeRuntime,
    images: Arc<FakeImages>,
    network: Arc<errands::Ports>,
    pub(in crate::pod) dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    latest: watch::Sender<Latest>,
    live: watch::Receiver<PodStatus>,
    worker: Option<JoinHandle<Outcome>>,
}

fn latest(pod: &Value) -> Latest {
    Latest {
        pod: Arc::new(serde_json::from_value(pod.clone()).unwrap()),
        is_gone: false,
        server_ends: false,
        n_source_changes: 0,
    }
}

impl World {
    pub(in crate::pod) fn without_worker(
        spec: Value,
        scripts: impl Fn(&str, u32) -> Script + Send + Sync + 'static,
    ) -> Self {
        let pod = json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec});
        let clock = Arc::new(TestClock(Instant::now()));
        let runtime = FakeRuntime::new(clock.clone(), move |_, container| scripts(&container.name, container.attempt));
        let (latest, _) = watch::channel(latest(&pod));
        Self {
            api: Arc::new(Api { pod: Mutex::new(pod), ..Api::default() }),
            runtime,
            images: Arc::default(),
            network: Arc::default(),
            dir: tempfile::tempdir().unwrap(),
            clock,
            latest,
            live: watch::channel(PodStatus::default()).1,
            worker: None,
        }
    }

    fn new(spec: Value, scripts: impl Fn(&str, u32) -> Script + Send + Sync + 'static) -> Self {
        let mut world = Self::without_worker(spec, scripts);
        world.begin(None);
        world
    }

    /// What a server that starts now gives its workers.
    pub(in crate::pod) fn context(&self) -> Arc<Context> {
        let client = self.api.clone().client();
        let (recorder, poster) = crate::events::channel(client.clone(), "node".into());
        let context = Arc::new(Context {
            network: Arc::new(crate::network::Alone),
            names: None,
            api_address: None,
            client,
            clock: self.clock.clone(),
            runtime: Arc::new(self.runtime.clone()),
            handlers: crate::runtime::Handlers::new([("runc".to_owned(), "/bin/runc".into())]),
            images: self.images.clone() as Arc<dyn super::super::Images>,
            recorder,
            dial: self.network.clone() as Arc<dyn Dial>,
            machine: Machine::read(self.dir.path()),
            node_name: "node".into(),
            state_dir: self.dir.path().join("agent"),
            log_dir: self.dir.path().join("logs"),
            volume_dir: self.dir.path().join("volumes"),
            seccomp_dir: self.dir.path().join("seccomp"),
            pod_max_pids: None,
            pods_die_with_server: false,
            pods_end: AtomicBool::new(false),
            starts: Semaphore::new(STARTS_AT_ONCE),
            live: Mutex::default(),
        });
        tokio::spawn(poster.run());
        context
    }

    fn begin(&mut self, sandbox: Option<Arc<dyn PodSandbox>>) {
        let context = self.context();
        let (live, statuses) = watch::channel(PodStatus::default());
        self.live = statuses;
        let worker = Worker::new(context, self.latest.subscribe(), sandbox, live);
        self.worker = Some(tokio::spawn(worker.run()));
    }

    /// The server is killed and started again.
    async fn restart(&mut self) {
        let worker = self.worker.take().unwrap();
        worker.abort();
        let _ = worker.await;
        self.latest.send_replace(latest(&self.api.pod.lock().clone()));
        let sandbox = self.runtime.recover().await.pop();
        self.begin(sandbox);
    }

    async fn end(&mut self) -> Outcome {
        self.worker.take().unwrap().await.unwrap()
    }

    /// Waits for a status of which this holds.
    async fn until(&mut self, holds: impl FnMut(&PodStatus) -> bool) -> Value {
        let status = self.live.wait_for(holds).await.unwrap().clone();
        serde_json::to_value(status).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut pod = self.api.pod.lock();
        change(&mut pod);
        self.latest.send_replace(latest(&pod));
    }

    /// Phases written, in order.
    fn phases(&self) -> Vec<String> {
        let statuses = self.api.statuses.lock();
        statuses.iter().map(|status| status["phase"].as_str().unwrap().to_owned()).collect()
    }

    fn attempts(&self) -> Vec<(String, u32)> {
        let started = self.runtime.started();
        started.into_iter().map(|(_, container, attempt)| (container, attempt)).collect()
    }

    fn left_over(&self) -> Vec<String> {
        let dirs = std::fs::read_dir(self.dir.path().join("agent/pods"));
        dirs.into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .chain(self.runtime.sandboxes())
            .collect()
    }

    /// Waits until an event of this text has been posted.
    async fn told(&self, text: &str) {
        while !self.api.events.lock().iter().any(|event| event.contains(text)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn one(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a", "image": "demo"}]})
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_running(status: &PodStatus) -> bool {
    status.phase.as_deref() == Some("Running")
}

fn waits_for(reason: &'static str) -> impl FnMut(&PodStatus) -> bool {
    move |status| {
        let first = status.container_statuses.iter().flatten().next();
        let waiting = first.and_then(|first| first.state.as_ref()?.waiting.as_ref());
        waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some(reason))
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_runs_to_its_end_with_two_writes_and_leaves_nothing_but_its_log() {
    let mut world =
        World::new(one("Never"), |_, _| Script::of(vec![Act::Print("hello".into()), Act::Sleep(seconds(5))]));
    let outcome = world.end().await;
    assert!(outcome.is_over);
    assert_eq!(world.phases(), ["Running", "Succeeded"]);
    assert_eq!(world.left_over(), Vec::<String>::new());
    let log = std::fs::read_to_string(world.dir.path().join("logs/ns_p_u/a/0.log")).unwrap();
    assert!(log.ends_with(" stdout F hello\n"));
    world.told("Started Container started").await;
    let events = world.api.events.lock().clone();
    assert_eq!(
        events,
        [
            "Pulled Container image \"demo\" already present on machine and can be accessed by the pod",
            "Created Container created",
            "Started Container started"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_container_is_restarted_with_growing_delays() {
    let mut world =
        World::new(one("OnFailure"), |_, attempt| Script::exit_after(seconds(1), if attempt < 3 { 1 } else { 0 }));
    let looping = world.until(waits_for("CrashLoopBackOff")).await;
    let first = &looping["containerStatuses"][0];
    assert_eq!(first["state"]["waiting"]["message"], "back-off 10s restarting failed container=a pod=p_ns(u)");
    assert_eq!(first["restartCount"], 1);
    world.end().await;
    let attempts: Vec<u32> = world.attempts().into_iter().map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, [0, 1, 2, 3]);
    // Four runs of a second each, and 0 + 10 + 20 seconds between them.
    assert_eq!(world.clock.now().as_second(), 34);
    assert_eq!(world.phases().last().map(String::as_str), Some("Succeeded"));
    world.told("BackOff Back-off restarting failed container a in pod p_ns(u)").await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_cannot_be_executed_is_a_start_error() {
    let mut world = World::new(one("Never"), |_, _| Script::CannotStart {
        message: "exec: \"nope\": no such file or directory".into(),
        exit_code: 127,
    });
    world.end().await;
    let status = world.api.statuses.lock().last().cloned().unwrap();
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(128), &json!("StartError")));
    assert_eq!(world.phases(), ["Failed"]);
    world.told("Failed Error: exec: \"nope\"").await;
}

#[tokio::test(start_paused = true)]
async fn an_absent_image_is_reported_and_taken_once_it_is_there() {
    let mut world = World::new(one("Never"), |_, _| Script::exit_after(seconds(1), 0));
    world.images.remove("demo");
    let failing = world.until(waits_for("ErrImagePull")).await;
    let message = failing["containerStatuses"][0]["state"]["waiting"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "demo: not found");
    world.told("Pulling Pulling image \"demo\"").await;
    world.told("Failed Failed to pull image \"demo\": demo: not found").await;
    world.told("Failed Error: ErrImagePull").await;
    world.until(waits_for("ImagePullBackOff")).await;
    world.told("BackOff Back-off pulling image \"demo\"").await;
    world.images.add("demo");
    world.end().await;
    assert_eq!(world.phases().last().map(String::as_str), Some("Succeeded"));
    assert_eq!(world.clock.now().as_second(), 11);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_a_registry_has_is_pulled_and_its_container_started() {
    let mut world = World::new(one("Never"), |_, _| Script::exit_after(seconds(1), 0));
    world.images.offer("demo", Duration::from_millis(1_500));
    world.told("Pulling Pulling image \"demo\"").await;
    world.until(waits_for("ContainerCreating")).await;
    world.end().await;
    let text = "Pulled Successfully pulled image \"demo\" in 1.5s (1.5s including waiting). Image size: 0 bytes.";
    world.told(text).await;
    assert_eq!(world.phases().last().map(String::as_str), Some("Succeeded"));
    assert_eq!(world.attempts(), [("a".to_owned(), 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_pull_holds_up_neither_the_other_container_nor_the_pods_end() {
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "slow"}, {"name": "b", "image": "demo"}]});
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1), 0));
    world.images.offer("slow", seconds(1_000_000));
    let status = world.until(|status| {
        let statuses = status.container_statuses.iter().flatten();
        statuses.clone().any(|status| status.state.as_ref().is_some_and(|state| state.terminated.is_some()))
    });
    let status = status.await;
    assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    assert_eq!(status["containerStatuses"][1]["state"]["terminated"]["exitCode"], 0);
    let now = world.clock.now().to_string();
    world.change(|pod| {
        pod["metadata"]["deletionTimestamp"] = json!(now);
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    });
    world.end().await;
    assert!(world.clock.now().as_second() < 60, "nobody waits for the registry");
    assert!(world.left_over().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_missing_config_map_holds_the_container_back_until_it_is_there() {
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "demo",
        "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}]});
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1), 0));
    let status = world.until(waits_for("CreateContainerConfigError")).await;
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["message"], "configmap \"c\" not found");
    let config_map = json!({"metadata": {"name": "c"}, "data": {"k": "v"}});
    world.api.config_maps.lock().insert("c".into(), config_map);
    world.end().await;
    assert_eq!(world.phases().last().map(String::as_str), Some("Succeeded"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_volume_source_keeps_the_pod_creating() {
    let spec = json!({"restartPolicy": "Never", "volumes": [{"name": "v", "configMap": {"name": "c"}}],
        "containers": [{"name": "a", "image": "demo", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]});
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1), 0));
    world.until(waits_for("ContainerCreating")).await;
    world.told("FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"c\" not found").await;
    let config_map = json!({"metadata": {"name": "c"}, "data": {"k": "v"}});
    world.api.config_maps.lock().insert("c".into(), config_map);
    world.until(is_running).await;
    let file = world.dir.path().join("agent/pods/u/volumes/configmap/v/k");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "v");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_stopped_cleaned_up_and_then_let_go() {
    let mut world = World::new(one("Always"), |_, _| Script::Run {
        acts: vec![Act::Sleep(seconds(1000))],
        on_stop: OnStop::Ignore,
    });
    world.until(is_running).await;
    world.change(|pod| {
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:10Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(10);
    });
    let outcome = world.end().await;
    assert!(outcome.is_deleted);
    assert_eq!(world.clock.now().as_second(), 10);
    let status = world.api.statuses.lock().last().cloned().unwrap();
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
    let deletions = world.api.deletions.lock().clone();
    assert_eq!(deletions.len(), 1);
    assert_eq!(deletions[0]["gracePeriodSeconds"], 0);
    assert_eq!(deletions[0]["preconditions"]["uid"], "u");
    assert_eq!(world.left_over(), Vec::<String>::new());
    world.told("Killing Stopping container a").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_deleted_by_force_is_stopped_all_the_same() {
    let mut world = World::new(one("Always"), |_, _| Script::exit_after(seconds(1000), 0));
    world.until(is_running).await;
    world.latest.send_modify(|latest| latest.is_gone = true);
    let outcome = world.end().await;
    assert!(!outcome.is_deleted);
    assert_eq!(world.left_over(), Vec::<String>::new());
    assert_eq!(world.phases(), ["Running"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_goes_on_when_the_server_is_killed_and_is_not_started_twice() {
    let mut world = World::new(one("Never"), |_, _| Script::exit_after(seconds(60), 3));
    world.until(is_running).await;
    world.restart().await;
    world.until(is_running).await;
    world.end().await;
    assert_eq!(world.attempts(), [("a".to_owned(), 0)]);
    let status = world.api.statuses.lock().last().cloned().unwrap();
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_ended_while_the_server_was_down_is_finished() {
    let mut world = World::new(one("Never"), |_, _| Script::exit_after(seconds(60), 0));
    world.until(is_running).await;
    world.worker.as_ref().unwrap().abort();
    tokio::time::sleep(seconds(100)).await;
    world.restart().await;
    world.end().await;
    assert_eq!(world.attempts().len(), 1);
    assert_eq!(world.phases(), ["Running", "Succeeded"]);
    let status = world.api.statuses.lock().last().cloned().unwrap();
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["finishedAt"], "1970-01-01T00:01:00Z");
}

#[tokio::test(start_paused = true)]
async fn what_a_restart_of_the_machine_ended_is_not_known_to_have_succeeded() {
    let mut world = World::new(one("Never"), |_, _| Script::exit_after(seconds(60), 0));
    world.until(is_running).await;
    world.worker.as_ref().unwrap().abort();
    world.runtime.restart_machine();
    world.restart().await;
    world.end().await;
    let status = world.api.statuses.lock().last().cloned().unwrap();
    assert_eq!(status["phase"], "Failed");
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["reason"], "ContainerStatusUnknown");
    assert_eq!(world.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_supervisor_dies_gets_a_new_one() {
    let mut world = World::new(one("OnFailure"), |_, _| Script::exit_after(seconds(60), 0));
    world.until(is_running).await;
    world.runtime.lose("u");
    world.end().await;
    assert_eq!(world.attempts(), [("a".to_owned(), 0), ("a".to_owned(), 1)]);
    assert_eq!(world.phases().last().map(String::as_str), Some("Succeeded"));
    world.told("SandboxChanged").await;
}

#[tokio::test(start_paused = true)]
async fn init_containers_come_first() {
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "i", "image": "demo"}, {"name": "j", "image": "demo"}],
        "containers": [{"name": "a", "image": "demo"}, {"name": "b", "image": "demo"}]});
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1), 0));
    world.end().await;
    let order: Vec<String> = world.attempts().into_iter().map(|(container, _)| container).collect();
    assert_eq!(order, ["i", "j", "a", "b"]);
    assert_eq!(world.clock.now().as_second(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_pod_past_its_deadline_fails() {
    let mut spec = one("Never");
    spec["activeDeadlineSeconds"] = json!(30);
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1000), 0));
    world.end().await;
    let status = world.api.statuses.lock().last().cloned().unwrap();
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("DeadlineExceeded")));
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["exitCode"], 143);
    assert_eq!(world.clock.now().as_second(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_pod_this_version_cannot_run_is_rejected() {
    let mut spec = one("Never");
    spec["hostPID"] = json!(true);
    let mut world = World::new(spec, |_, _| Script::exit_after(seconds(1), 0));
    world.end().await;
    let status = world.api.statuses.lock().last().cloned().unwrap();
    assert_eq!(status["phase"], "Failed");
    assert!(status["message"].as_str().unwrap().starts_with("Pod was rejected: spec.hostPID"));
    assert_eq!(world.attempts(), []);
}

#[tokio::test(start_paused = true)]
async fn an_out_of_memory_container_says_so() {
    let mut world = World::new(one("Never"), |_, _| Script::of(vec![Act::OutOfMemory]));
    world.end().await;
    let status = world.api.statuses.lock().last().cloned().unwrap();
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(137), &json!("OOMKilled")));
}
