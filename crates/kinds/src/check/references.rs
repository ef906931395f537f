//! What objects name: claims, ConfigMaps, Secrets with their keys, namespaces, classes.

use super::object::Object;
use super::world::{Found, World};
use super::{Finding, pods};
use crate::at::At;
use serde_json::Value;
use std::collections::BTreeSet;

/// Told about everything that is named and is neither in the files nor on every server.
pub(super) fn check(objects: &[Object<'_>], world: &World<'_>, findings: &mut Vec<Finding>) {
    namespaces(objects, world, findings);
    for object in objects {
        let mut names = Names { object, world, seen: BTreeSet::new(), findings };
        match object.kind.names().kind {
            "PersistentVolumeClaim" => names.of_claim(&At::root(&object.written).field("spec")),
            "RoleBinding" | "ClusterRoleBinding" => names.of_binding(&At::root(&object.written).field("roleRef")),
            _ => {}
        }
        if let Some(pod) = pods::of(object) {
            names.of_pod(&pod.spec);
            pod.containers().for_each(|container| names.of_container(&container.at));
        }
    }
}

/// Each namespace once, for its first object.
fn namespaces(objects: &[Object<'_>], world: &World<'_>, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for object in objects {
        let named = meta::object::namespace(&object.written);
        if object.namespace.is_empty() || named.is_empty() || !seen.insert(named) {
            continue;
        }
        if let Found::Nowhere(near) = world.find("Namespace", "", named) {
            let remedy = match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("add it to the files, or make it first: kiln create namespace {named}"),
            };
            let what = format!("there is no Namespace {named:?} in these files");
            let finding = object.warning("metadata.namespace", what);
            findings.push(finding.because("nothing can be made in a namespace before it is there").remedy(remedy));
        }
    }
}

/// Where ConfigMaps and Secrets are used, for what happens without them.
#[derive(Clone, Copy)]
enum Use {
    Variable,
    Volume,
}

impl Use {
    fn consequence(self) -> &'static str {
        match self {
            Use::Variable => "the container does not start before it is there: CreateContainerConfigError",
            Use::Volume => "the pods do not start before it is there: ContainerCreating, with FailedMount events",
        }
    }
}

