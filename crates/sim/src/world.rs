//! One simulated machine and what a scenario can do to it.

use crate::chance::{Chance, VirtualClock};
use crate::containers;
use crate::crash::{Fuse, Mortal};
use crate::door::Door;
use crate::invariants::{is_finished, objects};
use crate::node::Node;
use crate::recorder::{self, Recording};
use crate::weather::Weather;
use apiserver::auth::User;
use apiserver::node::{AttachRequest, Connection, ExecRequest, LogRequest, Session, Target};
use apiserver::{ApiServer, NodeConnection};
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use meta::clock::Clock as _;
use meta::status::Status;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::JoinHandle;

/// One machine.
pub struct World {
    /// The scenario's own hands.
    pub client: Client,
    /// The world's dice.
    pub chance: Arc<Chance>,
    /// What lies between the controllers and the API server.
    pub weather: Weather,
    door: Door,
    store: Store,
    clock: Arc<VirtualClock>,
    recording: Arc<Mutex<Recording>>,
    controllers: JoinHandle<()>,
    node: Node,
    agent: JoinHandle<()>,
}

/// A node without anything that streams: its containers are scripts.
struct NoStreams;

#[async_trait::async_trait]
impl NodeConnection for NoStreams {
    async fn logs(&self, _: LogRequest) -> Result<BoxStream<'static, std::io::Result<bytes::Bytes>>, Status> {
        Err(Status::not_implemented("the simulated node keeps no logs"))
    }
    async fn exec(&self, _: ExecRequest) -> Result<Session, Status> {
        Err(Status::not_implemented("the simulated node has no programs"))
    }
    async fn attach(&self, _: AttachRequest) -> Result<Session, Status> {
        Err(Status::not_implemented("the simulated node has no programs"))
    }
    async fn connect(&self, _: &Target, _: u16) -> Result<Box<dyn Connection>, String> {
        Err("the simulated node has no network".into())
    }
}

fn api_server(store: Store, clock: Arc<VirtualClock>, entropy: Arc<Chance>) -> Arc<ApiServer> {
    let version = "v1.36.2+kiln.sim".into();
    ApiServer::new(apiserver::Config { store, clock, entropy, node: Arc::new(NoStreams), version, trust: None })
}

