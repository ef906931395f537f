//! Claims that come late, are used when they are deleted, grow, wait for their pod or name their volume.

use crate::check;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sim::World;
use std::fmt::Debug;

async fn create<K>(api: Api<K>, object: Value)
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

fn claims(world: &World) -> Api<PersistentVolumeClaim> {
    Api::default_namespaced(world.client.clone())
}

fn pods(world: &World) -> Api<Pod> {
    Api::default_namespaced(world.client.clone())
}

async fn claim(world: &World, name: &str, mode: &str, class: Option<&str>) {
    let mut claim = json!({"metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}});
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = class.into();
    }
    create(claims(world), claim).await;
}

/// A pod that mounts a volume and runs `command`.
async fn pod(world: &World, name: &str, mut volume: Value, command: &str) {
    volume["name"] = "data".into();
    let command: Vec<&str> = command.split_whitespace().collect();
    let container = json!({"name": "main", "image": "fake", "command": command, "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let spec = json!({"restartPolicy": "Never", "containers": [container], "volumes": [volume]});
    create(pods(world), json!({"metadata": {"name": name}, "spec": spec})).await;
}

fn of_claim(name: &str) -> Value {
    json!({"persistentVolumeClaim": {"claimName": name}})
}

async fn delete_claim(world: &World, name: &str) {
    world.note(&format!("delete claim {name}"));
    claims(world).delete(name, &DeleteParams::default()).await.unwrap();
}

#[test]
fn a_pod_waits_for_its_claim_and_keeps_it_as_long_as_it_is_there() {
    let recording = World::run(40, async |world: &mut World| {
        pod(world, "writer", of_claim("late"), "succeed 20").await;
        world.pass(5).await;
        claim(world, "late", "ReadWriteOnce", None).await;
        world.pass(5).await;
        assert_eq!(world.volumes_on_the_node().len(), 1);
        delete_claim(world, "late").await;
        // In use: it stays, and nobody new may begin with it.
        pod(world, "second", of_claim("late"), "succeed 1").await;
        world.pass(30).await;
        for name in ["writer", "second"] {
            world.note(&format!("delete pod {name}"));
            pods(world).delete(name, &DeleteParams::default()).await.unwrap();
            world.pass(2).await;
        }
        assert_eq!(world.volumes_on_the_node(), Vec::<String>::new());
    });
    check("a_pod_waits_for_its_claim_and_keeps_it_as_long_as_it_is_there", &recording);
}

#[test]
fn a_claim_grows_and_a_retained_volume_outlives_it() {
    let recording = World::run(41, async |world: &mut World| {
        let class = json!({"metadata": {"name": "kept"}, "provisioner": "kiln.dev/local", "reclaimPolicy": "Retain",
            "allowVolumeExpansion": true});
        create::<StorageClass>(Api::all(world.client.clone()), class).await;
        claim(world, "books", "ReadWriteMany", Some("kept")).await;
        world.pass(1).await;
        let grow = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "3Gi"}}}}));
        claims(world).patch("books", &PatchParams::default(), &grow).await.unwrap();
        world.pass(1).await;
        delete_claim(world, "books").await;
        world.pass(60).await;
        let volumes = Api::<PersistentVolume>::all(world.client.clone());
        let volume = volumes.list(&Default::default()).await.unwrap().items.remove(0);
        world.note("delete its volume");
        volumes.delete(&volume.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
        world.pass(1).await;
        assert_eq!(world.objects("/core/persistentvolumes/"), Vec::<Value>::new());
        assert_eq!(world.volumes_on_the_node().len(), 1, "what was to be kept is kept");
    });
    check("a_claim_grows_and_a_retained_volume_outlives_it", &recording);
}

#[test]
fn a_lazy_claim_is_provided_for_with_its_first_pod() {
    let recording = World::run(42, async |world: &mut World| {
        let class = json!({"metadata": {"name": "lazy"}, "provisioner": "kiln.dev/local",
            "volumeBindingMode": "WaitForFirstConsumer"});
        create::<StorageClass>(Api::all(world.client.clone()), class).await;
        claim(world, "first", "ReadWriteOncePod", Some("lazy")).await;
        world.pass(5).await;
        assert_eq!(world.volumes_on_the_node(), Vec::<String>::new());
        pod(world, "one", of_claim("first"), "succeed 10").await;
        world.pass(1).await;
        // ReadWriteOncePod: one after the other.
        pod(world, "other", of_claim("first"), "succeed 1").await;
        world.pass(20).await;
    });
    check("a_lazy_claim_is_provided_for_with_its_first_pod", &recording);
}

