//! What a pod wants of its node, read off its spec: selectors, tolerations, ports, company, claims, and how much it matters.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Affinity, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodAffinityTerm, PodSpec, Toleration,
    TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as Selector, LabelSelectorRequirement};
use meta::selector::LabelSelector;
use std::collections::BTreeMap;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// What a pod wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    pub node_selector: Vec<(String, String)>,
    /// One of these has to hold, if there are any.
    pub node_terms: Option<Vec<NodeSelectorTerm>>,
    pub tolerations: Vec<Toleration>,
    pub host_ports: Vec<HostPort>,
    pub affinity: Vec<Company>,
    pub anti_affinity: Vec<Company>,
    pub spread: Vec<Spread>,
    pub priority: i32,
    /// `preemptionPolicy: Never` may not.
    pub may_preempt: bool,
}

/// A port of the node that a container takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    pub ip: String,
    pub protocol: String,
    pub port: i32,
}

impl HostPort {
    /// Two cannot have the same; every address means each of them.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let is_every = |port: &Self| matches!(port.ip.as_str(), "" | "0.0.0.0");
        let meets = self.ip == other.ip || is_every(self) || is_every(other);
        self.port == other.port && self.protocol == other.protocol && meets
    }
}

/// A term of required pod affinity or anti-affinity.
#[derive(Debug, Clone, PartialEq)]
pub struct Company {
    pub topology_key: String,
    /// `None`: no pod is meant.
    pub selector: Option<LabelSelector>,
    pub namespaces: Vec<String>,
    pub namespace_selector: Option<LabelSelector>,
}

impl Company {
    /// Whether a pod with these labels, in a namespace with those, is meant.
    pub fn means(&self, namespace: &str, labels: &Labels, namespace_labels: Option<&Labels>) -> bool {
        let in_selected = self.namespace_selector.as_ref().is_some_and(|selector| {
            selector.is_empty() || namespace_labels.is_some_and(|labels| matches(selector, labels))
        });
        let in_named = self.namespaces.iter().any(|named| named == namespace);
        (in_named || in_selected) && self.selector.as_ref().is_some_and(|selector| matches(selector, labels))
    }
}

/// A topology spread constraint that must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    pub topology_key: String,
    pub max_skew: i32,
    pub min_domains: i32,
    pub selector: Option<LabelSelector>,
}

/// Whether a selector matches labels.
pub fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}

impl Wish {
    /// Reads it off a pod.
    pub fn of(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else { return Self::default() };
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let affinity = spec.affinity.clone().unwrap_or_default();
        let (near, far) = company(&affinity);
        let read =
            |terms: Vec<PodAffinityTerm>| terms.into_iter().map(|term| read_term(term, namespace, &labels)).collect();
        Self {
            node_selector: spec.node_selector.clone().unwrap_or_default().into_iter().collect(),
            node_terms: affinity
                .node_affinity
                .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution)
                .map(|required| required.node_selector_terms),
            tolerations: spec.tolerations.clone().unwrap_or_default(),
            host_ports: host_ports(spec),
            affinity: read(near),
            anti_affinity: read(far),
            spread: spec
                .topology_spread_constraints
                .iter()
                .flatten()
                .filter(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
                .map(|constraint| read_spread(constraint, &labels))
                .collect(),
            priority: spec.priority.unwrap_or(0),
            may_preempt: spec.preemption_policy.as_deref() != Some("Never"),
        }
    }

    /// Where other pods are, and what its own labels are, makes no difference to where it may go.
    pub fn minds_no_company(&self) -> bool {
        self.affinity.is_empty() && self.anti_affinity.is_empty() && self.spread.is_empty()
    }
}

fn company(affinity: &Affinity) -> (Vec<PodAffinityTerm>, Vec<PodAffinityTerm>) {
    let near =
        affinity.pod_affinity.as_ref().and_then(|a| a.required_during_scheduling_ignored_during_execution.clone());
    let far =
        affinity.pod_anti_affinity.as_ref().and_then(|a| a.required_during_scheduling_ignored_during_execution.clone());
    (near.unwrap_or_default(), far.unwrap_or_default())
}

