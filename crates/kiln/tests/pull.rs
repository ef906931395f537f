//! Images from a real registry, Debian's docker-registry on the loopback: by hand, and for pods as kubectl sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::registry::{Door, Gate, Registry, digest, gzip};
use support::{Server, kiln, kubectl, stderr, stdout, wait_for};

#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
    stdout(output)
}

fn image(images: &Path, arguments: &[&str]) -> Output {
    kiln(arguments).env("KILN_IMAGE_DIR", images).output().unwrap()
}

fn pod(name: &str, image: &str, extra: Value) -> String {
    let mut spec = json!({"restartPolicy": "Never", "containers": [
        {"name": "c", "image": image, "command": ["sh", "-c", "echo it runs; cat /etc/passwd | head -n 1"]}]});
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).to_string()
}

#[track_caller]
fn apply(server: &Server, manifest: &str) {
    ok(&server.with_input(&kubectl(), &["apply", "-f", "-"], manifest));
}

fn get(server: &Server, what: &[&str]) -> Value {
    let arguments = [&["get", "-o", "json"], what].concat();
    serde_json::from_str(&server.ok(&kubectl(), &arguments)).unwrap()
}

/// Reasons and messages of a pod's events.
fn events(server: &Server, name: &str) -> Vec<(String, String)> {
    let list = get(server, &["events", "--field-selector", &format!("involvedObject.name={name}")]);
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    list["items"].as_array().unwrap().iter().map(|event| (text(event, "reason"), text(event, "message"))).collect()
}

fn wait_for_event(server: &Server, name: &str, reason: &str, says: &str) {
    wait_for(&format!("an event {reason} {says:?} of {name}"), || {
        events(server, name).iter().any(|(r, m)| r == reason && m.contains(says)).then_some(())
    });
}

