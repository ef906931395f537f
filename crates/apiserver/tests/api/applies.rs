//! Server-side apply, request by request.

use crate::harness::{CONFIG_MAPS, JOBS, PODS, Server, config_map, job, owners, pod};
use serde_json::{Value, json};

const MERGE: &str = "merge-patch+json";

fn map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

fn path() -> String {
    format!("{CONFIG_MAPS}/a")
}

#[tokio::test]
async fn what_is_not_there_is_created() {
    let server = Server::new();
    let made = server.apply(&path(), "one", "", &map(json!({"x": "1"}))).await.expect(201).json();
    assert_eq!(owners(&made), [r#"one Apply - 00:00 {"f:data":{"f:x":{}}}"#]);
    assert_eq!(made["metadata"]["namespace"], "default");
    // YAML is the same; the same again is nothing new.
    server.clock.advance(60);
    let yaml = "# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '1'\n";
    let headers = [("content-type", "application/apply-patch+yaml")];
    let again = server.send("PATCH", &format!("{}?fieldManager=one", path()), &headers, yaml).await.expect(200).json();
    assert_eq!(again, made);
    let dry = server.apply(&path(), "one", "&dryRun=All", &map(json!({"x": "2"}))).await.expect(200).json();
    assert_eq!((&dry["data"]["x"], owners(&dry).len()), (&json!("2"), 1));
    let dry = server
        .apply(
            &format!("{CONFIG_MAPS}/b"),
            "one",
            "&dryRun=All",
            &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}),
        )
        .await;
    dry.expect(201);
    assert_eq!(server.get(CONFIG_MAPS).await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(&path()).await.json(), made);
}

#[tokio::test]
async fn a_job_is_applied_with_its_defaults() {
    let server = Server::new();
    let path = format!("{JOBS}/a");
    let made = server.apply(&path, "kubectl", "&fieldValidation=Strict", &job("a")).await.expect(201).json();
    assert_eq!(
        owners(&made),
        [concat!(
            r#"kubectl Apply - 00:00 {"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"#,
            r#""f:command":{},"f:image":{},"f:name":{}}},"f:restartPolicy":{}}}}}"#
        )]
    );
    assert_eq!(made["spec"]["backoffLimit"], 6);
    let again = server.apply(&path, "kubectl", "", &job("a")).await.expect(200).json();
    assert_eq!(again, made);
}

#[tokio::test]
async fn conflicts_name_who_owns_what() {
    let server = Server::new();
    let path = format!("{JOBS}/a");
    server.apply(&path, "kubectl", "", &job("a")).await.expect(201);
    let patch = json!({"spec": {"backoffLimit": 2}});
    server.patch(&format!("{path}?fieldManager=kubectl-patch"), MERGE, &patch).await.expect(200);
    let mut config = job("a");
    config["spec"]["backoffLimit"] = json!(4);
    let refused = server.apply(&path, "kubectl", "", &config).await.expect(409).json();
    assert_eq!(
        refused,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 1 conflict: conflict with \"kubectl-patch\" using batch/v1: .spec.backoffLimit",
            "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".spec.backoffLimit",
                "message": "conflict with \"kubectl-patch\" using batch/v1"}]}})
    );
    config["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
    let message = server.apply(&path, "other", "&force=false", &config).await.expect(409).message();
    assert_eq!(
        message,
        "Apply failed with 2 conflicts: conflicts with \"kubectl\":\n- .spec.template.spec.containers[name=\"main\"].image\nconflicts with \"kubectl-patch\" using batch/v1:\n- .spec.backoffLimit"
    );
    config["spec"]["template"]["spec"]["containers"][0]["image"] = json!("kiln/demo");
    let forced = server.apply(&path, "other", "&force=true", &config).await.expect(200).json();
    assert_eq!(forced["spec"]["backoffLimit"], 4);
    assert!(!owners(&forced).iter().any(|entry| entry.starts_with("kubectl-patch")), "{:?}", owners(&forced));
    assert_eq!(owners(&forced).len(), 2);
}