fn read_term(term: PodAffinityTerm, namespace: &str, labels: &Labels) -> Company {
    let mut namespaces = term.namespaces.unwrap_or_default();
    if namespaces.is_empty() && term.namespace_selector.is_none() {
        namespaces.push(namespace.to_owned());
    }
    let selector = term.label_selector.map(|selector| {
        let selector = with_keys(selector, &term.match_label_keys.unwrap_or_default(), "In", labels);
        with_keys(selector, &term.mismatch_label_keys.unwrap_or_default(), "NotIn", labels)
    });
    Company {
        topology_key: term.topology_key,
        selector: selector.as_ref().and_then(read_selector),
        namespaces,
        namespace_selector: term.namespace_selector.as_ref().and_then(read_selector),
    }
}

fn read_spread(constraint: &TopologySpreadConstraint, labels: &Labels) -> Spread {
    let keys = constraint.match_label_keys.clone().unwrap_or_default();
    let selector = constraint.label_selector.clone().map(|selector| with_keys(selector, &keys, "In", labels));
    Spread {
        topology_key: constraint.topology_key.clone(),
        max_skew: constraint.max_skew,
        min_domains: constraint.min_domains.unwrap_or(1),
        selector: selector.as_ref().and_then(read_selector),
    }
}

/// The selector that also looks at the pod's own values of these labels.
fn with_keys(mut selector: Selector, keys: &[String], operator: &str, labels: &Labels) -> Selector {
    for key in keys {
        if let Some(value) = labels.get(key) {
            selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                key: key.clone(),
                operator: operator.into(),
                values: Some(vec![value.clone()]),
            });
        }
    }
    selector
}

fn read_selector(selector: &Selector) -> Option<LabelSelector> {
    LabelSelector::from_json(&serde_json::to_value(selector).ok()?).ok()
}

fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let sidecars = spec.init_containers.iter().flatten().filter(|one| one.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    ports
        .filter_map(|port| {
            Some(HostPort {
                ip: port.host_ip.clone().unwrap_or_default(),
                protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
                port: port.host_port.filter(|port| 0 < *port)?,
            })
        })
        .collect()
}

/// How far the scheduler is with a pod that has no node yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placing {
    /// The message of its condition PodScheduled=False, if it was refused before.
    pub refused: Option<String>,
    pub refused_at: Option<Timestamp>,
    /// Where others make room for it.
    pub nominated: Option<String>,
}

impl Placing {
    /// `None` when the pod has a node, is going away, waits for a gate, or is another scheduler's.
    pub fn of(pod: &Pod) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let is_ours = matches!(spec.scheduler_name.as_deref().unwrap_or_default(), "" | "default-scheduler");
        let has_node = spec.node_name.as_ref().is_some_and(|node| !node.is_empty());
        let is_gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
        let status = pod.status.clone().unwrap_or_default();
        let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        if has_node || is_gated || is_over || !is_ours || pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let is_refusal = |reason: Option<&str>| reason == Some("Unschedulable");
        let condition = status
            .conditions
            .into_iter()
            .flatten()
            .find(|one| one.type_ == "PodScheduled" && one.status == "False" && is_refusal(one.reason.as_deref()));
        let (refused, refused_at) = match condition {
            Some(condition) => (condition.message, condition.last_transition_time.map(|time| time.0)),
            None => (None, None),
        };
        Some(Self { refused, refused_at, nominated: status.nominated_node_name.filter(|node| !node.is_empty()) })
    }
}

impl Placing {
    /// Whether its status says already that it is refused for this, and that room is made on this node.
    pub fn is_refused_for(&self, message: &str, nominated: Option<&str>) -> bool {
        self.refused.as_deref() == Some(message) && self.nominated.as_deref() == nominated
    }
}