impl World {
    /// Runs a scenario in a world of its own and returns what it recorded. Panics, naming the seed, when an invariant was broken.
    #[track_caller]
    pub fn run(seed: u64, scenario: impl AsyncFnOnce(&mut World)) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can always be built");
        let recording = runtime.block_on(async {
            let mut world = World::start(seed).await;
            scenario(&mut world).await;
            let wrong = containers::check_starts(&world.node.runtime.started());
            world.recording.lock().wrong.extend(wrong);
            world.recording
        });
        let recording = recording.lock();
        assert!(recording.wrong.is_empty(), "seed {seed}: {:#?}\n{}", recording.wrong, recording.text());
        recording.text()
    }

    async fn start(seed: u64) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let chance = Arc::new(Chance::new(seed));
        let store = Store::in_memory(store::Options::default());
        let door = Door::new({
            let (store, clock, chance) = (store.clone(), clock.clone(), chance.clone());
            move || api_server(store.clone(), clock.clone(), chance.clone())
        });
        door.server().bootstrap().await.expect("an empty store takes the first objects");
        // How much a server begins with must not change how scenarios go.
        chance.start_again(seed);
        let node = Node::new(clock.clone(), chance.clone());
        let recording = Arc::new(Mutex::new(Recording::default()));
        let weather = Weather::new(seed);
        let recorder =
            recorder::run(store.clone(), clock.clone(), node.runtime.clone(), weather.clone(), recording.clone());
        tokio::spawn(recorder);
        let client = Client::new(door.service(User::component("scenario")), "default");
        let (controllers, agent) = (tokio::spawn(async {}), tokio::spawn(async {}));
        let mut world = Self { client, chance, weather, door, store, clock, recording, controllers, node, agent };
        world.restart_agent(u64::MAX).await;
        while !world.node_is_ready() {
            // Takes no virtual time: scenarios begin at midnight sharp.
            tokio::task::yield_now().await;
        }
        world.restart_controllers(u64::MAX);
        world
    }

    fn node_is_ready(&self) -> bool {
        let nodes = self.objects("/core/nodes/");
        nodes.iter().any(|node| node["status"]["conditions"][0]["status"] == "True")
    }

    /// Ends the agent wherever it is and starts it anew, to live for so many steps. Its containers do not notice.
    pub async fn restart_agent(&mut self, n_steps: u64) {
        self.agent.abort();
        // An error says that it was aborted.
        let _ = (&mut self.agent).await;
        let client = Client::new(self.door.service(User::component("agent")), "default");
        let agent = self.node.agent(client, self.clock.clone()).run(std::future::pending());
        self.agent = tokio::spawn(Mortal::new(agent, n_steps));
    }

    /// Whether the agent has died of its last restart's limit.
    pub fn agent_is_dead(&self) -> bool {
        self.agent.is_finished()
    }

    /// Lets the API server die after so many steps of requests, to be back at once; `u64::MAX` are for ever.
    pub fn restart_api_server_after(&self, n_steps: u64) {
        self.door.set_steps_left(n_steps);
    }

    /// How often an API server has died.
    pub fn n_api_servers_died(&self) -> u64 {
        self.door.n_deaths()
    }

    /// The directories of volumes on the node's disk.
    pub fn volumes_on_the_node(&self) -> Vec<String> {
        self.node.volumes()
    }

    /// What the node keeps of its pods: sandboxes, directories, logs.
    pub fn left_on_the_node(&self) -> Vec<String> {
        self.node.left()
    }

    /// Ends the controllers wherever they are and starts them anew, to live for so many steps.
    pub fn restart_controllers(&mut self, n_steps: u64) {
        self.start_controllers(n_steps, Fuse::default());
    }

    /// Ends the controllers wherever they are and starts them anew, to live until the fuse burns down.
    pub fn restart_controllers_with(&mut self, fuse: &Fuse) {
        self.start_controllers(u64::MAX, fuse.clone());
    }

    fn start_controllers(&mut self, n_steps: u64, fuse: Fuse) {
        self.controllers.abort();
        let service = fuse.wrap(self.weather.wrap(self.door.service(User::component("controllers"))));
        let context = controllers::Context {
            client: Client::new(service, "default"),
            clock: self.clock.clone(),
            entropy: self.chance.clone(),
            root_ca: None,
            metrics: controllers::metrics::Metrics::default(),
        };
        let controllers = controllers::run(context, std::future::pending());
        let until_burnt = async move {
            tokio::select! {
                biased;
                () = fuse.is_burnt() => {}
                () = controllers => {}
            }
        };
        self.controllers = tokio::spawn(Mortal::new(until_burnt, n_steps));
    }

    /// Whether the controllers have died of their last restart's limit.
    pub fn controllers_are_dead(&self) -> bool {
        self.controllers.is_finished()
    }

    /// Sets the wall clock forward, or back. Whatever waits for a span of time does not notice.
    pub fn set_clock(&self, step: SignedDuration) {
        self.note(&format!("the clock is set by {step:#}"));
        self.clock.set_by(step);
    }

    /// What the wall clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// CronJobs of the namespace `default`.
    pub fn cronjobs(&self) -> Api<CronJob> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a CronJob whose Jobs' pods run `command`, with these fields beside the template.
    pub async fn create_cronjob(&self, name: &str, schedule: &str, spec: Value, command: &str) {
        let command: Vec<&str> = command.split_whitespace().collect();
        let mut cronjob =
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec});
        cronjob["spec"]["schedule"] = schedule.into();
        cronjob["spec"]["jobTemplate"]["spec"]["template"] = json!({"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "fake", "command": command}],
        }});
        let cronjob: CronJob = serde_json::from_value(cronjob).expect("scenarios write CronJobs");
        self.cronjobs().create(&PostParams::default(), &cronjob).await.expect("the server takes the CronJob");
    }

    /// `kubectl patch cronjob NAME -p '{"spec":…}'`.
    pub async fn patch_cronjob(&self, name: &str, spec: Value) {
        self.note(&format!("patch {name} {spec}"));
        let patch = Patch::Strategic(json!({"spec": spec}));
        self.cronjobs().patch(name, &PatchParams::default(), &patch).await.expect("the server takes the patch");
    }

    /// The instants, in order, for which this CronJob ever made Jobs.
    pub fn ticks(&self, cronjob: &str) -> Vec<String> {
        let recording = self.recording.lock();
        let ticks = recording.ticks.iter().filter(|(owner, _)| owner == cronjob);
        ticks.map(|(_, tick)| tick.clone()).collect()
    }

    /// Jobs of the namespace `default`.
    pub fn jobs(&self) -> Api<Job> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a Job whose pods run `command`, with these fields beside the template.
    pub async fn create_job(&self, name: &str, spec: Value, command: &str) {
        let command: Vec<&str> = command.split_whitespace().collect();
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec});
        let restart_policy = job["spec"]["restartPolicy"].take();
        if let Some(spec) = job["spec"].as_object_mut() {
            spec.remove("restartPolicy");
        }
        job["spec"]["template"] = json!({"spec": {
            "restartPolicy": restart_policy.as_str().unwrap_or("Never"),
            "containers": [{"name": "main", "image": "fake", "command": command}],
        }});
        let job: Job = serde_json::from_value(job).expect("scenarios write Jobs");
        self.jobs().create(&PostParams::default(), &job).await.expect("the server takes the Job");
    }

    /// `kubectl patch job NAME -p '{"spec":…}'`.
    pub async fn patch_job(&self, name: &str, spec: Value) {
        self.note(&format!("patch {name} {spec}"));
        let patch = Patch::Strategic(json!({"spec": spec}));
        self.jobs().patch(name, &PatchParams::default(), &patch).await.expect("the server takes the patch");
    }

    /// `kubectl delete job NAME`, with this propagation.
    pub async fn delete_job(&self, name: &str, parameters: DeleteParams) {
        self.note(&format!("delete {name}"));
        self.jobs().delete(name, &parameters).await.expect("the server takes the delete");
    }

    /// Lets virtual time pass.
    pub async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Writes a line into the recording.
    pub fn note(&self, text: &str) {
        let at = recorder::moment(&self.clock);
        self.recording.lock().note(&at, text);
    }

    /// Whether the Job is Complete or Failed.
    pub fn is_finished(&self, name: &str) -> bool {
        self.objects("/batch/jobs/").iter().any(|job| job["metadata"]["name"] == name && is_finished(job))
    }

    /// What is stored under a prefix.
    pub fn objects(&self, prefix: &str) -> Vec<Value> {
        objects(&self.store, prefix)
    }

    /// Waits until the Job is finished; gives up after an hour of virtual time, saying so in the recording.
    pub async fn finished(&self, name: &str) {
        for _ in 0..36_000 {
            if self.is_finished(name) {
                // Let the last events be written.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.recording.lock().wrong.push(format!("{name} did not finish within an hour"));
    }
}
