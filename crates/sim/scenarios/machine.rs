//! Namespaces that go, pods that do not fit, owners that go, pods that change hands, and more pods than one decision handles.

use crate::check;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sim::World;
use std::fmt::Debug;

/// Creates an object and returns its uid.
pub async fn create<K>(world: &World, namespace: &str, object: Value) -> String
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let api: Api<K> = Api::namespaced(world.client.clone(), namespace);
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap().meta().uid.clone().unwrap()
}

async fn delete<K>(world: &World, name: &str, policy: PropagationPolicy)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let api: Api<K> = Api::default_namespaced(world.client.clone());
    let parameters = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
    api.delete(name, &parameters).await.unwrap();
}

/// A Job whose pods run `command` and ask for so many CPUs.
pub fn job(name: &str, spec: Value, command: &str, cpus: u32) -> Value {
    let command: Vec<&str> = command.split_whitespace().collect();
    let requests = json!({"cpu": cpus.to_string()});
    let container = json!({"name": "main", "image": "fake", "command": command, "resources": {"requests": requests}});
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec});
    let template = &mut job["spec"]["template"];
    template["spec"] = json!({"restartPolicy": "Never", "containers": [container]});
    job
}

/// A ConfigMap that belongs to these `(kind, name, uid)`.
fn owned_map(name: &str, owners: &[(&str, &str, &str)]) -> Value {
    let owners: Vec<Value> = owners.iter().map(|(kind, name, uid)| owner(kind, name, uid)).collect();
    json!({"metadata": {"name": name, "ownerReferences": owners}})
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    let version = if kind == "ConfigMap" { "v1" } else { "batch/v1" };
    json!({"apiVersion": version, "kind": kind, "name": name, "uid": uid})
}

/// Gives the node so many CPUs, whatever this machine has.
pub async fn resize_node(world: &World, cpus: u32) {
    world.pass(1).await;
    let nodes = Api::<Node>::all(world.client.clone());
    let size = Patch::Merge(json!({"status": {"allocatable": {"cpu": cpus.to_string()}}}));
    nodes.patch_status("node-1", &PatchParams::default(), &size).await.unwrap();
}