/// Whether a node with this name and these labels is meant: one term has to hold, and one that says nothing never does
/// (K:component-helpers/scheduling/corev1/nodeaffinity).
pub fn node_terms_hold(terms: &[NodeSelectorTerm], name: &str, labels: &Labels) -> bool {
    terms.iter().any(|term| {
        let by_labels = term.match_expressions.as_deref().unwrap_or_default();
        let by_fields = term.match_fields.as_deref().unwrap_or_default();
        let says_something = !by_labels.is_empty() || !by_fields.is_empty();
        let label = |one: &NodeSelectorRequirement| holds(one, labels.get(&one.key).map(String::as_str));
        // The only field there is.
        let field = |one: &NodeSelectorRequirement| one.key == "metadata.name" && holds(one, Some(name));
        says_something && by_labels.iter().all(label) && by_fields.iter().all(field)
    })
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let is_listed = |value: &str| values.iter().any(|one| one == value);
    let compare = |bigger: fn(i64, i64) -> bool| {
        let bound = values.first().and_then(|text| text.parse().ok());
        let value = value.and_then(|text| text.parse().ok());
        bound.zip(value).is_some_and(|(bound, value)| bigger(value, bound))
    };
    match requirement.operator.as_str() {
        "In" => value.is_some_and(is_listed),
        "NotIn" => !value.is_some_and(is_listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(|value, bound| bound < value),
        "Lt" => compare(|value, bound| value < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_terms(terms: Value, expect: bool) {
        let labels = Labels::from([("disk".to_owned(), "ssd".to_owned()), ("cores".to_owned(), "8".to_owned())]);
        let read: Vec<NodeSelectorTerm> = serde_json::from_value(terms.clone()).unwrap();
        assert_eq!(node_terms_hold(&read, "box", &labels), expect, "{terms}");
    }

    #[test]
    fn every_operator_of_node_affinity_is_known() {
        for (key, operator, values, expect) in [
            ("disk", "In", json!(["hdd", "ssd"]), true),
            ("disk", "In", json!(["hdd"]), false),
            ("none", "In", json!(["ssd"]), false),
            ("disk", "NotIn", json!(["hdd"]), true),
            ("none", "NotIn", json!(["hdd"]), true),
            ("disk", "NotIn", json!(["ssd"]), false),
            ("disk", "Exists", json!([]), true),
            ("none", "Exists", json!([]), false),
            ("none", "DoesNotExist", json!([]), true),
            ("disk", "DoesNotExist", json!([]), false),
            ("cores", "Gt", json!(["7"]), true),
            ("cores", "Gt", json!(["8"]), false),
            ("cores", "Lt", json!(["9"]), true),
            ("disk", "Lt", json!(["9"]), false),
        ] {
            check_terms(json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]), expect);
        }
    }

    #[test]
    fn terms_are_alternatives_and_an_empty_one_means_nothing() {
        let no = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd"]}]});
        let yes = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["box"]}]});
        check_terms(json!([]), false);
        check_terms(json!([{}]), false);
        check_terms(json!([no, yes]), true);
        check_terms(
            json!([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["box"]}]}]),
            false,
        );
    }

    #[test]
    fn host_ports_conflict_on_the_same_address() {
        let port = |ip: &str, protocol: &str, port: i32| HostPort { ip: ip.into(), protocol: protocol.into(), port };
        for (a, b, expect) in [
            (port("", "TCP", 80), port("", "TCP", 80), true),
            (port("0.0.0.0", "TCP", 80), port("127.0.0.1", "TCP", 80), true),
            (port("127.0.0.1", "TCP", 80), port("127.0.0.2", "TCP", 80), false),
            (port("", "TCP", 80), port("", "UDP", 80), false),
            (port("", "TCP", 80), port("", "TCP", 81), false),
        ] {
            assert_eq!(a.conflicts_with(&b), expect, "{a:?} {b:?}");
            assert_eq!(b.conflicts_with(&a), expect, "{b:?} {a:?}");
        }
    }

    #[test]
    fn company_is_looked_for_in_the_pods_own_namespace_unless_it_says_where() {
        let term = |more: Value| -> Company {
            let mut term =
                json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}});
            term.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read_term(serde_json::from_value(term).unwrap(), "here", &Labels::from([("v".into(), "1".into())]))
        };
        let db = Labels::from([("app".to_owned(), "db".to_owned())]);
        let red = Labels::from([("team".to_owned(), "red".to_owned())]);
        assert!(term(json!({})).means("here", &db, None));
        assert!(!term(json!({})).means("there", &db, None));
        assert!(!term(json!({})).means("here", &red, None));
        assert!(!term(json!({"namespaces": ["there"]})).means("here", &db, None));
        assert!(term(json!({"namespaceSelector": {}})).means("there", &db, None));
        let selected = term(json!({"namespaceSelector": {"matchLabels": {"team": "red"}}}));
        assert!(selected.means("there", &db, Some(&red)) && !selected.means("here", &db, Some(&db)));
        assert!(!term(json!({"matchLabelKeys": ["v"]})).means("here", &db, None));
        assert!(!term(json!({"labelSelector": null})).means("here", &db, None));
    }
}
