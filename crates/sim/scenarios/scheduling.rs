//! Who gets the room there is: priorities, quotas, nodes that take no pods, and pods that are evicted.

use crate::check;
use crate::machine::{create, job, names, resize_node};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::{EvictParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sim::World;

async fn priority_class(world: &World, name: &str, value: i64) {
    let classes = Api::<PriorityClass>::all(world.client.clone());
    let class = serde_json::from_value(json!({"metadata": {"name": name}, "value": value})).unwrap();
    classes.create(&PostParams::default(), &class).await.unwrap();
}

async fn patch_node(world: &World, spec: Value) {
    let nodes = Api::<Node>::all(world.client.clone());
    world.note(&format!("patch node {spec}"));
    nodes.patch("node-1", &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await.unwrap();
}

fn important(mut job: Value, class: &str) -> Value {
    job["spec"]["template"]["spec"]["priorityClassName"] = class.into();
    job
}

fn pods(world: &World) -> Vec<Value> {
    world.objects("/core/pods/default/")
}

fn running(world: &World) -> Vec<String> {
    let running = pods(world).into_iter().filter(|pod| pod["status"]["phase"] == "Running");
    running.map(|pod| pod["metadata"]["labels"]["job-name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_matters_more_displaces_others() {
    let text = World::run(40, async |world: &mut World| {
        resize_node(world, 2).await;
        priority_class(world, "high", 1000).await;
        create::<Job>(world, "default", job("low", json!({"parallelism": 2, "completions": 2}), "sleep", 1)).await;
        world.pass(5).await;
        create::<Job>(world, "default", important(job("urgent", json!({}), "succeed 10", 1), "high")).await;
        world.finished("urgent").await;
        world.pass(15).await;
        assert_eq!(running(world), ["low", "low"]);
    });
    check("who_matters_more_displaces_others", &text);
}

#[test]
fn of_those_that_wait_the_most_important_goes_first() {
    World::run(41, async |world: &mut World| {
        resize_node(world, 1).await;
        priority_class(world, "high", 1000).await;
        priority_class(world, "higher", 2000).await;
        create::<Job>(world, "default", important(job("first", json!({}), "succeed 10", 1), "higher")).await;
        world.pass(1).await;
        create::<Job>(world, "default", job("low", json!({}), "succeed 10", 1)).await;
        world.pass(1).await;
        create::<Job>(world, "default", important(job("later", json!({}), "succeed 10", 1), "high")).await;
        world.pass(3).await;
        assert_eq!(running(world), ["first"]);
        world.finished("first").await;
        world.pass(2).await;
        assert_eq!(running(world), ["later"]);
        world.finished("later").await;
        world.finished("low").await;
    });
}

#[test]
fn a_full_quota_holds_a_job_back_until_there_is_room() {
    let text = World::run(42, async |world: &mut World| {
        let quota = json!({"metadata": {"name": "two"}, "spec": {"hard": {"pods": "2", "count/jobs.batch": "1"}}});
        create::<ResourceQuota>(world, "default", quota).await;
        world.pass(1).await;
        world.create_job("three", json!({"parallelism": 3, "completions": 3}), "succeed 5").await;
        world.pass(2).await;
        let quotas = world.objects("/core/resourcequotas/default/");
        assert_eq!(quotas[0]["status"]["used"], json!({"count/jobs.batch": "1", "pods": "2"}));
        let jobs: Api<Job> = Api::default_namespaced(world.client.clone());
        let second = serde_json::from_value(job("four", json!({}), "sleep", 0)).unwrap();
        let refused = jobs.create(&PostParams::default(), &second).await.unwrap_err().to_string();
        let text = "jobs.batch \"four\" is forbidden: exceeded quota: two, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1";
        assert!(refused.contains(text), "{refused}");
        world.finished("three").await;
        world.delete_job("three", kube::api::DeleteParams::background()).await;
        world.pass(5).await;
        let quotas = world.objects("/core/resourcequotas/default/");
        assert_eq!(quotas[0]["status"]["used"], json!({"count/jobs.batch": "0", "pods": "0"}));
    });
    check("a_full_quota_holds_a_job_back_until_there_is_room", &text);
}

#[test]
fn a_drained_node_takes_its_pods_back_when_it_is_opened() {
    let text = World::run(43, async |world: &mut World| {
        world.create_job("steady", json!({"backoffLimit": 5}), "sleep").await;
        world.pass(2).await;
        patch_node(world, json!({"unschedulable": true})).await;
        world.pass(1).await;
        let taints = &world.objects("/core/nodes/")[0]["spec"]["taints"];
        assert_eq!(
            (&taints[0]["key"], &taints[0]["effect"]),
            (&json!("node.kubernetes.io/unschedulable"), &json!("NoSchedule"))
        );
        let api: Api<Pod> = Api::default_namespaced(world.client.clone());
        for name in names(world, "/core/pods/default/") {
            world.note("evict");
            api.evict(&name, &EvictParams::default()).await.unwrap();
        }
        world.pass(30).await;
        assert_eq!(running(world), [""; 0]);
        patch_node(world, json!({"unschedulable": null})).await;
        world.pass(5).await;
        assert!(world.objects("/core/nodes/")[0]["spec"]["taints"].as_array().is_none_or(Vec::is_empty));
        assert_eq!(running(world), ["steady"]);
    });
    check("a_drained_node_takes_its_pods_back_when_it_is_opened", &text);
}

#[test]
fn a_taint_that_executes_makes_pods_leave() {
    World::run(44, async |world: &mut World| {
        world.create_job("intolerant", json!({"backoffLimit": 5}), "sleep").await;
        let mut tolerant = job("tolerant", json!({}), "sleep", 0);
        tolerant["spec"]["template"]["spec"]["tolerations"] = json!([{"key": "a", "operator": "Exists"}]);
        create::<Job>(world, "default", tolerant).await;
        world.pass(2).await;
        patch_node(world, json!({"taints": [{"key": "a", "effect": "NoExecute"}]})).await;
        world.pass(30).await;
        assert_eq!(running(world), ["tolerant"]);
        let gone = pods(world).into_iter().find(|pod| pod["status"]["conditions"][0]["type"] == "DisruptionTarget");
        assert!(gone.is_none_or(|pod| pod["status"]["conditions"][0]["reason"] == "DeletionByTaintManager"));
        patch_node(world, json!({"taints": null})).await;
        world.pass(30).await;
        assert_eq!(running(world), ["intolerant", "tolerant"]);
    });
}

#[test]
fn a_gated_pod_and_another_schedulers_are_left_alone() {
    World::run(45, async |world: &mut World| {
        let pod = |name: &str, spec: Value| {
            let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "fake", "command": ["sleep"]}]}});
            pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            pod
        };
        create::<Pod>(world, "default", pod("gated", json!({"schedulingGates": [{"name": "example.com/wait"}]}))).await;
        create::<Pod>(world, "default", pod("foreign", json!({"schedulerName": "mine"}))).await;
        world.pass(5).await;
        assert!(pods(world).iter().all(|pod| pod["spec"]["nodeName"].is_null()));
        let api: Api<Pod> = Api::default_namespaced(world.client.clone());
        let open = Patch::Merge(json!({"spec": {"schedulingGates": null}}));
        api.patch("gated", &PatchParams::default(), &open).await.unwrap();
        world.pass(5).await;
        let phases: Vec<Value> = pods(world).iter().map(|pod| pod["status"]["phase"].clone()).collect();
        assert_eq!(phases, ["Pending", "Running"]);
    });
}