fn waiting(server: &Server, name: &str) -> (String, String) {
    let pod = get(server, &["pod", name]);
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    let text = |key: &str| waiting[key].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

#[test]
fn an_image_is_pulled_listed_run_and_removed() {
    let registry = Registry::start();
    registry.push_built("busybox", "team/busybox:1.35", gzip);
    registry.push_built("busybox", "team/busybox:zstd", |layer| zstd::encode_all(layer, 3).unwrap());
    let images = tempfile::tempdir().unwrap();
    let name = registry.image("team/busybox:1.35");
    let pulled = image(images.path(), &["image", "pull", &name]);
    assert_eq!(ok(&pulled), format!("{name}\n"));
    assert!(stderr(&pulled).contains(&format!("pulled {name}: ")), "{}", stderr(&pulled));
    let again = image(images.path(), &["image", "pull", &name]);
    assert!(stderr(&again).contains("every layer was here already"), "{}", stderr(&again));
    let zstd = registry.image("team/busybox:zstd");
    let same_layer = image(images.path(), &["image", "pull", &zstd]);
    assert!(stderr(&same_layer).contains("every layer was here already"), "one diffID: {}", stderr(&same_layer));
    let listed = ok(&image(images.path(), &["image", "ls"]));
    assert!(listed.lines().any(|line| line.starts_with(&name) && line.contains(" MB")), "{listed}");
    ok(&image(images.path(), &["image", "rm", &name, &zstd]));
    ok(&image(images.path(), &["image", "pull", &zstd]));
    let run = image(images.path(), &["run", "--ephemeral", "--image", &zstd, "--", "sh", "-c", "busybox | head -n 1"]);
    assert!(ok(&run).starts_with("BusyBox v1.35"), "{}", stdout(&run));
    ok(&image(images.path(), &["image", "rm", &zstd]));
    assert_eq!(std::fs::read_dir(images.path().join("layers")).unwrap().count(), 0);
    // Without one that is here, `run` pulls.
    ok(&image(images.path(), &["run", "--ephemeral", "--image", &name, "--", "true"]));
    let absent = image(images.path(), &["image", "pull", &registry.image("team/busybox:9")]);
    assert_eq!(absent.status.code(), Some(2));
    let text = stderr(&absent);
    assert!(text.contains(": not found\n") && text.contains("to do: check the name and the tag"), "{text}");
}

#[test]
fn an_index_gives_the_image_for_this_machine_and_a_digest_names_it() {
    let registry = Registry::start();
    let mut ours = registry.push_built("busybox", "app:here", gzip);
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let layer = gzip(b"not for here");
    let config =
        json!({"os": "linux", "architecture": "s390x", "rootfs": {"type": "layers", "diff_ids": [digest(b"x")]}});
    let mut other = registry.push("app:other", config.to_string().as_bytes(), &[layer]);
    other["platform"] = json!({"os": "linux", "architecture": "s390x"});
    ours["platform"] = json!({"os": "linux", "architecture": machine});
    let index = "application/vnd.oci.image.index.v1+json";
    let pushed = registry.push_manifest(
        "app",
        "1",
        index,
        &json!({"schemaVersion": 2, "mediaType": index, "manifests": [other, ours]}),
    );
    let images = tempfile::tempdir().unwrap();
    let by_digest = registry.image(&format!("app@{}", pushed["digest"].as_str().unwrap()));
    for name in [registry.image("app:1"), by_digest] {
        ok(&image(images.path(), &["image", "pull", &name]));
        ok(&image(images.path(), &["run", "--ephemeral", "--image", &name, "--", "true"]));
    }
    let foreign = image(images.path(), &["image", "pull", &registry.image("app:other")]);
    assert!(stderr(&foreign).contains("the image is for linux/s390x, this machine is linux/"), "{}", stderr(&foreign));
}

#[test]
fn a_private_registry_wants_its_authority_and_a_password() {
    let registry = Registry::start();
    registry.push_built("busybox", "team/busybox:1", gzip);
    let private = registry.with_door(Door::HttpsWithPassword);
    let (images, name) = (tempfile::tempdir().unwrap(), private.image("team/busybox:1"));
    let file = images.path().join("registries.yaml");
    let pull = |yaml: String| {
        std::fs::write(&file, yaml).unwrap();
        image(images.path(), &["image", "pull", &name, "--registries", file.to_str().unwrap()])
    };
    let host = private.address;
    let ca = private.ca_file();
    let ca = ca.display();
    let auth = |password: &str| format!("auth: {{username: user, password: {password}}}");
    let unknown = pull(format!("configs: {{'{host}': {{tls: {{insecure_skip_verify: false}}, {}}}}}", auth("secret")));
    assert!(stderr(&unknown).contains("invalid peer certificate: UnknownIssuer"), "{}", stderr(&unknown));
    let nobody = pull(format!("configs: {{'{host}': {{tls: {{ca_file: {ca}}}}}}}"));
    let text = stderr(&nobody);
    assert!(text.contains("pull access denied") && text.contains("imagePullSecrets"), "{text}");
    let wrong = pull(format!("configs: {{'{host}': {{tls: {{ca_file: {ca}}}, {}}}}}", auth("guess")));
    assert!(stderr(&wrong).contains("pull access denied") && !stderr(&wrong).contains("guess"), "{}", stderr(&wrong));
    ok(&pull(format!("configs: {{'{host}': {{tls: {{ca_file: {ca}}}, {}}}}}", auth("secret"))));
    ok(&pull(format!("configs: {{'{host}': {{tls: {{insecure_skip_verify: true}}, {}}}}}", auth("secret"))));
    let mistaken = pull("mirror: {}".into());
    assert_eq!(mistaken.status.code(), Some(2));
    assert!(
        stderr(&mistaken).contains("cause: mirror: no such field (there are mirrors, configs)"),
        "{}",
        stderr(&mistaken)
    );
    let missing = image(images.path(), &["image", "pull", &name, "--registries", "/nowhere/registries.yaml"]);
    assert!(
        stderr(&missing).contains("cannot use the registries file /nowhere/registries.yaml"),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn ten_pods_pull_the_guides_image_once_through_a_mirror() {
    let registry = Registry::start();
    registry.push_built("busybox", "library/busybox:1.35", gzip);
    let server = Server::with_mirror(registry.address);
    let manifests: Vec<String> = (0..10).map(|i| pod(&format!("p{i}"), "busybox:1.35", json!({}))).collect();
    apply(&server, &manifests.join("\n---\n"));
    let args = ["wait", "pod", "--all", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=80s"];
    server.ok(&kubectl(), &args);
    assert_eq!(server.ok(&kubectl(), &["logs", "p7"]), "it runs\nroot:x:0:0:root:/root:/bin/sh\n");
    assert_eq!(registry.requests("\"GET /v2/library/busybox/manifests/1.35"), 1);
    assert_eq!(registry.requests("\"GET /v2/library/busybox/blobs/"), 2, "the configuration and one layer");
    let status = &get(&server, &["pod", "p0"])["status"]["containerStatuses"][0];
    assert_eq!(status["image"], "docker.io/library/busybox:1.35");
    assert!(status["imageID"].as_str().unwrap().starts_with("docker.io/library/busybox@sha256:"), "{status}");
    wait_for_event(&server, "p0", "Pulling", "Pulling image \"busybox:1.35\"");
    wait_for_event(&server, "p0", "Pulled", "Successfully pulled image \"busybox:1.35\" in ");
    // Present now: not asked for again, unless the policy says so.
    apply(&server, &pod("later", "busybox:1.35", json!({})));
    wait_for_event(
        &server,
        "later",
        "Pulled",
        "Container image \"busybox:1.35\" already present on machine and can be accessed by the pod",
    );
    assert_eq!(registry.requests("\"GET /v2/library/busybox/manifests/1.35"), 1);
    let mut always: Value = serde_json::from_str(&pod("always", "busybox:1.35", json!({}))).unwrap();
    always["spec"]["containers"][0]["imagePullPolicy"] = json!("Always");
    apply(&server, &always.to_string());
    wait_for_event(&server, "always", "Pulled", "Successfully pulled image \"busybox:1.35\" in ");
    assert_eq!(registry.requests("\"GET /v2/library/busybox/manifests/1.35"), 2);
    assert_eq!(registry.requests("\"GET /v2/library/busybox/blobs/"), 2);
    let mut never: Value = serde_json::from_str(&pod("never", "perl:5", json!({}))).unwrap();
    never["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    apply(&server, &never.to_string());
    wait_for_event(
        &server,
        "never",
        "ErrImageNeverPull",
        "Container image \"perl:5\" is not present with pull policy of Never",
    );
}

#[test]
fn a_missing_tag_backs_off_and_is_taken_once_it_is_there() {
    let registry = Registry::start();
    let server = Server::with_mirror(registry.address);
    // Only the mirror is asked in words that the test knows; what the registry itself says depends on the network.
    let name = registry.image("team/busybox:soon");
    apply(&server, &pod("p", &name, json!({})));
    wait_for("the back-off", || (waiting(&server, "p").0 == "ImagePullBackOff").then_some(()));
    let not_found = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
    );
    assert_eq!(waiting(&server, "p").1, format!("Back-off pulling image \"{name}\": ErrImagePull: {not_found}"));
    wait_for_event(&server, "p", "Failed", &format!("Failed to pull image \"{name}\": {not_found}"));
    wait_for_event(&server, "p", "Failed", "Error: ErrImagePull");
    wait_for_event(&server, "p", "BackOff", &format!("Back-off pulling image \"{name}\""));
    wait_for_event(&server, "p", "Failed", "Error: ImagePullBackOff");
    assert_eq!(get(&server, &["pod", "p"])["status"]["phase"], "Pending");
    registry.push_built("busybox", "team/busybox:soon", gzip);
    server.ok(&kubectl(), &["wait", "pod/p", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=80s"]);
}

#[test]
fn pull_secrets_open_a_private_registry_to_their_pods_alone() {
    let registry = Registry::start();
    registry.push_built("busybox", "team/busybox:1", gzip);
    let private = registry.with_door(Door::HttpsWithPassword);
    let directory = tempfile::Builder::new().prefix("kiln-test-").tempdir().unwrap();
    let (host, ca) = (private.address, private.ca_file());
    let yaml = format!("configs: {{'{host}': {{tls: {{ca_file: '{}'}}}}}}\n", ca.display());
    std::fs::write(directory.path().join("registries.yaml"), yaml).unwrap();
    let server = Server::start_in(directory);
    let (name, server_arg) = (private.image("team/busybox:1"), format!("--docker-server={host}"));
    let secret = [
        "create",
        "secret",
        "docker-registry",
        "mine",
        "--docker-username=user",
        "--docker-password=secret",
        &server_arg,
    ];
    server.ok(&kubectl(), &secret);
    apply(&server, &pod("without", &name, json!({})));
    wait_for_event(&server, "without", "Failed", "pull access denied");
    apply(&server, &pod("with", &name, json!({"imagePullSecrets": [{"name": "mine"}]})));
    server.ok(&kubectl(), &["wait", "pod/with", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=80s"]);
    // It is on the machine now, and still not for everybody.
    apply(&server, &pod("thief", &name, json!({"imagePullSecrets": [{"name": "gone"}]})));
    wait_for_event(
        &server,
        "thief",
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (gone)",
    );
    wait_for_event(&server, "thief", "Failed", "pull access denied");
    let account = r#"{"imagePullSecrets": [{"name": "mine"}]}"#;
    server.ok(&kubectl(), &["patch", "serviceaccount", "default", "-p", account]);
    apply(&server, &pod("by-account", &name, json!({})));
    server.ok(&kubectl(), &["wait", "pod/by-account", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=80s"]);
    wait_for_event(&server, "by-account", "Pulled", "already present on machine and can be accessed by the pod");
    assert!(!server.log().contains("dXNlcjpzZWNyZXQ"), "no credentials in the log");
}

#[test]
fn a_server_killed_while_it_pulls_goes_on_where_whole_layers_end() {
    let registry = Registry::start();
    registry.push_built("busybox", "library/busybox:1.35", gzip);
    // The manifest and the configuration pass, and a part of the layer.
    let gate = Gate::before(registry.address, 100_000);
    let mut server = Server::with_mirror(gate.address);
    apply(&server, &pod("p", "busybox:1.35", json!({})));
    let images = server.data_dir().join("images");
    let count = |name: &str| std::fs::read_dir(images.join(name)).map_or(0, Iterator::count);
    wait_for("the layer to be on its way", || (0 < count("tmp")).then_some(()));
    server.kill();
    assert_eq!(count("layers"), 0, "half a layer has no place");
    gate.open();
    server.restart();
    server.ok(&kubectl(), &["wait", "pod/p", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=80s"]);
    assert_eq!((count("layers"), count("tmp")), (1, 0));
    // A pod that is deleted while its image comes does not wait for it.
    registry.push_built("busybox", "library/busybox:slow", |layer| zstd::encode_all(layer, 1).unwrap());
    let stuck = Gate::before(registry.address, 0);
    std::fs::write(
        server.directory.path().join("registries.yaml"),
        format!("mirrors: {{docker.io: {{endpoint: ['http://{}']}}}}\n", stuck.address),
    )
    .unwrap();
    apply(&server, &pod("q", "busybox:slow", json!({})));
    wait_for_event(&server, "q", "Pulling", "busybox:slow");
    server.ok(&kubectl(), &["delete", "pod", "q", "--timeout=20s"]);
    assert_eq!(count("tmp"), 0);
    server.ok(&kubectl(), &["delete", "pod", "p", "--timeout=60s"]);
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(server.traces(), Vec::<String>::new());
}
