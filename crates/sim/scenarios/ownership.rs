//! Whose pods are whose, and what a Job makes of pods that others take away.

use crate::check;
use crate::machine::{create, job, names};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sim::World;
use std::time::Duration;

const TRACKING: &str = "batch.kubernetes.io/job-tracking";

fn api(world: &World) -> Api<Pod> {
    Api::default_namespaced(world.client.clone())
}

fn pods(world: &World) -> Vec<Value> {
    world.objects("/core/pods/default/")
}

fn pod(world: &World, name: &str) -> Value {
    pods(world).into_iter().find(|pod| pod["metadata"]["name"] == name).unwrap()
}

fn status(world: &World, job: &str) -> Value {
    let jobs = world.objects("/batch/jobs/default/");
    jobs.into_iter().find(|found| found["metadata"]["name"] == job).unwrap()["status"].clone()
}

/// Creates a pod that runs on, with this metadata beside its name.
async fn create_pod(world: &World, name: &str, metadata: Value) {
    let mut pod = json!({"metadata": metadata, "spec": {
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "fake", "command": ["sleep"]}]}});
    pod["metadata"]["name"] = name.into();
    let pod: Pod = serde_json::from_value(pod).unwrap();
    api(world).create(&PostParams::default(), &pod).await.unwrap();
}

async fn patch_pod(world: &World, name: &str, patch: Value) {
    world.note(&format!("patch {patch}"));
    api(world).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[test]
fn loose_pods_are_adopted_and_relabelled_ones_released() {
    let text = World::run(60, async |world: &mut World| {
        create_pod(world, "loose", json!({"labels": {"crew": "a"}})).await;
        create_pod(world, "stranger", json!({"labels": {"crew": "b"}})).await;
        world.pass(2).await;
        let mut crew = job("crew", json!({"completions": 2, "parallelism": 2}), "sleep", 0);
        crew["spec"]["manualSelector"] = true.into();
        crew["spec"]["selector"] = json!({"matchLabels": {"crew": "a"}});
        crew["spec"]["template"]["metadata"] = json!({"labels": {"crew": "a"}});
        create::<Job>(world, "default", crew).await;
        world.pass(2).await;
        assert_eq!(pods(world).len(), 3, "one pod is made beside the one that is adopted");
        let adopted = pod(world, "loose")["metadata"].clone();
        assert_eq!(adopted["ownerReferences"][0]["name"], "crew");
        assert_eq!(adopted["finalizers"], json!([TRACKING]));
        assert!(pod(world, "stranger")["metadata"]["ownerReferences"].is_null());

        patch_pod(world, "loose", json!({"metadata": {"labels": {"crew": "b"}}})).await;
        world.pass(2).await;
        let released = pod(world, "loose");
        let left = [&released["metadata"]["ownerReferences"], &released["metadata"]["finalizers"]];
        assert!(left.iter().all(|list| list.as_array().is_none_or(Vec::is_empty)), "{released:#}");
        assert_eq!((pods(world).len(), &released["status"]["phase"]), (4, &json!("Running")), "it has a successor");
        assert_eq!(status(world, "crew")["active"], 2);
        assert!(status(world, "crew")["failed"].is_null());
    });
    check("loose_pods_are_adopted_and_relabelled_ones_released", &text);
}

#[test]
fn a_job_of_another_controller_keeps_its_pods_finalizers() {
    World::run(61, async |world: &mut World| {
        world.create_job("elsewhere", json!({"managedBy": "acme.io/queue"}), "sleep").await;
        world.pass(2).await;
        assert!(
            pods(world).is_empty() && status(world, "elsewhere").as_object().is_none_or(|status| status.is_empty())
        );
        let uid = world.objects("/batch/jobs/default/")[0]["metadata"]["uid"].clone();
        let owner = |kind: &str, uid: &Value| {
            json!({"finalizers": [TRACKING], "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": kind, "name": "elsewhere", "uid": uid, "controller": true}]})
        };
        create_pod(world, "theirs", owner("Job", &uid)).await;
        let ended: Vec<Value> =
            ["SuccessCriteriaMet", "Complete"].iter().map(|kind| json!({"type": kind, "status": "True"})).collect();
        let now = world.now().to_string();
        let patch = json!({"status": {"startTime": now, "completionTime": now, "conditions": ended}});
        world.jobs().patch_status("elsewhere", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        world.pass(60).await;
        assert_eq!(pod(world, "theirs")["metadata"]["finalizers"], json!([TRACKING]), "finished or not");

        // Nor is a Job's finalizer on another kind's pod for this controller to remove.
        let config_maps = Api::<k8s_openapi::api::core::v1::ConfigMap>::default_namespaced(world.client.clone());
        let map = serde_json::from_value(json!({"metadata": {"name": "elsewhere"}})).unwrap();
        let map = config_maps.create(&PostParams::default(), &map).await.unwrap();
        let mut of_map = owner("ConfigMap", &json!(map.metadata.uid));
        of_map["ownerReferences"][0]["apiVersion"] = "v1".into();
        create_pod(world, "of-another-kind", of_map).await;
        world.pass(60).await;
        assert_eq!(pod(world, "of-another-kind")["metadata"]["finalizers"], json!([TRACKING]));

        world.delete_job("elsewhere", DeleteParams::background()).await;
        world.pass(60).await;
        assert_eq!(names(world, "/core/pods/default/"), ["of-another-kind"], "nobody counts for a Job that is gone");
    });
}

