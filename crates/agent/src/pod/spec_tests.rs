use super::super::devices;
use super::*;
use serde_json::{Value, json};

fn identity() -> Identity {
    Identity { uid: 0, gid: 0, additional_gids: vec![], home: "/root".into() }
}

fn image() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/entry".into()],
        cmd: vec!["default".into()],
        working_dir: "/srv".into(),
        env: vec![("LANG".into(), "C".into())],
        ..ImageConfig::default()
    }
}

fn spec_of(pod_spec: Value, image: &ImageConfig) -> Result<Value, String> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": pod_spec}))
    .unwrap();
    let mut environment = Environment::default();
    environment.set("WHO", "you");
    let spec = build(&Ingredients {
        pod: &pod,
        container: &pod.spec.as_ref().unwrap().containers[0],
        image,
        identity: &identity(),
        environment: &environment,
        pod_dir: Path::new("/state/pods/u"),
        mounts: &Default::default(),
        termination_message: Path::new("/state/pods/u/termination/a.0"),
        hostname: "p",
        local_profile: None,
        devices: &devices::all(Path::new("/dev")),
        machine_memory_bytes: 1 << 30,
    })?;
    Ok(serde_json::to_value(spec).unwrap())
}

fn of_container(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("a");
    spec_of(json!({"containers": [container]}), &image()).unwrap()
}

#[test]
fn command_lines() {
    let args = |container| of_container(container)["process"]["args"].clone();
    assert_eq!(args(json!({})), json!(["/entry", "default"]));
    assert_eq!(args(json!({"args": ["hi $(WHO) $(date)"]})), json!(["/entry", "hi you $(date)"]));
    assert_eq!(args(json!({"command": ["sh"]})), json!(["sh"]));
    assert_eq!(args(json!({"command": ["sh"], "args": ["-c"]})), json!(["sh", "-c"]));
    let bare = spec_of(json!({"containers": [{"name": "a"}]}), &ImageConfig::default());
    assert_eq!(bare.unwrap_err(), "no command specified");
}

#[test]
fn environment_and_directory() {
    let process = of_container(json!({}))["process"].clone();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(process["env"], json!([path, "HOSTNAME=p", "LANG=C", "WHO=you", "HOME=/root"]));
    assert_eq!(process["cwd"], "/srv");
    let chosen = of_container(json!({"workingDir": "/tmp"}));
    assert_eq!(chosen["process"]["cwd"], "/tmp");
}

#[test]
fn capability_sets() {
    let set = |wanted: Value| -> Vec<String> {
        let spec = of_container(json!({"securityContext": {"capabilities": wanted}}));
        let list = &spec["process"]["capabilities"]["bounding"];
        let mut names: Vec<String> = serde_json::from_value(list.clone()).unwrap();
        names.sort();
        names
    };
    assert_eq!(set(json!({})).len(), 13);
    assert!(!set(json!({})).contains(&"CAP_MKNOD".to_owned()));
    assert_eq!(set(json!({"drop": ["ALL"]})), Vec::<String>::new());
    assert_eq!(set(json!({"drop": ["ALL"], "add": ["CAP_CHOWN", "kill"]})), ["CAP_CHOWN", "CAP_KILL"]);
    assert_eq!(set(json!({"add": ["ALL"], "drop": ["SYS_ADMIN"]})).len(), 40);
    let unknown = json!({"containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["FLY"]}}}]});
    assert_eq!(spec_of(unknown, &image()).unwrap_err(), "unknown capability \"FLY\"");
}

#[test]
fn only_a_false_forbids_new_privileges() {
    let escalation = |value: Value| {
        of_container(json!({"securityContext": {"allowPrivilegeEscalation": value}}))["process"]["noNewPrivileges"]
            .clone()
    };
    assert_eq!(escalation(json!(null)), false);
    assert_eq!(escalation(json!(true)), false);
    assert_eq!(escalation(json!(false)), true);
}

#[test]
fn containers_are_confined_unless_they_say_otherwise() {
    let is_confined = |pod: Value, container: Value| {
        let spec = json!({"securityContext": pod, "containers": [{"name": "a", "securityContext": container}]});
        !spec_of(spec, &image()).unwrap()["linux"]["seccomp"].is_null()
    };
    let unconfined = || json!({"seccompProfile": {"type": "Unconfined"}});
    let default = || json!({"seccompProfile": {"type": "RuntimeDefault"}});
    assert!(is_confined(json!({}), json!({})));
    assert!(!is_confined(unconfined(), json!({})));
    assert!(!is_confined(json!({}), unconfined()));
    assert!(is_confined(unconfined(), default()));
}

#[test]
fn volumes_are_mounted_outer_first_and_may_replace_the_pods_own_files() {
    let spec = spec_of(
        json!({"volumes": [{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}],
            "containers": [{"name": "a", "volumeMounts": [
                {"name": "c", "mountPath": "/data/conf"}, {"name": "e", "mountPath": "/data"},
                {"name": "c", "mountPath": "/etc/hosts"}]}]}),
        &image(),
    )
    .unwrap();
    let mounts: Vec<(String, String)> = spec["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount["type"] == "bind")
        .map(|mount| {
            let options: Vec<String> = serde_json::from_value(mount["options"].clone()).unwrap();
            (mount["destination"].as_str().unwrap().to_owned(), options.join(","))
        })
        .collect();
    let expect = [
        ("/etc/hostname", "bind,rw"),
        ("/etc/resolv.conf", "bind,rw"),
        ("/dev/termination-log", "bind,rw"),
        ("/data", "rbind,rprivate,rw"),
        ("/data/conf", "rbind,rprivate,ro"),
        ("/etc/hosts", "rbind,rprivate,ro"),
    ];
    // Equal depth keeps the order of the spec.
    assert_eq!(mounts, expect.map(|(to, options)| (to.to_owned(), options.to_owned())));
}

#[test]
fn a_guaranteed_pod_is_the_last_to_be_killed() {
    let spec = of_container(json!({"resources": {"limits": {"cpu": "500m", "memory": "128Mi"}}}));
    assert_eq!(spec["process"]["oomScoreAdj"], -997);
}

#[test]
fn the_hosts_network_is_the_hosts() {
    let kinds = |host_network: bool| -> Vec<String> {
        let spec = json!({"hostNetwork": host_network, "containers": [{"name": "a"}]});
        let spec = spec_of(spec, &image()).unwrap();
        let list = spec["linux"]["namespaces"].as_array().unwrap().clone();
        list.iter().map(|namespace| namespace["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(true), ["pid", "mount", "ipc", "uts", "cgroup"]);
    assert_eq!(kinds(false), ["pid", "mount", "ipc", "uts", "cgroup", "network"]);
}
