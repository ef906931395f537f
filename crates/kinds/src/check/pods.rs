//! The pods that an object is or makes.

use super::object::Object;
use crate::at::At;
use std::collections::BTreeMap;

/// A pod, or the template of pods.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    /// Its metadata.
    pub metadata: At<'a>,
    /// Its spec, with its path in the object.
    pub spec: At<'a>,
    /// Its labels, those that the Job controller gives it among them.
    pub labels: BTreeMap<String, String>,
}

/// One container, with what it is given to run.
#[derive(Debug)]
pub(super) struct Container<'a> {
    pub at: At<'a>,
}

/// The pods of an object: none of most kinds, never more than one.
pub(super) fn of<'a>(object: &'a Object<'_>) -> Option<Pod<'a>> {
    let root = At::root(&object.written);
    let whole = match object.kind.names().kind {
        "Pod" => root,
        "Job" => root.fields(&["spec", "template"]),
        "CronJob" => root.fields(&["spec", "jobTemplate", "spec", "template"]),
        _ => return None,
    };
    let labels = whole.fields(&["metadata", "labels"]);
    let labels = labels.entries().map(|(key, value)| (key.to_owned(), value.text().to_owned()));
    let mut labels: BTreeMap<String, String> = labels.collect();
    if object.is("Job") {
        for key in ["job-name", "batch.kubernetes.io/job-name"] {
            labels.entry(key.to_owned()).or_insert_with(|| object.name().to_owned());
        }
    }
    Some(Pod { metadata: whole.field("metadata"), spec: whole.field("spec"), labels })
}

/// The spec of the Jobs that an object is or makes.
pub(super) fn job<'a>(object: &'a Object<'_>) -> Option<At<'a>> {
    let root = At::root(&object.written);
    match object.kind.names().kind {
        "Job" => Some(root.field("spec")),
        "CronJob" => Some(root.fields(&["spec", "jobTemplate", "spec"])),
        _ => None,
    }
}

impl<'a> Pod<'a> {
    /// Its containers, those that run first first.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let lists = ["initContainers", "containers"].map(|list| self.spec.field(list));
        lists.into_iter().flat_map(|list| list.items()).map(|at| Container { at })
    }

    /// The volume of this name.
    pub fn volume(&self, name: &str) -> Option<At<'a>> {
        self.spec.field("volumes").items().find(|volume| volume.field("name").text() == name)
    }
}

impl<'a> Container<'a> {
    /// The words of `command` or `args`.
    pub fn words(&self, field: &str) -> Vec<At<'a>> {
        self.at.field(field).items().collect()
    }
}