/// Names of what is stored under a prefix.
pub fn names(world: &World, prefix: &str) -> Vec<String> {
    let objects = world.objects(prefix);
    objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Names of the ConfigMaps in `default`.
fn maps(world: &World) -> String {
    names(world, "/core/configmaps/default/").join(" ")
}

#[test]
fn a_namespace_takes_everything_in_it_along() {
    World::run(20, async |world: &mut World| {
        let namespaces = Api::<Namespace>::all(world.client.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": "brief"}})).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        create::<Job>(world, "brief", job("busy", json!({"parallelism": 3, "completions": 9}), "sleep", 0)).await;
        create::<Job>(world, "brief", job("done", json!({}), "succeed 1", 0)).await;
        create::<ConfigMap>(world, "brief", json!({"metadata": {"name": "settings"}, "data": {"a": "b"}})).await;
        // Of these names almost anything is one.
        for name in ["odd", "odd?x=y", "odd #é"] {
            let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"});
            create::<RoleBinding>(world, "brief", json!({"metadata": {"name": name}, "roleRef": role})).await;
        }
        world.create_job("bystander", json!({}), "sleep").await;
        world.pass(5).await;
        assert_eq!(names(world, "/core/pods/brief/").len(), 4);
        assert_eq!(names(world, "/core/serviceaccounts/brief/"), ["default"]);
        assert!(!names(world, "/core/events/brief/").is_empty());

        namespaces.delete("brief", &DeleteParams::default()).await.unwrap();
        let late: Api<ConfigMap> = Api::namespaced(world.client.clone(), "brief");
        let refused =
            late.create(&PostParams::default(), &serde_json::from_value(owned_map("late", &[])).unwrap()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("because it is being terminated"), "{refused}");
        world.pass(60).await;
        for prefix in ["/batch/jobs", "/core/pods", "/core/configmaps", "/core/serviceaccounts", "/core/events"] {
            assert_eq!(names(world, &format!("{prefix}/brief/")), [""; 0], "{prefix}");
        }
        assert!(!names(world, "/core/namespaces/").contains(&"brief".to_owned()));
        assert_eq!(names(world, "/batch/jobs/"), ["bystander"]);
        assert_eq!(names(world, "/core/pods/").len(), 1);
    });
}

#[test]
fn pods_run_as_far_as_they_fit_on_the_node() {
    let text = World::run(21, async |world: &mut World| {
        resize_node(world, 64).await;
        let spec = json!({"parallelism": 3, "completions": 3});
        create::<Job>(world, "default", job("heavy", spec, "succeed 10", 40)).await;
        world.finished("heavy").await;
    });
    check("pods_run_as_far_as_they_fit_on_the_node", &text);
}

#[test]
fn a_pod_larger_than_the_node_waits_and_says_why_until_the_node_grows() {
    World::run(22, async |world: &mut World| {
        resize_node(world, 64).await;
        create::<Job>(world, "default", job("huge", json!({}), "succeed 10", 100)).await;
        world.pass(30).await;
        let pod = &world.objects("/core/pods/")[0];
        assert_eq!(pod["status"]["phase"], "Pending");
        let condition = &pod["status"]["conditions"][0];
        let message = "0/1 nodes are available: 1 Insufficient cpu. \
            preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        assert_eq!((&condition["type"], &condition["status"]), (&json!("PodScheduled"), &json!("False")));
        assert_eq!((&condition["reason"], &condition["message"]), (&json!("Unschedulable"), &json!(message)));
        let told = world.objects("/core/events/");
        let told: Vec<&Value> = told.iter().filter(|event| event["reason"] == "FailedScheduling").collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert_eq!((&told[0]["type"], &told[0]["message"]), (&json!("Warning"), &json!(message)));

        resize_node(world, 128).await;
        world.pass(11).await;
        assert!(world.is_finished("huge"));
    });
}

#[test]
fn more_pods_than_one_decision_handles() {
    World::run(23, async |world: &mut World| {
        // One more than a decision creates, lists and frees of finalizers.
        world.create_job("wide", json!({"parallelism": 501, "completions": 501}), "succeed 5").await;
        world.finished("wide").await;
        assert_eq!(world.objects("/batch/jobs/")[0]["status"]["succeeded"], 501);
        assert_eq!(names(world, "/core/pods/").len(), 501);
    });
}

#[test]
fn what_depends_on_an_owner_goes_with_it() {
    World::run(24, async |world: &mut World| {
        let first = create::<ConfigMap>(world, "default", owned_map("first", &[])).await;
        let second = create::<ConfigMap>(world, "default", owned_map("second", &[])).await;
        let (first, second) = (("ConfigMap", "first", &*first), ("ConfigMap", "second", &*second));
        let child = create::<ConfigMap>(world, "default", owned_map("child", &[first])).await;
        let child = ("ConfigMap", "child", &*child);
        create::<ConfigMap>(world, "default", owned_map("grandchild", &[child])).await;
        create::<ConfigMap>(world, "default", owned_map("shared", &[first, second])).await;
        world.pass(5).await;
        assert_eq!(maps(world), "child first grandchild second shared");
        delete::<ConfigMap>(world, "first", PropagationPolicy::Background).await;
        world.pass(5).await;
        assert_eq!(maps(world), "second shared", "what has another owner stays");
        delete::<ConfigMap>(world, "second", PropagationPolicy::Background).await;
        world.pass(5).await;
        assert_eq!(maps(world), "");

        let namesake = create::<ConfigMap>(world, "default", owned_map("first", &[])).await;
        create::<ConfigMap>(world, "default", owned_map("of-the-old-first", &[first])).await;
        create::<ConfigMap>(world, "default", owned_map("of-the-new-first", &[("ConfigMap", "first", &namesake)]))
            .await;
        world.pass(5).await;
        assert_eq!(maps(world), "first of-the-new-first", "a namesake is no owner");
    });
}

#[test]
fn cascades_reach_through_a_job_to_its_pods() {
    World::run(25, async |world: &mut World| {
        for (name, policy) in [
            ("background", PropagationPolicy::Background),
            ("foreground", PropagationPolicy::Foreground),
            ("orphan", PropagationPolicy::Orphan),
        ] {
            let template = job("unused", json!({}), "sleep", 0)["spec"].clone();
            let cron_job = json!({"metadata": {"name": name},
                "spec": {"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": template}}});
            let uid = create::<CronJob>(world, "default", cron_job).await;
            let mut child = job(name, json!({}), "sleep", 0);
            child["metadata"]["ownerReferences"] = json!([owner("CronJob", name, &uid)]);
            create::<Job>(world, "default", child).await;
            world.pass(5).await;
            delete::<CronJob>(world, name, policy).await;
        }
        world.pass(60).await;
        assert_eq!(names(world, "/batch/cronjobs/"), [""; 0]);
        assert_eq!(names(world, "/batch/jobs/"), ["orphan"]);
        assert_eq!(names(world, "/core/pods/").len(), 1);
        let left = &world.objects("/batch/jobs/")[0]["metadata"];
        assert!(left["ownerReferences"].is_null(), "{left}");
        assert!(left["finalizers"].is_null(), "{left}");
    });
}

#[test]
fn pods_change_hands_with_their_labels() {
    World::run(26, async |world: &mut World| {
        let pod = json!({"metadata": {"name": "stray", "labels": {"crew": "red"}}, "spec":
            {"restartPolicy": "Never", "containers": [{"name": "main", "image": "fake", "command": ["sleep"]}]}});
        create::<Pod>(world, "default", pod).await;
        let spec = json!({"parallelism": 2, "completions": 2, "manualSelector": true,
            "selector": {"matchLabels": {"crew": "red"}}, "template": {"metadata": {"labels": {"crew": "red"}}}});
        let uid = create::<Job>(world, "default", job("crew", spec, "sleep", 0)).await;
        world.pass(5).await;
        assert_eq!(names(world, "/core/pods/").len(), 2, "one was there, one was made");
        let stray = |world: &World| {
            let pods = world.objects("/core/pods/");
            pods.into_iter().find(|pod| pod["metadata"]["name"] == "stray").unwrap()["metadata"].clone()
        };
        assert_eq!(stray(world)["ownerReferences"][0]["uid"], *uid);
        assert_eq!(stray(world)["finalizers"], json!(["batch.kubernetes.io/job-tracking"]));

        let pods: Api<Pod> = Api::default_namespaced(world.client.clone());
        let relabel = Patch::Merge(json!({"metadata": {"labels": {"crew": "blue"}}}));
        pods.patch("stray", &PatchParams::default(), &relabel).await.unwrap();
        world.pass(5).await;
        assert!(stray(world)["ownerReferences"].is_null());
        assert!(stray(world)["finalizers"].is_null());
        assert_eq!(names(world, "/core/pods/").len(), 3, "the one that left is replaced");
        let job = &world.objects("/batch/jobs/")[0];
        assert_eq!((&job["status"]["active"], &job["status"]["failed"]), (&json!(2), &Value::Null));
    });
}
