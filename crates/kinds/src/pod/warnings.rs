//! What may surprise in a pod, though it is no mistake (K:pkg/api/pod/warnings.go).

mod paths;
mod ports;

use crate::at::At;
use meta::field::quote;
use meta::names;
use meta::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeSet;

const DEPRECATED_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];
const DEPRECATED_NODE_LABELS: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];
const OLD_VOLUMES: [(&str, &str); 9] = [
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Texts for a pod.
pub(super) fn of_pod(pod: &Value) -> Vec<String> {
    let mut found = Found { warnings: Vec::new(), whole: At::root(pod), is_template: false };
    found.collect();
    found.warnings
}

/// Texts for a template of pods.
pub(crate) fn of_template(template: &At<'_>) -> Vec<String> {
    let mut found = Found { warnings: Vec::new(), whole: template.clone(), is_template: true };
    found.collect();
    found.warnings
}

struct Found<'a> {
    warnings: Vec<String>,
    whole: At<'a>,
    is_template: bool,
}

impl<'a> Found<'a> {
    fn say(&mut self, path: &str, text: &str) {
        self.warnings.push(format!("{path}: {text}"));
    }
    fn spec(&self, field: &str) -> At<'a> {
        self.whole.fields(&["spec", field])
    }
    fn annotations(&self) -> At<'a> {
        self.whole.fields(&["metadata", "annotations"])
    }
    /// Init, app and ephemeral containers.
    fn containers(&self) -> Vec<At<'a>> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        lists.into_iter().flat_map(|list| self.spec(list).items()).collect()
    }

    fn collect(&mut self) {
        self.placement();
        self.deprecated_annotations();
        self.volumes();
        self.repeated();
        self.profiles();
        self.containers().iter().for_each(|container| self.container(container));
        let ports = ports::overlaps(&self.containers());
        self.warnings.extend(ports);
        let grace = self.spec("terminationGracePeriodSeconds");
        if grace.int().is_some_and(|seconds| seconds < 0) {
            self.say(&grace.path, "must be >= 0; negative values are invalid and will be treated as 1");
        }
        self.null_selectors();
    }

    /// Labels of nodes that are called something else by now.
    fn placement(&mut self) {
        for (key, label) in self.spec("nodeSelector").entries() {
            if let Some(text) = deprecated(key) {
                self.say(&label.path, text);
            }
        }
        let node = self.spec("affinity").field("nodeAffinity");
        for term in node.fields(&[REQUIRED, "nodeSelectorTerms"]).items() {
            self.node_term(&term, false);
        }
        for term in node.field(PREFERRED).items() {
            self.node_term(&term.field("preference"), true);
        }
        for constraint in self.spec("topologySpreadConstraints").items() {
            let key = constraint.field("topologyKey");
            if let Some(text) = deprecated(key.text()) {
                self.say(&key.path, &format!("{} is {text}", key.text()));
            }
            self.null_selector(&constraint.field("labelSelector"));
        }
    }

    fn node_term(&mut self, term: &At<'_>, looks_at_values: bool) {
        for expression in term.field("matchExpressions").items() {
            let key = expression.field("key");
            if let Some(text) = deprecated(key.text()) {
                self.say(&key.path, &format!("{} is {text}", key.text()));
            }
            for value in expression.field("values").items().filter(|_| looks_at_values) {
                for wrong in names::label_value_errors(value.text()) {
                    self.say(&value.path, &format!("{} is invalid, {wrong}", value.text()));
                }
            }
        }
    }

    fn null_selector(&mut self, selector: &At<'_>) {
        if !selector.is_set() {
            self.say(&selector.path, "a null labelSelector results in matching no pod");
        }
    }

    fn null_selectors(&mut self) {
        for kind in ["podAffinity", "podAntiAffinity"].map(|kind| self.spec("affinity").field(kind)) {
            for term in kind.field(REQUIRED).items() {
                self.null_selector(&term.field("labelSelector"));
            }
            for term in kind.field(PREFERRED).items() {
                self.null_selector(&term.fields(&["podAffinityTerm", "labelSelector"]));
            }
        }
    }

    fn deprecated_annotations(&mut self) {
        let annotations = self.annotations();
        for (key, text) in DEPRECATED_ANNOTATIONS {
            if annotations.value.get(key).is_some() {
                self.say(&format!("{}[{key}]", annotations.path), text);
            }
        }
    }

    fn volumes(&mut self) {
        for volume in self.spec("volumes").items() {
            for (source, text) in OLD_VOLUMES {
                if volume.field(source).is_set() {
                    self.say(&volume.field(source).path, text);
                }
            }
            let resources = volume.fields(&["ephemeral", "volumeClaimTemplate", "spec", "resources"]);
            for list in ["requests", "limits"] {
                self.fraction(&resources.field(list), "storage");
            }
        }
        let overlaps = paths::overlaps(&self.spec("volumes"));
        self.warnings.extend(overlaps);
    }

    /// Lists that hold something twice; the second is lost when such a manifest is applied.
    fn repeated(&mut self) {
        for (list, field, what) in [("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")] {
            let mut seen = BTreeSet::new();
            for at in self.spec(list).items().map(|item| item.field(field)) {
                if !seen.insert(at.text()) {
                    self.say(&at.path, &format!("duplicate {what} {}", quote(at.text())));
                }
            }
        }
        for name in self.spec("imagePullSecrets").items().map(|secret| secret.field("name")) {
            if name.text().is_empty() {
                self.say(&name.path, "invalid empty name \"\"");
            }
        }
        for resource in ["memory", "ephemeral-storage"] {
            self.fraction(&self.spec("overhead"), resource);
        }
    }

    fn profiles(&mut self) {
        let has_field = self.spec("securityContext").field("seccompProfile").is_set();
        self.replaced(
            SECCOMP_POD.to_owned(),
            has_field,
            "non-functional in v1.27+; use the \"seccompProfile\" field instead",
        );
    }

    /// An annotation for which there is a field, which is not set.
    fn replaced(&mut self, key: String, has_field: bool, text: &str) {
        let annotations = self.annotations();
        if !has_field && annotations.value.get(&key).is_some() {
            self.say(&format!("{}[{key}]", annotations.path), text);
        }
    }

    fn container(&mut self, container: &At<'_>) {
        let (name, context) = (container.field("name").text(), container.field("securityContext"));
        let text = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
        self.replaced(format!("{SECCOMP_CONTAINER}{name}"), context.field("seccompProfile").is_set(), text);
        if self.is_template {
            let has_field = context.field("appArmorProfile").is_set()
                || self.spec("securityContext").field("appArmorProfile").is_set();
            let text = "deprecated since v1.30; use the \"appArmorProfile\" field instead";
            self.replaced(format!("{APP_ARMOR}{name}"), has_field, text);
        }
        for resource in ["memory", "ephemeral-storage"] {
            for list in ["limits", "requests"] {
                self.fraction(&container.fields(&["resources", list]), resource);
            }
        }
        self.hidden_variables(container);
    }

    /// Bytes come in whole ones.
    fn fraction(&mut self, list: &At<'_>, resource: &str) {
        let quantity = list.value.get(resource).and_then(Value::as_str).and_then(|text| text.parse::<Quantity>().ok());
        if let Some(quantity) = quantity.filter(|quantity| quantity.milli_value() % 1000 != 0) {
            let text = format!("fractional byte value {} is invalid, must be an integer", quote(&quantity.canonical()));
            self.say(&format!("{}[{resource}]", list.path), &text);
        }
    }

    /// A second definition that does not build on the first.
    fn hidden_variables(&mut self, container: &At<'_>) {
        let mut seen = BTreeSet::new();
        for variable in container.field("env").items() {
            let (name, value) = (variable.field("name").text(), variable.field("value").text());
            if seen.insert(name) {
                continue;
            }
            let reference = format!("$({name})");
            let builds_on_it = value.contains(&reference) && value != reference;
            if variable.field("valueFrom").is_set() || !builds_on_it {
                let text =
                    format!("hides previous definition of {}, which may be dropped when using apply", quote(name));
                self.say(&variable.path, &text);
            }
        }
    }
}

fn deprecated(label: &str) -> Option<&'static str> {
    DEPRECATED_NODE_LABELS.iter().find(|(name, _)| *name == label).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests;
