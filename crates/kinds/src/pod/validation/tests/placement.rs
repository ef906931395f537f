//! Where pods may run and what they are called there: affinity, spread, gates, DNS, ports of the host.

use super::{SUBDOMAIN, check_rules};
use serde_json::{Value, json};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn node(required: Value, preferred: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {(REQUIRED): required, (PREFERRED): preferred}}})
}

#[test]
fn sound_placements_pass() {
    let term = json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "n", "operator": "Gt", "values": ["3"]},
        {"key": "x", "operator": "Exists"}], "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["box"]}]});
    check_rules(
        node(
            json!({"nodeSelectorTerms": [term]}),
            json!([{"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b c"]}]}}]),
        ),
        &[],
    );
    check_rules(
        json!({"affinity": {"podAntiAffinity": {(REQUIRED): [{"topologyKey": "kubernetes.io/hostname", "namespaces": ["n"],
                "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["c"], "mismatchLabelKeys": ["d"]}]}},
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2,
                "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["c"], "nodeAffinityPolicy": "Honor"}],
            "schedulingGates": [{"name": "a.b/c"}], "readinessGates": [{"conditionType": "a.b/c"}],
            "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a_b.c", ".", "d."], "options": [{"name": "ndots"}]}}),
        &[],
    );
}

#[test]
fn node_affinity_selects_by_labels_and_names() {
    let at = format!("spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
    check_rules(
        node(json!({"nodeSelectorTerms": []}), json!([{"weight": 101, "preference": {}}])),
        &[
            &format!("{at}: Required value: must have at least one node selector term"),
            &format!(
                "spec.affinity.nodeAffinity.{PREFERRED}[0].weight: Invalid value: 101: must be in the range 1-100"
            ),
        ],
    );
    check_rules(
        node(
            json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}, {"key": "a b", "operator": "Exists", "values": ["c"]},
                    {"key": "a", "operator": "Lt"}, {"key": "a", "operator": "Near"}],
                "matchFields": [{"key": "spec.x", "operator": "Exists"}, {"key": "metadata.name", "operator": "In", "values": ["A"]}]}]}),
            json!([]),
        ),
        &[
            &format!(
                "{at}[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
            ),
            &format!(
                "{at}[0].matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            ),
            &format!("{at}[0].matchExpressions[1].key: Invalid value: \"a b\": {QUALIFIED}"),
            &format!(
                "{at}[0].matchExpressions[2].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"
            ),
            &format!("{at}[0].matchExpressions[3].operator: Invalid value: \"Near\": not a valid selector operator"),
            &format!("{at}[0].matchFields[0].operator: Invalid value: \"Exists\": not a valid selector operator"),
            &format!("{at}[0].matchFields[0].key: Invalid value: \"spec.x\": not a valid field selector key"),
            &format!("{at}[0].matchFields[1].values[0]: Invalid value: \"A\": {SUBDOMAIN}"),
        ],
    );
}

#[test]
fn pod_affinity_has_a_topology() {
    let at = format!("spec.affinity.podAffinity.{REQUIRED}");
    check_rules(
        json!({"affinity": {"podAffinity": {(REQUIRED): [{"matchLabelKeys": ["a"]},
                {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["a", "c"], "mismatchLabelKeys": ["c"]}],
            (PREFERRED): [{"weight": 0, "podAffinityTerm": {"topologyKey": "zone"}}]}}}),
        &[
            &format!("{at}[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"),
            &format!("{at}[0].topologyKey: Required value: can not be empty"),
            &format!("{at}[0].topologyKey: Invalid value: \"\": name part must be non-empty"),
            &format!("{at}[0].topologyKey: Invalid value: \"\": {QUALIFIED}"),
            &format!("{at}[1][0]: Invalid value: \"a\": exists in both matchLabelKeys and labelSelector"),
            &format!(
                "{at}[1].matchLabelKeys[1]: Invalid value: \"c\": exists in both matchLabelKeys and mismatchLabelKeys"
            ),
            &format!("spec.affinity.podAffinity.{PREFERRED}[0].weight: Invalid value: 0: must be in the range 1-100"),
        ],
    );
}