struct Names<'a> {
    object: &'a Object<'a>,
    world: &'a World<'a>,
    /// Kind and name of what has been told of.
    seen: BTreeSet<(String, String)>,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Names<'a> {
    fn of_claim(&mut self, spec: &At<'_>) {
        let waits = "the claim stays Pending until there is one";
        self.need("StorageClass", "", &spec.field("storageClassName"), waits);
        self.need("PersistentVolume", "", &spec.field("volumeName"), waits);
    }

    fn of_binding(&mut self, role: &At<'_>) {
        let namespace = self.object.namespace.as_str();
        let namespace = if role.field("kind").text() == "Role" { namespace } else { "" };
        if matches!(role.field("kind").text(), "Role" | "ClusterRole") {
            self.need(
                role.field("kind").text(),
                namespace,
                &role.field("name"),
                "the binding allows nothing until it is there",
            );
        }
    }

    fn of_pod(&mut self, spec: &At<'_>) {
        let refused = "no pod can be made before it is there";
        self.here("ServiceAccount", &spec.field("serviceAccountName"), refused);
        self.need("PriorityClass", "", &spec.field("priorityClassName"), refused);
        self.need("RuntimeClass", "", &spec.field("runtimeClassName"), refused);
        for secret in spec.field("imagePullSecrets").items() {
            self.here("Secret", &secret.field("name"), "images are pulled without these credentials");
        }
        let unnamed = "without a headless Service of this name nobody finds the pods as HOSTNAME.SUBDOMAIN";
        self.here("Service", &spec.field("subdomain"), unnamed);
        for volume in spec.field("volumes").items() {
            self.of_volume(&volume);
        }
    }

    fn of_volume(&mut self, volume: &At<'_>) {
        let waits = "the pods stay Pending until it is there";
        self.here("PersistentVolumeClaim", &volume.fields(&["persistentVolumeClaim", "claimName"]), waits);
        let class = volume.fields(&["ephemeral", "volumeClaimTemplate", "spec", "storageClassName"]);
        self.need("StorageClass", "", &class, "the pods stay Pending until it is there");
        self.source("ConfigMap", &volume.field("configMap"), "name");
        self.source("Secret", &volume.field("secret"), "secretName");
        for source in volume.fields(&["projected", "sources"]).items() {
            self.source("ConfigMap", &source.field("configMap"), "name");
            self.source("Secret", &source.field("secret"), "name");
        }
    }

    /// The files of a volume: the object, and the keys that are picked of it.
    fn source(&mut self, kind: &str, source: &At<'_>, name: &str) {
        if source.field("optional").is_true() {
            return;
        }
        let name = source.field(name);
        if let Some(found) = self.here(kind, &name, Use::Volume.consequence()) {
            for item in source.field("items").items() {
                self.key(kind, name.text(), found, &item.field("key"), Use::Volume);
            }
        }
    }

    fn of_container(&mut self, container: &At<'_>) {
        for source in container.field("envFrom").items() {
            for (kind, field) in [("ConfigMap", "configMapRef"), ("Secret", "secretRef")] {
                let reference = source.field(field);
                if !reference.field("optional").is_true() {
                    self.here(kind, &reference.field("name"), Use::Variable.consequence());
                }
            }
        }
        for variable in container.field("env").items() {
            for (kind, field) in [("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")] {
                let reference = variable.fields(&["valueFrom", field]);
                if reference.field("optional").is_true() {
                    continue;
                }
                let name = reference.field("name");
                if let Some(found) = self.here(kind, &name, Use::Variable.consequence()) {
                    self.key(kind, name.text(), found, &reference.field("key"), Use::Variable);
                }
            }
        }
    }

    /// An object of the same namespace.
    fn here(&mut self, kind: &str, name: &At<'_>, consequence: &str) -> Option<&'a Value> {
        self.need(kind, &self.object.namespace, name, consequence)
    }

    /// Gives the object if it is in the files; tells of it if it is nowhere.
    fn need(&mut self, kind: &str, namespace: &str, name: &At<'_>, consequence: &str) -> Option<&'a Value> {
        if name.text().is_empty() {
            return None;
        }
        let (cause, remedy) = match self.world.find(kind, namespace, name.text()) {
            Found::Here(object) => return Some(object),
            Found::BuiltIn => return None,
            Found::InNamespace(other) => {
                let cause =
                    format!("there is one in namespace {other:?}, but only those of {namespace:?} are seen from there");
                (cause, format!("put both into one namespace; without it: {consequence}"))
            }
            Found::Nowhere(Some(near)) => (consequence.to_owned(), format!("did you mean {near:?}?")),
            Found::Nowhere(None) => {
                (consequence.to_owned(), "add it to the files, or see that it is on the server already".to_owned())
            }
        };
        if self.seen.insert((kind.to_owned(), name.text().to_owned())) {
            let what = format!("there is no {kind} {:?} in these files", name.text());
            self.findings.push(self.object.warning(&name.path, what).because(cause).remedy(remedy));
        }
        None
    }

    fn key(&mut self, kind: &str, name: &str, object: &Value, key: &At<'_>, use_: Use) {
        let keys = keys(object);
        if key.text().is_empty() || keys.contains(&key.text()) {
            return;
        }
        let near = keys.iter().min_by_key(|there| strsim::damerau_levenshtein(there, key.text()));
        let near = near.filter(|there| strsim::damerau_levenshtein(there, key.text()) <= key.text().len() / 3);
        let remedy = match near {
            Some(near) => format!("did you mean {near:?}?"),
            None if keys.is_empty() => "it has no keys at all; add this one".to_owned(),
            None => format!("it has {}", keys.join(", ")),
        };
        let finding = self.object.warning(&key.path, format!("the {kind} {name:?} has no key {:?}", key.text()));
        self.findings.push(finding.because(use_.consequence()).remedy(remedy));
    }
}

/// The keys of a ConfigMap or a Secret.
pub(super) fn keys(object: &Value) -> Vec<&str> {
    let fields = ["data", "binaryData", "stringData"].into_iter().filter_map(|field| object[field].as_object());
    fields.flat_map(|entries| entries.keys().map(String::as_str)).collect()
}
