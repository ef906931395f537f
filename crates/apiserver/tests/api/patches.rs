//! PATCH in its three forms.

use crate::harness::{CONFIG_MAPS, JOBS, Server, config_map, job};
use serde_json::json;

#[tokio::test]
async fn three_forms_of_the_same_change() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let path = format!("{JOBS}/a");
    let merge = server.patch(&path, "merge-patch+json", &json!({"metadata": {"labels": {"m": "1"}}})).await;
    assert_eq!(merge.expect(200).json()["metadata"]["labels"]["m"], "1");
    let operations = json!([{"op": "add", "path": "/metadata/labels/j", "value": "2"}]);
    assert_eq!(
        server.patch(&path, "json-patch+json", &operations).await.expect(200).json()["metadata"]["labels"]["j"],
        "2"
    );
    let strategic = json!({"metadata": {"labels": {"m": null}}, "spec": {"suspend": true}});
    let patched = server.patch(&path, "strategic-merge-patch+json", &strategic).await.expect(200).json();
    assert_eq!(patched["metadata"]["labels"]["j"], "2");
    assert!(patched["metadata"]["labels"].get("m").is_none());
    assert_eq!(patched["spec"]["suspend"], true);
    assert_eq!(patched["metadata"]["generation"], 2);
}

#[tokio::test]
async fn the_guides_patch_of_parallelism_and_completions_works() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let patch = json!({"spec": {"parallelism": 3, "completions": 5}});
    let patched = server.patch(&format!("{JOBS}/a"), "strategic-merge-patch+json", &patch).await.expect(200).json();
    assert_eq!((&patched["spec"]["parallelism"], &patched["spec"]["completions"]), (&json!(3), &json!(5)));
}

#[tokio::test]
async fn patches_that_are_refused() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let path = format!("{JOBS}/a");
    let strict = format!("{path}?fieldValidation=Strict");
    let unknown = json!({"spec": {"paralelism": 3}});
    let detail = "strict decoding error: unknown field \"spec.paralelism\" (did you mean \"parallelism\"?)";
    for (path, kind, patch, code, message) in [
        (&path, "json-patch+json", json!([{"op": "test", "path": "/kind", "value": "x"}]), 422, "the server rejected our request due to an error in our request".to_owned()),
        (&strict, "strategic-merge-patch+json", unknown.clone(), 422, format!(" \"\" is invalid: patch: Invalid value: \"map[spec:map[paralelism:3]]\": {detail}")),
        (&strict, "merge-patch+json", unknown.clone(), 422, format!(" \"\" is invalid: patch: Invalid value: \"{{\\\"spec\\\":{{\\\"paralelism\\\":3}}}}\": {detail}")),
        (&path, "merge-patch+json", json!({"metadata": {"name": "b"}}), 400, "the name of the object (b) does not match the name on the URL (a)".to_owned()),
        (&path, "merge-patch+json", json!({"metadata": {"resourceVersion": "1"}}), 409, "Operation cannot be fulfilled on jobs.batch \"a\": the object has been modified; please apply your changes to the latest version and try again".to_owned()),
        (&path, "merge-patch+json", json!([]), 400, "error decoding patch: the patch must be a JSON object".to_owned()),
        (&format!("{JOBS}/none"), "merge-patch+json", json!({}), 404, "jobs.batch \"none\" not found".to_owned()),
        (&path, "merge-patch+json", json!({"spec": {"parallelism": -1}}), 422, "Job.batch \"a\" is invalid: spec.parallelism: Invalid value: -1: must be greater than or equal to 0".to_owned()),
    ] {
        let reply = server.patch(path, kind, &patch).await.expect(code);
        assert_eq!(reply.message(), message);
    }
    let warned = server.patch(&path, "merge-patch+json", &unknown).await.expect(200);
    assert_eq!(warned.warnings().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patches_at_the_same_time_all_arrive() {
    let server = std::sync::Arc::new(Server::new());
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    let tasks: Vec<_> = (0..8)
        .map(|index| {
            let server = server.clone();
            tokio::spawn(async move {
                let patch = json!({"data": {format!("key-{index}"): "x"}});
                // Five tries are what a patch has; a client that lost them all comes again.
                while server.patch(&format!("{CONFIG_MAPS}/a"), "merge-patch+json", &patch).await.code == 409 {}
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let data = server.get(&format!("{CONFIG_MAPS}/a")).await.json()["data"].clone();
    assert_eq!(data.as_object().unwrap().len(), 9, "{data}");
}