#[test]
fn an_evicted_pod_costs_no_try_where_the_policy_ignores_disruptions() {
    let text = World::run(62, async |world: &mut World| {
        let rules = json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]);
        let spec = json!({"backoffLimit": 0, "podFailurePolicy": {"rules": rules}});
        world.create_job("steady", spec, "succeed 20").await;
        world.pass(5).await;
        world.note("evict");
        api(world).evict(&names(world, "/core/pods/default/")[0], &EvictParams::default()).await.unwrap();
        world.finished("steady").await;
        assert!(status(world, "steady")["failed"].is_null(), "{:#}", status(world, "steady"));
    });
    check("an_evicted_pod_costs_no_try_where_the_policy_ignores_disruptions", &text);
}

#[test]
fn a_pod_whose_node_is_gone_costs_no_try_either() {
    let text = World::run(64, async |world: &mut World| {
        let rules = json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]);
        for (name, spec) in [
            ("tolerant", json!({"backoffLimit": 0, "podFailurePolicy": {"rules": rules}})),
            ("strict", json!({"backoffLimit": 0})),
        ] {
            let mut lost = job(name, spec, "sleep", 0);
            lost["spec"]["template"]["spec"]["nodeName"] = "gone".into();
            create::<Job>(world, "default", lost).await;
        }
        world.finished("strict").await;
        world.pass(20).await;
        let tolerant = status(world, "tolerant");
        assert_eq!((&tolerant["active"], &tolerant["failed"]), (&json!(1), &Value::Null), "{tolerant:#}");
    });
    check("a_pod_whose_node_is_gone_costs_no_try_either", &text);
}

#[test]
fn a_pod_that_takes_its_time_to_go_is_replaced_once_it_is_gone() {
    let text = World::run(63, async |world: &mut World| {
        world.create_job("patient", json!({"podReplacementPolicy": "Failed"}), "deaf").await;
        world.create_job("hasty", json!({}), "deaf").await;
        world.pass(5).await;
        for name in names(world, "/core/pods/default/") {
            world.note("delete a pod");
            api(world).delete(&name, &DeleteParams::default()).await.unwrap();
        }
        world.pass(50).await;
        assert_eq!(
            (status(world, "patient")["failed"].clone(), status(world, "hasty")["failed"].clone()),
            (json!(1), json!(1))
        );
    });
    check("a_pod_that_takes_its_time_to_go_is_replaced_once_it_is_gone", &text);
}

#[test]
fn a_success_that_the_controller_has_not_seen_yet_is_not_thrown_away() {
    for seed in 70..75 {
        World::run(seed, async |world: &mut World| {
            world.create_job("late", json!({"completions": 3, "parallelism": 3}), "succeed 10").await;
            world.pass(5).await;
            world.weather.set(0, 900);
            let has_succeeded = |pod: &Value| pod["status"]["phase"] == "Succeeded";
            while !pods(world).iter().all(has_succeeded) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // The controller may hear of this first, and take the pods for running ones that are too many.
            world.patch_job("late", json!({"parallelism": 0})).await;
            world.pass(5).await;
            world.patch_job("late", json!({"parallelism": 3})).await;
            world.finished("late").await;
            assert_eq!((pods(world).len(), status(world, "late")["succeeded"].clone()), (3, json!(3)), "seed {seed}");
        });
    }
}
