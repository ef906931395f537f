//! The pods that are run by both runtimes. Each differs from a plain one in what its name says.

use serde_json::{Value, json};
use std::path::Path;

/// One pod.
pub struct Case {
    pub name: &'static str,
    /// Fields of its container.
    pub container: Value,
    /// Fields of its spec.
    pub spec: Value,
    /// Directories whose files are listed.
    pub listed: &'static [&'static str],
}

fn case(name: &'static str, container: Value, spec: Value) -> Case {
    Case { name, container, spec, listed: &[] }
}

fn context(name: &'static str, context: Value) -> Case {
    case(name, json!({"securityContext": context}), json!({}))
}

/// All of them. `shared` is a directory of the machine with a file in it.
pub fn corpus(shared: &Path) -> Vec<Case> {
    let mut cases = vec![case("plain", json!({}), json!({}))];
    cases.extend(identities());
    cases.extend(privileges());
    cases.extend(resources());
    cases.extend(surroundings());
    cases.extend(volumes(shared));
    cases
}

fn identities() -> Vec<Case> {
    let groups = json!({"runAsUser": 1234, "runAsGroup": 2345, "supplementalGroups": [7, 3000], "fsGroup": 999});
    vec![
        context("user", json!({"runAsUser": 1234})),
        context("user-and-group", json!({"runAsUser": 1234, "runAsGroup": 2345})),
        Case {
            listed: &["/work"],
            ..case(
                "groups",
                json!({"volumeMounts": [{"name": "work", "mountPath": "/work"}]}),
                json!({"securityContext": groups, "volumes": [{"name": "work", "emptyDir": {}}]}),
            )
        },
        context("user-of-the-image", json!({"runAsUser": 33})),
    ]
}

fn privileges() -> Vec<Case> {
    let capabilities = |add: Value, drop: Value| json!({"capabilities": {"add": add, "drop": drop}});
    let mut of_a_user = capabilities(json!(["NET_BIND_SERVICE", "SYS_TIME"]), json!(["ALL"]));
    of_a_user["runAsUser"] = 1234.into();
    vec![
        context("capabilities", capabilities(json!(["NET_ADMIN", "SYS_TIME"]), json!(["CHOWN", "NET_RAW"]))),
        context("no-capabilities", capabilities(json!([]), json!(["ALL"]))),
        context("all-capabilities", capabilities(json!(["ALL"]), json!([]))),
        context("capabilities-of-a-user", of_a_user),
        context("node-maker", capabilities(json!(["MKNOD"]), json!([]))),
        context("no-new-privileges", json!({"allowPrivilegeEscalation": false, "runAsUser": 1234})),
        context("privileged", json!({"privileged": true})),
        context("privileged-user", json!({"privileged": true, "runAsUser": 1234})),
        context("unconfined", json!({"seccompProfile": {"type": "Unconfined"}})),
        context("runtime-default", json!({"seccompProfile": {"type": "RuntimeDefault"}, "procMount": "Default"})),
        case(
            "read-only-root",
            json!({"securityContext": {"readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "work", "mountPath": "/tmp"}, {"name": "work", "mountPath": "/opt/made/for/it"},
                    {"name": "work", "mountPath": "/root/below/a/mask"}]}),
            json!({"volumes": [{"name": "work", "emptyDir": {}}]}),
        ),
    ]
}

fn resources() -> Vec<Case> {
    let resources = |resources: Value| json!({"resources": resources});
    let limits = json!({"cpu": "500m", "memory": "64Mi"});
    vec![
        case("limits", resources(json!({"limits": limits})), json!({})),
        case("cpu-limit", resources(json!({"limits": {"cpu": "2"}, "requests": {"cpu": "100m"}})), json!({})),
        case("memory-limit", resources(json!({"limits": {"memory": "64Mi"}})), json!({})),
        case("requests", resources(json!({"requests": {"cpu": "250m", "memory": "32Mi"}})), json!({})),
    ]
}