#[tokio::test]
async fn what_is_no_longer_applied_goes_unless_another_has_it() {
    let server = Server::new();
    server.apply(&path(), "one", "", &map(json!({"x": "1", "y": "1", "z": "1"}))).await.expect(201);
    server.apply(&path(), "two", "", &map(json!({"y": "1"}))).await.expect(200);
    server.patch(&format!("{}?fieldManager=hand", path()), MERGE, &json!({"data": {"z": "2"}})).await.expect(200);
    let left = server.apply(&path(), "one", "", &map(json!({"w": "1"}))).await.expect(200).json();
    assert_eq!(left["data"], json!({"y": "1", "z": "2", "w": "1"}));
    let left =
        server.apply(&path(), "one", "", &json!({"apiVersion": "v1", "kind": "ConfigMap"})).await.expect(200).json();
    assert_eq!(left["data"], json!({"y": "1", "z": "2"}));
    // An apply that changed nothing but owners has no time, as in Kubernetes (kubernetes/kubernetes#127938).
    assert_eq!(
        owners(&left),
        [r#"two Apply - - {"f:data":{"f:y":{}}}"#, r#"hand Update - 00:00 {"f:data":{"f:z":{}}}"#]
    );
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let server = Server::new();
    server.apply(&path(), "one", "", &map(json!({}))).await.expect(201);
    let with = |field: &str, value: Value| {
        let mut config = map(json!({}));
        config["metadata"][field] = value;
        config
    };
    for (config, code, reason, message) in [
        (with("managedFields", json!([])), 400, "BadRequest", "metadata.managedFields must be nil"),
        (
            with("name", json!("b")),
            400,
            "BadRequest",
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            with("namespace", json!("b")),
            400,
            "BadRequest",
            "the namespace of the object (b) does not match the namespace on the request (default)",
        ),
        (
            with("uid", json!("u")),
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"a\": Precondition failed: UID in precondition: u, UID in object meta: ",
        ),
        (
            with("resourceVersion", json!("1")),
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again",
        ),
        (json!({}), 400, "BadRequest", "invalid object type: /, Kind="),
        (
            json!({"apiVersion": "batch/v1", "kind": "Job"}),
            400,
            "BadRequest",
            "invalid object type: batch/v1, Kind=Job",
        ),
        (
            json!([]),
            400,
            "BadRequest",
            "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "dta": {}}),
            500,
            "",
            "failed to create typed patch object (/; /v1, Kind=ConfigMap): .dta: field not declared in schema (did you mean \"data\"?)",
        ),
        (
            map(json!({"a": 1})),
            500,
            "",
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}",
        ),
    ] {
        let reply = server.apply(&path(), "one", "", &config).await.expect(code);
        let status = reply.json();
        assert!(reply.message().starts_with(message), "{config}: {}", reply.message());
        assert_eq!(status["reason"].as_str().unwrap_or(""), reason);
    }
    let headers = [("content-type", "application/apply-patch+yaml")];
    server.send("PATCH", &path(), &headers, "{}").await.expect_status(
        422,
        "Invalid",
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
    );
    let query = format!("{}?fieldManager=x", path());
    let reply = server.send("PATCH", &query, &headers, "a: b: c").await.expect(400);
    assert!(
        reply.message().starts_with("error decoding patch: error converting YAML to JSON: yaml:"),
        "{}",
        reply.message()
    );
    let twice = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","a":"2"}}"#;
    let reply = server.send("PATCH", &format!("{query}&fieldValidation=Strict"), &headers, twice).await;
    reply.expect_status(400, "BadRequest", "error strict decoding patch: duplicate field \"data.a\"");
    let warned = server.send("PATCH", &query, &headers, twice).await.expect(200);
    assert_eq!(warned.warnings(), [r#"299 - "duplicate field \"data.a\"""#]);
    let ignored = server.send("PATCH", &format!("{query}&fieldValidation=Ignore"), &headers, twice).await.expect(200);
    assert!(ignored.warnings().is_empty());
}

#[tokio::test]
async fn what_cannot_be_created() {
    let server = Server::new();
    let path = format!("{CONFIG_MAPS}/new");
    let config = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    server.apply(&path, "m", "", &config(json!({"name": "new", "uid": "u"}))).await.expect_status(
        409,
        "Conflict",
        "Operation cannot be fulfilled on configmaps \"new\": uid mismatch: the provided object specified uid u, and no existing object was found",
    );
    server.apply(&path, "m", "", &config(json!({}))).await.expect_status(
        400,
        "BadRequest",
        "the name of the object (new based on URL) was undeterminable: name must be provided",
    );
    let missing = server.apply(&format!("{JOBS}/none/status"), "m", "", &job("none")).await;
    missing.expect_status(404, "NotFound", "jobs.batch \"none\" not found");
    // What the kind's own rules refuse they refuse here too.
    let mut bad = job("bad");
    bad["spec"]["parallelism"] = json!(-1);
    let reply = server.apply(&format!("{JOBS}/bad"), "m", "", &bad).await.expect(422);
    assert!(reply.message().contains("spec.parallelism: Invalid value: -1"), "{}", reply.message());
}

#[tokio::test]
async fn a_status_is_applied_by_itself() {
    let server = Server::new();
    server.post(&format!("{PODS}?fieldManager=creator"), &pod("p")).await.expect(201);
    let config = |conditions: Value| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"priority": 3},
            "status": {"conditions": conditions}})
    };
    let path = format!("{PODS}/p/status");
    let ready = json!({"type": "example.com/Ready", "status": "True"});
    let more = json!({"type": "example.com/More", "status": "True"});
    server.apply(&path, "one", "", &config(json!([ready]))).await.expect(200);
    let both = server.apply(&path, "two", "", &config(json!([more]))).await.expect(200).json();
    assert_eq!(both["status"]["conditions"].as_array().unwrap().len(), 2);
    assert_ne!(both["spec"]["priority"], 3);
    let entry = concat!(
        r#"one Apply status 00:00 {"f:status":{"f:conditions":{"k:{\"type\":\"example.com/Ready\"}":{".":{},"#,
        r#""f:status":{},"f:type":{}}}}}"#
    );
    assert!(owners(&both).contains(&entry.to_owned()), "{:?}", owners(&both));
    let false_now = json!({"type": "example.com/Ready", "status": "False"});
    let refused = server.apply(&path, "two", "", &config(json!([more, false_now]))).await.expect(409).message();
    assert_eq!(
        refused,
        "Apply failed with 1 conflict: conflict with \"one\" with subresource \"status\": .status.conditions[type=\"example.com/Ready\"].status"
    );
    let left = server.apply(&path, "one", "", &config(json!(null))).await.expect(200).json();
    assert_eq!(left["status"]["conditions"], json!([more]));
}