#[test]
fn spread_constraints_differ_and_make_sense() {
    let at = "spec.topologySpreadConstraints";
    check_rules(
        json!({"topologySpreadConstraints": [
            {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 0, "matchLabelKeys": ["a"]},
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Obey"},
            {"maxSkew": 1, "whenUnsatisfiable": "Never"}]}),
        &[
            &format!("{at}[0].maxSkew: Invalid value: 0: must be greater than zero"),
            &format!("{at}[0].{{topologyKey, whenUnsatisfiable}}: Duplicate value: \"{{zone, ScheduleAnyway}}\""),
            &format!("{at}[0].minDomains: Invalid value: 0: must be greater than zero"),
            &format!(
                "{at}[0].minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            ),
            &format!("{at}[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"),
            &format!("{at}[1].nodeTaintsPolicy: Unsupported value: \"Obey\": supported values: \"Honor\", \"Ignore\""),
            &format!("{at}[2].topologyKey: Required value: can not be empty"),
            &format!(
                "{at}[2].whenUnsatisfiable: Unsupported value: \"Never\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\""
            ),
        ],
    );
}

#[test]
fn gates_have_names_of_their_own_and_come_before_a_node() {
    check_rules(
        json!({"schedulingGates": [{"name": "a"}, {"name": "a"}, {"name": "b c"}], "readinessGates": [{"conditionType": "b c"}], "nodeName": "box"}),
        &[
            &format!("spec.readinessGates[0].conditionType: Invalid value: \"b c\": {QUALIFIED}"),
            "spec.schedulingGates[1]: Duplicate value: \"a\"",
            &format!("spec.schedulingGates[2]: Invalid value: \"b c\": {QUALIFIED}"),
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ],
    );
}

#[test]
fn name_servers_are_few_and_have_addresses() {
    let without = |config: Value| json!({"dnsPolicy": "None", "dnsConfig": config});
    check_rules(
        without(json!(null)),
        &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    );
    check_rules(
        without(json!({})),
        &[
            "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
        ],
    );
    check_rules(
        json!({"dnsConfig": {"nameservers": ["1.1.1.1", "1.1.1.1", "1.1.1.1", "x"], "searches": ["A"], "options": [{}]}}),
        &[
            "spec.dnsConfig.nameservers: Invalid value: [\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"x\"]: must not have more than 3 nameservers",
            "spec.dnsConfig.nameservers[3]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            r#"spec.dnsConfig.searches[0]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"#,
            "spec.dnsConfig.options[0]: Required value: must not be empty",
        ],
    );
    let searches = vec!["a"; 33];
    let shown = json!(searches);
    check_rules(
        json!({"dnsConfig": {"searches": searches}}),
        &[&format!("spec.dnsConfig.searches: Invalid value: {shown}: must not have more than 32 search paths")],
    );
}

#[test]
fn ports_of_the_host_are_taken_once() {
    let with = |rest: Value, ports: Value| {
        let mut spec = json!({"containers": [{"name": "c", "image": "i", "ports": ports}]});
        spec.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        spec
    };
    check_rules(
        with(
            json!({}),
            json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}, {"containerPort": 82, "hostPort": 70000}]),
        ),
        &[
            "spec.containers[0].ports[2].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\"",
        ],
    );
    check_rules(
        with(json!({"hostNetwork": true}), json!([{"containerPort": 80, "hostPort": 81}, {"containerPort": 82}])),
        &[
            "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
        ],
    );
}

#[test]
fn names_of_the_pods_surroundings_are_names() {
    check_rules(
        json!({"subdomain": "a.b", "priorityClassName": "A", "runtimeClassName": "B", "preemptionPolicy": "Maybe",
            "hostnameOverride": "a".repeat(65), "serviceAccountName": "C", "nodeName": "D"}),
        &[
            &format!("spec.serviceAccountName: Invalid value: \"C\": {SUBDOMAIN}"),
            &format!("spec.nodeName: Invalid value: \"D\": {SUBDOMAIN}"),
            "spec.subdomain: Invalid value: \"a.b\": must not contain dots",
            "spec.hostnameOverride: Too long: may not be more than 64 bytes",
            &format!("spec.priorityClassName: Invalid value: \"A\": {SUBDOMAIN}"),
            &format!("spec.runtimeClassName: Invalid value: \"B\": {SUBDOMAIN}"),
            "spec.preemptionPolicy: Unsupported value: \"Maybe\": supported values: \"PreemptLowerPriority\", \"Never\"",
        ],
    );
}
