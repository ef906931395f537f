//! create, get, update: what comes back, and what is refused with which words.

use crate::harness::{CONFIG_MAPS, JOBS, Server, config_map, job};
use serde_json::json;

#[tokio::test]
async fn a_created_object_is_whole_and_readable() {
    let server = Server::new();
    let created = server.post(JOBS, &job("a")).await.expect(201).json();
    let metadata = &created["metadata"];
    assert_eq!(metadata["name"], "a");
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata["creationTimestamp"], "2026-03-01T12:00:00Z");
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!(metadata["generation"], 1);
    assert_eq!(created["spec"]["backoffLimit"], 6);
    let read = server.get(&format!("{JOBS}/a")).await.expect(200).json();
    assert_eq!(read, created);
    assert_eq!((&read["apiVersion"], &read["kind"]), (&json!("batch/v1"), &json!("Job")));
}

#[tokio::test]
async fn creates_that_are_refused() {
    let server = Server::new();
    server.post(JOBS, &job("a")).await.expect(201);
    let mut elsewhere = job("x");
    elsewhere["metadata"]["namespace"] = "other".into();
    let mut versioned = job("x");
    versioned["metadata"]["resourceVersion"] = "1".into();
    let mut other_version = job("x");
    other_version["apiVersion"] = "batch/v2".into();
    let mut other_kind = job("x");
    other_kind["kind"] = "CronJob".into();
    let mut other_group = job("x");
    other_group["apiVersion"] = "v1".into();
    other_group["kind"] = "Pod".into();
    let mut unknown_kind = job("x");
    unknown_kind["kind"] = "Jab".into();
    for (path, body, code, reason, message) in [
        (JOBS, job("a"), 409, "AlreadyExists", "jobs.batch \"a\" already exists"),
        (
            JOBS,
            elsewhere,
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        ("/apis/batch/v1/namespaces/nowhere/jobs", job("a"), 404, "NotFound", "namespaces \"nowhere\" not found"),
        (JOBS, versioned, 400, "BadRequest", "resourceVersion should not be set on objects to be created"),
        (
            JOBS,
            other_version,
            400,
            "BadRequest",
            "Job in version \"v2\" cannot be handled as a Job: no kind \"Job\" is registered for version \"batch/v2\"",
        ),
        (
            JOBS,
            other_kind,
            400,
            "BadRequest",
            "CronJob in version \"v1\" cannot be handled as a Job: converting (v1.CronJob) to (batch.Job): unknown conversion",
        ),
        (
            JOBS,
            other_group,
            400,
            "BadRequest",
            "the API version in the data (v1) does not match the expected API version (batch/v1)",
        ),
        (
            JOBS,
            unknown_kind,
            400,
            "BadRequest",
            "Jab in version \"v1\" cannot be handled as a Job: no kind \"Jab\" is registered for version \"batch/v1\"",
        ),
        (
            "/apis/batch/v1/namespaces/default/jabs",
            job("a"),
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        (
            "/apis/batch/v2/namespaces/default/jobs",
            job("a"),
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        (
            "/apis/batch/v1/jobs",
            job("a"),
            405,
            "MethodNotAllowed",
            "create is not supported on resources of kind \"jobs.batch\"",
        ),
    ] {
        server.post(path, &body).await.expect_status(code, reason, message);
    }
}

#[tokio::test]
async fn an_invalid_object_is_422_with_causes() {
    let server = Server::new();
    let mut bad = job("a");
    bad["spec"]["parallelism"] = json!(-1);
    let reply = server.post(JOBS, &bad).await.expect_status(
        422,
        "Invalid",
        "Job.batch \"a\" is invalid: spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
    );
    assert_eq!(reply.json()["details"]["causes"][0]["field"], "spec.parallelism");
}

#[tokio::test]
async fn generated_names_are_new_each_time() {
    let server = Server::new();
    let mut nameless = job("");
    nameless["metadata"] = json!({"generateName": "run-"});
    let mut names = Vec::new();
    for _ in 0..3 {
        let created = server.post(JOBS, &nameless).await.expect(201).json();
        names.push(created["metadata"]["name"].as_str().unwrap().to_owned());
        assert_eq!(created["metadata"]["generateName"], "run-");
    }
    names.sort();
    names.dedup();
    assert!(names.len() == 3 && names.iter().all(|name| name.starts_with("run-") && name.len() == 9), "{names:?}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = Server::new();
    let dry = format!("{JOBS}?dryRun=All");
    let tried = server.post(&dry, &job("a")).await.expect(201).json();
    assert_eq!(tried["spec"]["completions"], 1);
    server.get(&format!("{JOBS}/a")).await.expect(404);
    server.post(JOBS, &job("a")).await.expect(201);
    server.post(&dry, &job("a")).await.expect(409);
    server.delete(&format!("{JOBS}/a?dryRun=All&propagationPolicy=Background")).await.expect(200);
    server.get(&format!("{JOBS}/a")).await.expect(200);
    let patched =
        server.patch(&format!("{JOBS}/a?dryRun=All"), "merge-patch+json", &json!({"spec": {"suspend": true}})).await;
    assert_eq!(patched.expect(200).json()["spec"]["suspend"], true);
    assert_eq!(server.get(&format!("{JOBS}/a")).await.json()["spec"]["suspend"], false);
    server.post(&format!("{JOBS}?dryRun=Some"), &job("b")).await.expect_status(
        422,
        "Invalid",
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\": supported values: \"All\"",
    );
}

#[tokio::test]
async fn field_validation_is_an_error_a_warning_or_nothing() {
    let server = Server::new();
    let mut odd = job("a");
    odd["spec"]["paralelism"] = json!(2);
    let at = |mode: &str| format!("{JOBS}?dryRun=All&fieldValidation={mode}");
    let refused = server.post(&at("Strict"), &odd).await.expect(400);
    assert_eq!(
        refused.message(),
        "Job in version \"v1\" cannot be handled as a Job: strict decoding error: unknown field \"spec.paralelism\" (did you mean \"parallelism\"?)"
    );
    let warned = server.post(&at("Warn"), &odd).await.expect(201);
    assert_eq!(
        warned.warnings(),
        ["299 - \"unknown field \\\"spec.paralelism\\\" (did you mean \\\"parallelism\\\"?)\""]
    );
    assert!(server.post(&at("Ignore"), &odd).await.expect(201).warnings().is_empty());
    assert!(!server.post(&format!("{JOBS}?dryRun=All"), &odd).await.expect(201).warnings().is_empty());
    server.post(&at("Often"), &odd).await.expect_status(
        422,
        "Invalid",
        "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Often\": supported values: \"Ignore\", \"Strict\", \"Warn\"",
    );
}

#[tokio::test]
async fn an_update_keeps_what_the_server_owns_and_loses_races() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}/a");
    let created = server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201).json();
    let mut changed = created.clone();
    changed["data"]["key"] = "other".into();
    changed["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    let updated = server.put(&path, &changed).await.expect(200).json();
    assert_eq!(updated["data"]["key"], "other");
    assert_eq!(updated["metadata"]["creationTimestamp"], created["metadata"]["creationTimestamp"]);
    assert_ne!(updated["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
    server.put(&path, &changed).await.expect_status(
        409,
        "Conflict",
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
    );
    let unconditional = config_map("a", json!({"x": "y"}));
    let updated = server.put(&path, &unconditional).await.expect(200).json();
    assert_eq!(updated["metadata"]["uid"], created["metadata"]["uid"]);
    // The same once more is no write.
    let again = server.put(&path, &unconditional).await.expect(200).json();
    assert_eq!(again["metadata"]["resourceVersion"], updated["metadata"]["resourceVersion"]);

    let mut foreign = unconditional.clone();
    foreign["metadata"]["uid"] = "another".into();
    server.put(&path, &foreign).await.expect(409);
    server.put(&path, &config_map("b", json!({}))).await.expect_status(
        400,
        "BadRequest",
        "the name of the object (b) does not match the name on the URL (a)",
    );
    server.put(&format!("{CONFIG_MAPS}/none"), &config_map("none", json!({}))).await.expect_status(
        404,
        "NotFound",
        "configmaps \"none\" not found",
    );
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let server = Server::new();
    let created = server.post(JOBS, &job("a")).await.expect(201).json();
    let mut both = created.clone();
    both["spec"]["suspend"] = true.into();
    both["status"]["active"] = 1.into();
    both["status"]["startTime"] = "2026-03-01T12:00:00Z".into();
    let updated = server.put(&format!("{JOBS}/a/status"), &both).await.expect(200).json();
    assert_eq!((&updated["spec"]["suspend"], &updated["status"]["active"]), (&json!(false), &json!(1)));
    assert_eq!(updated["metadata"]["generation"], 1);
    both["metadata"]["resourceVersion"] = updated["metadata"]["resourceVersion"].clone();
    both["status"]["active"] = 2.into();
    let updated = server.put(&format!("{JOBS}/a"), &both).await.expect(200).json();
    assert_eq!((&updated["spec"]["suspend"], &updated["status"]["active"]), (&json!(true), &json!(1)));
    assert_eq!(updated["metadata"]["generation"], 2);
    assert_eq!(server.get(&format!("{JOBS}/a/status")).await.expect(200).json(), updated);
}

#[tokio::test]
async fn head_answers_without_a_body() {
    let server = Server::new();
    let reply = server.send("HEAD", "/api/v1/namespaces", &[], "").await.expect(200);
    assert_eq!((reply.header("content-type"), reply.bytes.len()), ("application/json", 0));
}