#[tokio::test]
async fn what_was_there_before_anybody_was_noted_belongs_to_what_came_before() {
    let server = Server::new();
    server.post(CONFIG_MAPS, &config_map("a", json!({}))).await.expect(201);
    server.patch(&path(), MERGE, &json!({"metadata": {"managedFields": [{}]}})).await.expect(200);
    let message = server.apply(&path(), "m", "", &map(json!({"key": "other"}))).await.expect(409).message();
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.key");
    let applied = server.apply(&path(), "m", "", &map(json!({"key": "value", "x": "y"}))).await.expect(200).json();
    assert_eq!(
        owners(&applied),
        [
            r#"m Apply - 00:00 {"f:data":{"f:key":{},"f:x":{}}}"#,
            r#"before-first-apply Update - 00:00 {"f:data":{".":{},"f:key":{}}}"#,
        ]
    );
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[tokio::test]
async fn kubectl_goes_on_where_its_own_client_side_apply_left_off() {
    let server = Server::new();
    let mut made = map(json!({"x": "1", "y": "1"}));
    let applied = made.to_string();
    made["metadata"]["annotations"] = json!({LAST_APPLIED: applied});
    server.post(&format!("{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply"), &made).await.expect(201);
    let config = map(json!({"x": "2", "y": "1"}));
    // Under another name it is a conflict like any other.
    server.apply(&path(), "other", "", &config).await.expect(409);
    let mut taken = server.apply(&path(), "kubectl", "", &config).await.expect(200).json();
    assert_eq!(taken["data"]["x"], "2");
    let annotation = taken["metadata"]["annotations"][LAST_APPLIED].take();
    assert_eq!(
        annotation,
        "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"2\",\"y\":\"1\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}\n"
    );
    // What somebody changed since is not kubectl's any more.
    server.patch(&format!("{}?fieldManager=hand", path()), MERGE, &json!({"data": {"y": "7"}})).await.expect(200);
    let message = server.apply(&path(), "kubectl", "", &map(json!({"x": "3", "y": "2"}))).await.expect(409).message();
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"hand\" using v1: .data.y");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appliers_at_the_same_time_all_arrive() {
    let server = std::sync::Arc::new(Server::new());
    let tasks: Vec<_> = (0..8)
        .map(|index| {
            let server = server.clone();
            tokio::spawn(async move {
                let config = map(json!({format!("key-{index}"): "x"}));
                loop {
                    match server.apply(&path(), &format!("m{index}"), "", &config).await.code {
                        200 | 201 => break,
                        code => assert_eq!(code, 409),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let object = server.get(&path()).await.json();
    assert_eq!(object["data"].as_object().unwrap().len(), 8);
    assert_eq!(owners(&object).len(), 8);
}
