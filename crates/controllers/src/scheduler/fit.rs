//! Does a pod fit on the node? Decides from requests, the node's allocatable, its labels and whether it takes pods at all.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

/// What pods ask for, or what a node has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requested {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub n_pods: i64,
}

impl AddAssign for Requested {
    fn add_assign(&mut self, other: Self) {
        self.cpu_milli = self.cpu_milli.saturating_add(other.cpu_milli);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.n_pods = self.n_pods.saturating_add(other.n_pods);
    }
}

impl SubAssign for Requested {
    fn sub_assign(&mut self, other: Self) {
        self.cpu_milli -= other.cpu_milli;
        self.memory_bytes -= other.memory_bytes;
        self.n_pods -= other.n_pods;
    }
}

impl Requested {
    /// The larger of what the containers ask for together and what any init container asks for while it runs; sidecars run
    /// beside both. Plus the RuntimeClass's overhead.
    pub fn by(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else { return Self { n_pods: 1, ..Self::default() } };
        let mut total = sum(&spec.containers);
        let mut sidecars = Self::default();
        let mut init = Self::default();
        for container in spec.init_containers.iter().flatten() {
            let requested = of_container(container);
            if container.restart_policy.as_deref() == Some("Always") {
                sidecars += requested;
                total += requested;
                continue;
            }
            let mut during = sidecars;
            during += requested;
            init = init.max(during);
        }
        total = total.max(init);
        if let Some(overhead) = &spec.overhead {
            total += of_list(overhead);
        }
        Self { n_pods: 1, ..total }
    }

    fn max(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.max(other.cpu_milli),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            n_pods: self.n_pods.max(other.n_pods),
        }
    }
}

fn sum(containers: &[Container]) -> Requested {
    let mut total = Requested::default();
    containers.iter().for_each(|container| total += of_container(container));
    total
}

fn of_container(container: &Container) -> Requested {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests.map_or_else(Requested::default, of_list)
}

fn of_list(list: &BTreeMap<String, Quantity>) -> Requested {
    Requested {
        cpu_milli: quantity(list, "cpu").map_or(0, |quantity| quantity.milli_value()),
        memory_bytes: quantity(list, "memory").map_or(0, |quantity| quantity.value()),
        n_pods: quantity(list, "pods").map_or(0, |quantity| quantity.value()),
    }
}

fn quantity(list: &BTreeMap<String, Quantity>, name: &str) -> Option<meta::quantity::Quantity> {
    list.get(name)?.0.parse().ok()
}

/// What the scheduler looks at in a pod that has no node yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placing {
    pub node_selector: Vec<(String, String)>,
    /// The message of its condition PodScheduled=False, if it was refused before.
    pub refused: Option<String>,
    pub refused_at: Option<Timestamp>,
}

impl Placing {
    /// `None` when the pod has a node, is going away, waits for a gate, or is another scheduler's.
    pub fn of(pod: &Pod) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let is_ours = |spec: &PodSpec| {
            let scheduler = spec.scheduler_name.as_deref().unwrap_or_default();
            matches!(scheduler, "" | "default-scheduler")
        };
        let has_node = spec.node_name.as_ref().is_some_and(|node| !node.is_empty());
        let is_gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let is_over = matches!(phase, Some("Succeeded" | "Failed"));
        if has_node || is_gated || is_over || !is_ours(spec) || pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let condition = pod
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        Some(Self {
            node_selector: spec.node_selector.clone().unwrap_or_default().into_iter().collect(),
            refused: condition.and_then(|condition| condition.message.clone()),
            refused_at: condition.and_then(|condition| condition.last_transition_time.as_ref()).map(|time| time.0),
        })
    }
}

/// What the scheduler looks at in the node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub allocatable: Requested,
    /// `kubectl cordon`
    pub unschedulable: bool,
}

impl Place {
    /// Reads it off a node.
    pub fn of(node: &Node) -> Self {
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        Self {
            name: node.metadata.name.clone().unwrap_or_default(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            allocatable: allocatable.map_or_else(Requested::default, of_list),
            unschedulable: node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
        }
    }
}

/// Where a pod goes.
#[must_use = "a decision nobody applies is a lost decision"]
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Bind {
        node: String,
    },
    /// The text of the FailedScheduling event and of the condition.
    Unschedulable {
        message: String,
    },
}