#[test]
fn a_volume_made_by_hand_goes_to_the_claim_that_names_it() {
    let recording = World::run(43, async |world: &mut World| {
        let dir = tempfile::tempdir().unwrap();
        let volume = |name: &str, storage: &str| {
            json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": storage},
                "storageClassName": "", "hostPath": {"path": dir.path(), "type": "Directory"}}})
        };
        let named = |name: &str| {
            json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "mine",
                "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}})
        };
        create(claims(world), named("first")).await;
        world.pass(1).await;
        create::<PersistentVolume>(Api::all(world.client.clone()), volume("mine", "5Gi")).await;
        world.pass(1).await;
        create(claims(world), named("too-late")).await;
        pod(world, "reader", of_claim("first"), "succeed 1").await;
        world.pass(10).await;
        pods(world).delete("reader", &DeleteParams::default()).await.unwrap();
        delete_claim(world, "first").await;
        world.pass(10).await;
        assert!(dir.path().exists());
    });
    check("a_volume_made_by_hand_goes_to_the_claim_that_names_it", &recording);
}

#[test]
fn an_ephemeral_volume_comes_and_goes_with_its_pod() {
    let recording = World::run(44, async |world: &mut World| {
        let template =
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        pod(world, "scratch", json!({"ephemeral": {"volumeClaimTemplate": template}}), "succeed 5").await;
        world.pass(10).await;
        world.note("delete pod scratch");
        pods(world).delete("scratch", &DeleteParams::default()).await.unwrap();
        world.pass(5).await;
        assert_eq!(world.objects("/core/persistentvolumes/"), Vec::<Value>::new());
        assert_eq!(world.volumes_on_the_node(), Vec::<String>::new());
    });
    check("an_ephemeral_volume_comes_and_goes_with_its_pod", &recording);
}

/// Many claims want the only volume at the same moment: one gets it.
#[test]
fn a_volume_is_nobodys_twice() {
    for seed in 0..10 {
        World::run(seed, async |world: &mut World| {
            let volume = json!({"metadata": {"name": "only"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "5Gi"}, "storageClassName": "", "hostPath": {"path": "/nowhere"}}});
            for i in 0..8 {
                claim(world, &format!("c{i}"), "ReadWriteOnce", Some("")).await;
            }
            create::<PersistentVolume>(Api::all(world.client.clone()), volume).await;
            world.pass(60).await;
            let claims = world.objects("/core/persistentvolumeclaims/");
            let (bound, pending): (Vec<&Value>, Vec<&Value>) =
                claims.iter().partition(|claim| claim["status"]["phase"] == "Bound");
            assert_eq!((bound.len(), pending.len()), (1, 7), "{claims:#?}");
            assert!(pending.iter().all(|claim| claim["spec"].get("volumeName").is_none()), "{pending:#?}");
            let volume = &world.objects("/core/persistentvolumes/")[0];
            assert_eq!(volume["spec"]["claimRef"]["uid"], bound[0]["metadata"]["uid"]);
        });
    }
}

/// A hundred claims come at once, each with its pod.
#[test]
fn many_claims_are_provided_for_at_once() {
    World::run(45, async |world: &mut World| {
        for i in 0..100 {
            pod(world, &format!("p{i}"), of_claim(&format!("c{i}")), "succeed 1").await;
        }
        for i in 0..100 {
            claim(world, &format!("c{i}"), "ReadWriteOnce", None).await;
        }
        world.pass(30).await;
        let pods = world.objects("/core/pods/");
        assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Succeeded"), "{pods:#?}");
        assert_eq!((pods.len(), world.volumes_on_the_node().len()), (100, 100));
    });
}

/// Controllers and agent die again and again while claims are bound and released; in the end everybody has a volume of his own, or
/// nothing is left.
#[test]
fn crashes_lose_no_volume_and_leave_none() {
    for seed in 0..10 {
        World::run(seed, async |world: &mut World| {
            for i in 0..6 {
                claim(world, &format!("c{i}"), "ReadWriteOnce", None).await;
            }
            for _ in 0..6 {
                world.restart_controllers(3 + world.chance.below(40));
                world.restart_agent(3 + world.chance.below(40)).await;
                world.pass(2).await;
            }
            world.restart_controllers(u64::MAX);
            world.restart_agent(u64::MAX).await;
            world.pass(200).await;
            let claims_now = world.objects("/core/persistentvolumeclaims/");
            let mut volumes: Vec<&str> =
                claims_now.iter().filter_map(|claim| claim["spec"]["volumeName"].as_str()).collect();
            assert!(claims_now.iter().all(|claim| claim["status"]["phase"] == "Bound"), "{claims_now:#?}");
            volumes.sort_unstable();
            volumes.dedup();
            assert_eq!((volumes.len(), world.volumes_on_the_node().len()), (6, 6));
            claims(world).delete_collection(&DeleteParams::default(), &Default::default()).await.unwrap();
            for _ in 0..6 {
                world.restart_controllers(3 + world.chance.below(40));
                world.restart_agent(3 + world.chance.below(40)).await;
                world.pass(2).await;
            }
            world.restart_controllers(u64::MAX);
            world.restart_agent(u64::MAX).await;
            world.pass(200).await;
            assert_eq!(world.objects("/core/persistentvolumes/"), Vec::<Value>::new());
            assert_eq!(world.volumes_on_the_node(), Vec::<String>::new());
        });
    }
}
