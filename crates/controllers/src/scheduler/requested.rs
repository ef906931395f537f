//! What pods ask for, and what a node has.

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Amounts of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requested {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub ephemeral_bytes: i64,
    pub n_pods: i64,
    /// Everything else by name: `hugepages-2Mi`, `example.com/gpu`.
    pub others: BTreeMap<String, i64>,
}

impl Requested {
    /// The larger of what the containers ask for together and of what any init container asks for while it runs; sidecars run
    /// beside both. Plus the RuntimeClass's overhead.
    pub fn by(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else { return Self { n_pods: 1, ..Self::default() } };
        let mut total = Self::default();
        spec.containers.iter().for_each(|container| total.add(&of_container(container)));
        let mut sidecars = Self::default();
        let mut init = Self::default();
        for container in spec.init_containers.iter().flatten() {
            let requested = of_container(container);
            if container.restart_policy.as_deref() == Some("Always") {
                sidecars.add(&requested);
                total.add(&requested);
                init.raise(&sidecars);
                continue;
            }
            let mut during = sidecars.clone();
            during.add(&requested);
            init.raise(&during);
        }
        total.raise(&init);
        if let Some(overhead) = &spec.overhead {
            total.add(&Self::of_list(overhead));
        }
        Self { n_pods: 1, ..total }
    }

    /// Reads a resource list.
    pub fn of_list(list: &BTreeMap<String, Quantity>) -> Self {
        let mut requested = Self::default();
        for (name, quantity) in list {
            let Ok(quantity) = quantity.0.parse::<meta::quantity::Quantity>() else { continue };
            match name.as_str() {
                "cpu" => requested.cpu_milli = quantity.milli_value(),
                "memory" => requested.memory_bytes = quantity.value(),
                "ephemeral-storage" => requested.ephemeral_bytes = quantity.value(),
                "pods" => requested.n_pods = quantity.value(),
                _ => drop(requested.others.insert(name.clone(), quantity.value())),
            }
        }
        requested
    }

    /// One more.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// One less.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    fn raise(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, how: impl Fn(i64, i64) -> i64) {
        self.cpu_milli = how(self.cpu_milli, other.cpu_milli);
        self.memory_bytes = how(self.memory_bytes, other.memory_bytes);
        self.ephemeral_bytes = how(self.ephemeral_bytes, other.ephemeral_bytes);
        self.n_pods = how(self.n_pods, other.n_pods);
        for (name, amount) in &other.others {
            let own = self.others.entry(name.clone()).or_insert(0);
            *own = how(*own, *amount);
        }
    }

    /// `Insufficient cpu`, `Too many pods` … for whatever would exceed `has`.
    pub fn lacks(&self, used: &Self, has: &Self) -> Vec<String> {
        let lacks = |asked: i64, used: i64, has: i64| 0 < asked && has < used.saturating_add(asked);
        let mut reasons = Vec::new();
        if lacks(self.n_pods, used.n_pods, has.n_pods) {
            reasons.push("Too many pods".to_owned());
        }
        for (name, asked, used, has) in [
            ("cpu", self.cpu_milli, used.cpu_milli, has.cpu_milli),
            ("memory", self.memory_bytes, used.memory_bytes, has.memory_bytes),
            ("ephemeral-storage", self.ephemeral_bytes, used.ephemeral_bytes, has.ephemeral_bytes),
        ] {
            if lacks(asked, used, has) {
                reasons.push(format!("Insufficient {name}"));
            }
        }
        let of = |list: &BTreeMap<String, i64>, name: &str| list.get(name).copied().unwrap_or(0);
        let others =
            self.others.iter().filter(|(name, asked)| lacks(**asked, of(&used.others, name), of(&has.others, name)));
        reasons.extend(others.map(|(name, _)| format!("Insufficient {name}")));
        reasons
    }
}

fn of_container(container: &Container) -> Requested {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests.map_or_else(Requested::default, Requested::of_list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn init_containers_count_at_their_largest_and_sidecars_throughout() {
        let container = |name: &str, cpu: &str, policy: Option<&str>| json!({"name": name, "restartPolicy": policy, "resources": {"requests": {"cpu": cpu, "memory": "1Ki"}}});
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "containers": [container("a", "100m", None), container("b", "0.2", None)],
            "initContainers": [container("s", "50m", Some("Always")), container("i", "400m", None)],
        }}))
        .unwrap();
        let expect = Requested { cpu_milli: 450, memory_bytes: 3072, n_pods: 1, ..Requested::default() };
        assert_eq!(Requested::by(&pod), expect);
    }

    #[test]
    fn what_is_lacking_is_named() {
        let has = Requested { cpu_milli: 1000, n_pods: 1, ..Requested::default() };
        let asked = Requested {
            cpu_milli: 600,
            ephemeral_bytes: 1,
            n_pods: 1,
            others: [("example.com/gpu".to_owned(), 1)].into(),
            ..Requested::default()
        };
        let used = Requested { cpu_milli: 500, n_pods: 1, ..Requested::default() };
        assert_eq!(
            asked.lacks(&used, &has),
            ["Too many pods", "Insufficient cpu", "Insufficient ephemeral-storage", "Insufficient example.com/gpu"]
        );
        let nothing = Requested::default();
        assert_eq!(nothing.lacks(&used, &nothing), [""; 0]);
    }
}