/// Decides whether a pod goes to the node, on which pods with `used` run already.
pub fn schedule(pod: &Placing, requested: Requested, node: Option<&Place>, used: Requested) -> Verdict {
    let Some(node) = node else {
        return Verdict::Unschedulable { message: "no nodes available to schedule pods".into() };
    };
    let selector_matches = pod.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    // Evicting others would not help against these.
    let misfit = if node.unschedulable {
        Some("node(s) were unschedulable")
    } else if !selector_matches {
        Some("node(s) didn't match Pod's node affinity/selector")
    } else {
        None
    };
    if let Some(reason) = misfit {
        let end = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        return Verdict::Unschedulable { message: format!("0/1 nodes are available: 1 {reason}. {end}") };
    }
    let lacks = |asked: i64, used: i64, has: i64| 0 < asked && has < used.saturating_add(asked);
    let has = node.allocatable;
    let reasons: Vec<&str> = [
        (lacks(requested.cpu_milli, used.cpu_milli, has.cpu_milli), "1 Insufficient cpu"),
        (lacks(requested.memory_bytes, used.memory_bytes, has.memory_bytes), "1 Insufficient memory"),
        (lacks(requested.n_pods, used.n_pods, has.n_pods), "1 Too many pods"),
    ]
    .into_iter()
    .filter_map(|(lacks, reason)| lacks.then_some(reason))
    .collect();
    if reasons.is_empty() {
        return Verdict::Bind { node: node.name.clone() };
    }
    let never_fits = has.cpu_milli < requested.cpu_milli || has.memory_bytes < requested.memory_bytes;
    let end = match never_fits {
        true => "1 Preemption is not helpful for scheduling.",
        false => "1 No preemption victims found for incoming pod.",
    };
    Verdict::Unschedulable {
        message: format!("0/1 nodes are available: {}. preemption: 0/1 nodes are available: {end}", reasons.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Requested = Requested { cpu_milli: 2000, memory_bytes: 1000, n_pods: 3 };

    #[track_caller]
    fn check(requested: (i64, i64), selector: &[(&str, &str)], used: (i64, i64, i64), expected: &str) {
        let placing = Placing {
            node_selector: selector.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Default::default()
        };
        let node = Place {
            name: "n".into(),
            labels: [("disk".to_string(), "ssd".to_string())].into(),
            allocatable: NODE,
            unschedulable: false,
        };
        let requested = Requested { cpu_milli: requested.0, memory_bytes: requested.1, n_pods: 1 };
        let used = Requested { cpu_milli: used.0, memory_bytes: used.1, n_pods: used.2 };
        let shown = match schedule(&placing, requested, Some(&node), used) {
            Verdict::Bind { node } => format!("bind {node}"),
            Verdict::Unschedulable { message } => message,
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn pods_go_where_they_fit() {
        let no_victims = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
        let no_help = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        check((500, 100), &[], (0, 0, 0), "bind n");
        check((500, 100), &[("disk", "ssd")], (1500, 900, 2), "bind n");
        check((501, 0), &[], (1500, 0, 1), &format!("0/1 nodes are available: 1 Insufficient cpu. {no_victims}"));
        check(
            (501, 101),
            &[],
            (1500, 900, 3),
            &format!(
                "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. {no_victims}"
            ),
        );
        check((0, 0), &[], (9000, 9000, 0), "bind n");
        check((0, 1001), &[], (0, 0, 0), &format!("0/1 nodes are available: 1 Insufficient memory. {no_help}"));
        check(
            (0, 0),
            &[("disk", "hdd")],
            (0, 0, 0),
            &format!("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {no_help}"),
        );
    }

    #[test]
    fn without_a_node_nothing_is_scheduled() {
        let verdict = schedule(&Placing::default(), Requested::default(), None, Requested::default());
        assert_eq!(verdict, Verdict::Unschedulable { message: "no nodes available to schedule pods".into() });
    }

    #[test]
    fn init_containers_count_at_their_largest_and_sidecars_throughout() {
        let container = |name: &str, cpu: &str, policy: Option<&str>| serde_json::json!({"name": name, "restartPolicy": policy, "resources": {"requests": {"cpu": cpu, "memory": "1Ki"}}});
        let pod: Pod = serde_json::from_value(serde_json::json!({"spec": {
            "containers": [container("a", "100m", None), container("b", "0.2", None)],
            "initContainers": [container("s", "50m", Some("Always")), container("i", "400m", None)],
        }}))
        .unwrap();
        assert_eq!(Requested::by(&pod), Requested { cpu_milli: 450, memory_bytes: 3072, n_pods: 1 });
    }
}
