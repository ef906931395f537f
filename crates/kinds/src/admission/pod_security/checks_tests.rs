use super::*;
use serde_json::json;

const BASELINE_LATEST: Rules = Rules { level: Level::Baseline, version: Version::Latest };
const RESTRICTED_LATEST: Rules = Rules { level: Level::Restricted, version: Version::Latest };

fn told(rules: Rules, spec: Value, annotations: Value) -> String {
    let metadata = json!({"annotations": annotations});
    details(&evaluate(rules, Pod { metadata: &metadata, spec: &spec }))
}

fn baseline(spec: Value) -> String {
    told(BASELINE_LATEST, spec, json!(null))
}

/// A container that the strictest level lets in, with more in its security context.
fn safe(name: &str, more: Value) -> Value {
    let mut context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    for (key, value) in more.as_object().unwrap() {
        context[key] = value.clone();
    }
    json!({"name": name, "securityContext": context})
}

fn restricted(containers: Value) -> String {
    told(RESTRICTED_LATEST, json!({"containers": containers}), json!(null))
}

#[test]
fn an_ordinary_pod_is_baseline_and_not_restricted() {
    let spec = json!({"containers": [{"name": "c"}], "volumes": [{"name": "v", "emptyDir": {}}]});
    assert_eq!(baseline(spec.clone()), "");
    assert_eq!(
        told(RESTRICTED_LATEST, spec, json!(null)),
        "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), \
         unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), \
         runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true), \
         seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    );
    assert_eq!(restricted(json!([safe("a", json!({})), safe("b", json!({}))])), "");
}

#[test]
fn baseline_texts() {
    let container = |context: Value| json!([{"name": "a", "securityContext": context}]);
    for (spec, expect) in [
        (
            json!({"hostNetwork": true, "hostIPC": true, "hostPID": true}),
            "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
        ),
        (
            json!({"containers": [{"name": "a", "ports": [{"hostPort": 80}, {"hostPort": 9}]}, {"name": "b", "ports": [{"hostPort": 80}, {}]}]}),
            "hostPort (containers \"a\", \"b\" use hostPorts 80, 9)",
        ),
        (
            json!({"containers": container(json!({"privileged": true}))}),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            json!({"containers": container(json!({"procMount": "Unmasked"}))}),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            json!({"securityContext": {"seLinuxOptions": {"user": "u"}}, "containers": container(json!({"seLinuxOptions": {"type": "t", "role": "r"}}))}),
            "seLinuxOptions (pod and container \"a\" set forbidden securityContext.seLinuxOptions: type \"t\"; user may not be set; role may not be set)",
        ),
        (
            json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            json!({"containers": container(json!({"capabilities": {"add": ["NET_ADMIN", "CHOWN", "BPF"]}}))}),
            "non-default capabilities (container \"a\" must not include \"BPF\", \"NET_ADMIN\" in securityContext.capabilities.add)",
        ),
        (
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "hostPath": {}}]}),
            "hostPath volumes (volumes \"v\", \"w\")",
        ),
        (
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            json!({"containers": container(json!({"windowsOptions": {"hostProcess": true}}))}),
            "hostProcess (container \"a\" must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            json!({"initContainers": [{"name": "i", "lifecycle": {"preStop": {"httpGet": {"host": "h"}}}}]}),
            "probe or lifecycle host (container \"i\" uses probe or lifecycle host \"h\")",
        ),
        (
            json!({"containers": container(json!({"appArmorProfile": {"type": "Unconfined"}}))}),
            "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \"Unconfined\")",
        ),
    ] {
        assert_eq!(baseline(spec), expect);
    }
    let annotations = json!({"container.apparmor.security.beta.kubernetes.io/a": "unconfined"});
    assert_eq!(
        told(BASELINE_LATEST, json!({}), annotations),
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to \"container.apparmor.security.beta.kubernetes.io/a=\\\"unconfined\\\"\")"
    );
}

#[test]
fn restricted_texts() {
    for (containers, expect) in [
        (
            json!([safe("a", json!({"allowPrivilegeEscalation": true}))]),
            "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
        ),
        (
            json!([safe("a", json!({"capabilities": {"drop": ["KILL"], "add": ["CHOWN", "NET_BIND_SERVICE"]}}))]),
            "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"a\" must not include \"CHOWN\" in securityContext.capabilities.add)",
        ),
        (
            json!([safe("a", json!({"runAsNonRoot": false}))]),
            "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
        ),
        (json!([safe("a", json!({"runAsUser": 0}))]), "runAsUser=0 (container \"a\" must not set runAsUser=0)"),
        (
            json!([safe("a", json!({"seccompProfile": {"type": "Unconfined"}}))]),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
    ] {
        assert_eq!(restricted(containers), expect);
    }
    let volumes = json!({"containers": [], "volumes": [{"name": "a", "nfs": {}}, {"name": "b", "hostPath": {}}, {"name": "c", "secret": {}}]});
    assert_eq!(
        told(RESTRICTED_LATEST, volumes, json!(null)),
        "restricted volume types (volumes \"a\", \"b\" use restricted volume types \"hostPath\", \"nfs\")"
    );
}

#[test]
fn a_pods_word_stands_for_its_containers() {
    let mut spec = json!({"containers": [safe("a", json!({"runAsNonRoot": null, "seccompProfile": null}))]});
    assert_ne!(told(RESTRICTED_LATEST, spec.clone(), json!(null)), "");
    spec["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "Localhost"}});
    assert_eq!(told(RESTRICTED_LATEST, spec, json!(null)), "");
}

#[test]
fn older_versions_have_the_rules_of_their_time() {
    let at = |level, minor| Rules { level, version: Version::Minor(minor) };
    let root = json!({"containers": [safe("a", json!({"runAsUser": 0}))]});
    assert_eq!(told(at(Level::Restricted, 22), root.clone(), json!(null)), "");
    assert_ne!(told(at(Level::Restricted, 23), root, json!(null)), "");
    let sysctl = json!({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}});
    assert_ne!(told(at(Level::Baseline, 31), sysctl.clone(), json!(null)), "");
    assert_eq!(told(at(Level::Baseline, 32), sysctl, json!(null)), "");
    let profile = json!({"seccomp.security.alpha.kubernetes.io/pod": "unconfined"});
    assert_eq!(
        told(at(Level::Baseline, 18), json!({}), profile.clone()),
        "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")"
    );
    assert_eq!(told(at(Level::Baseline, 19), json!({}), profile), "");
    assert_eq!(told(at(Level::Privileged, 19), json!({"hostPID": true}), json!(null)), "");
}

#[test]
fn pods_of_any_shape_are_looked_at() {
    for odd in [
        json!(null),
        json!([]),
        json!({"containers": 1, "volumes": [1, {}], "securityContext": []}),
        json!({"containers": [null, {"ports": [1], "securityContext": 7}]}),
    ] {
        told(RESTRICTED_LATEST, odd, json!([1]));
    }
}