fn surroundings() -> Vec<Case> {
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let environment = json!([
        {"name": "PLAIN", "value": "two words"}, {"name": "EMPTY", "value": ""}, {"name": "COMPOSED", "value": "$(PLAIN)-$(NOBODY)"},
        {"name": "POD", "valueFrom": field("metadata.name")}, {"name": "ACCOUNT", "valueFrom": field("spec.serviceAccountName")},
        {"name": "HOME", "value": "/tmp"}, {"name": "LINES_OF_TEXT", "value": "ä\u{1f980}\"'\\"},
    ]);
    let sysctls = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"},
        {"name": "kernel.shm_rmid_forced", "value": "1"}, {"name": "net.ipv4.ping_group_range", "value": "0 42"}]);
    let names = json!({"hostname": "front", "subdomain": "web", "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["a.example", "b.example"]}],
        "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.1.2.4"], "searches": ["example"], "options": [{"name": "ndots", "value": "2"}]}});
    let neighbour = "for name in cgroup ipc mnt net pid user uts; do echo $name $(readlink /proc/self/ns/$name); done >/neighbour/new
        touch /dev/shm/left; mv /neighbour/new /neighbour/namespaces; trap 'exit 0' TERM; while :; do sleep 0.1; done";
    let common = json!([{"name": "common", "mountPath": "/neighbour"}]);
    let sidecar = json!({"initContainers": [{"name": "neighbour", "image": "kiln/host", "restartPolicy": "Always",
        "command": ["sh", "-c", neighbour], "volumeMounts": common,
        "startupProbe": {"exec": {"command": ["test", "-e", "/neighbour/namespaces"]}, "periodSeconds": 1}}],
        "volumes": [{"name": "common", "emptyDir": {}}]});
    vec![
        case("neighbours", json!({"volumeMounts": common}), sidecar),
        case("environment", json!({"env": environment}), json!({})),
        case("host-network", json!({}), json!({"hostNetwork": true})),
        case("sysctls", json!({}), json!({"securityContext": {"sysctls": sysctls}})),
        case("names", json!({}), names),
        case("terminal", json!({"tty": true, "stdin": true}), json!({})),
        case("terminal-of-a-user", json!({"tty": true, "securityContext": {"runAsUser": 1234}}), json!({})),
        case("input", json!({"stdin": true, "stdinOnce": true}), json!({})),
        case("made-working-directory", json!({"workingDir": "/work/made/for/it"}), json!({})),
        case("last-words", json!({"terminationMessagePath": "/opt/words/last"}), json!({})),
        case(
            "no-service-links",
            json!({}),
            json!({"enableServiceLinks": false, "automountServiceAccountToken": false}),
        ),
    ]
}

fn volumes(shared: &Path) -> Vec<Case> {
    let of_machine = |name: &str, path: &Path| json!({"name": name, "hostPath": {"path": path}});
    let volumes = json!([
        {"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "settings", "configMap": {"name": "settings", "defaultMode": 0o440}}, {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "self", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "keys"}}]}},
        of_machine("dir", shared), of_machine("file", &shared.join("file")), of_machine("null", "/dev/null".as_ref()),
        of_machine("zero-dir", "/dev".as_ref()),
    ]);
    let mounts = json!([
        {"name": "disk", "mountPath": "/v/disk"}, {"name": "disk", "mountPath": "/v/part", "subPath": "a/b"},
        {"name": "disk", "mountPath": "/v/part-readonly", "subPath": "a", "readOnly": true},
        {"name": "memory", "mountPath": "/v/memory"}, {"name": "memory", "mountPath": "/v/disk/below"},
        {"name": "settings", "mountPath": "/v/settings"}, {"name": "settings", "mountPath": "/v/one", "subPath": "colour"},
        {"name": "keys", "mountPath": "/v/keys"}, {"name": "self", "mountPath": "/v/self"}, {"name": "all", "mountPath": "/v/all"},
        {"name": "dir", "mountPath": "/v/dir"}, {"name": "dir", "mountPath": "/v/dir-readonly", "readOnly": true},
        {"name": "file", "mountPath": "/v/file"}, {"name": "null", "mountPath": "/v/null"},
        {"name": "disk", "mountPath": "/usr/share/made-for-it"}, {"name": "zero-dir", "mountPath": "/v/devices"},
    ]);
    let listed = &[
        "/v/disk",
        "/v/part",
        "/v/memory",
        "/v/settings",
        "/v/one",
        "/v/keys",
        "/v/self",
        "/v/all",
        "/v/dir",
        "/v/file",
        "/v/null",
    ];
    let prepare = json!([{"name": "prepare", "image": "kiln/host", "command": ["sh", "-c", "umask 027; echo x >/v/disk/x; mkdir /v/disk/y"],
        "volumeMounts": [{"name": "disk", "mountPath": "/v/disk"}]}]);
    let shm = json!({"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]});
    vec![
        Case {
            listed,
            ..case("volumes", json!({"volumeMounts": mounts}), json!({"volumes": volumes, "initContainers": prepare}))
        },
        case("own-shared-memory", json!({"volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}]}), shm),
    ]
}
