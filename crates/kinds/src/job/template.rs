//! The pod that a Job asks the server to create: its template, owned by it and tracked.

use crate::job::pods::IndexFailures;
use crate::job::{INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, TRACKING_FINALIZER};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// Of a generated name (K:apiserver/pkg/storage/names/generate.go).
const MAX_PREFIX: usize = 58;

/// The owner reference that a Job's pods carry.
pub fn controller_reference(job: &Job) -> OwnerReference {
    OwnerReference {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        name: job.metadata.name.clone().unwrap_or_default(),
        uid: job.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Which pod of a Job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewPod {
    /// Of an Indexed Job.
    pub index: Option<u32>,
    /// What has gone before at this index, with backoffLimitPerIndex.
    pub failures: Option<IndexFailures>,
}

/// A pod to be created for the Job. The server completes its name: `JOB-` (or `JOB-INDEX-`) and five characters.
pub fn new_pod(job: &Job, which: NewPod) -> Pod {
    let template = job.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let of_template = template.metadata.unwrap_or_default();
    let mut finalizers = of_template.finalizers.unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer == TRACKING_FINALIZER) {
        finalizers.push(TRACKING_FINALIZER.into());
    }
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let mut pod = Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: job.metadata.namespace.clone(),
            labels: of_template.labels,
            annotations: of_template.annotations,
            finalizers: Some(finalizers),
            owner_references: Some(vec![controller_reference(job)]),
            ..Default::default()
        },
        spec: template.spec,
        status: None,
    };
    if let Some(index) = which.index {
        give_index(&mut pod, name, index);
    }
    if let Some(failures) = which.failures {
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(INDEX_FAILURES.into(), failures.counted.to_string());
        if 0 < failures.ignored {
            annotations.insert(INDEX_IGNORED_FAILURES.into(), failures.ignored.to_string());
        }
    }
    pod
}

/// Label, annotation, host name, environment and name of a pod with an index.
fn give_index(pod: &mut Pod, job: &str, index: u32) {
    let metadata = &mut pod.metadata;
    metadata.labels.get_or_insert_default().insert(INDEX.into(), index.to_string());
    metadata.annotations.get_or_insert_default().insert(INDEX.into(), index.to_string());
    // The server cuts a prefix at 58 characters; the index has to survive that.
    let suffix = format!("-{index}-");
    let kept = job.len().min(MAX_PREFIX.saturating_sub(suffix.len()));
    let kept = (0..=kept).rev().find(|at| job.is_char_boundary(*at)).unwrap_or(0);
    metadata.generate_name = Some(format!("{}{suffix}", &job[..kept]));
    let Some(spec) = &mut pod.spec else { return };
    spec.hostname = Some(format!("{job}-{index}"));
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for container in containers {
        let env = container.env.get_or_insert_default();
        if !env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
            env.push(index_variable());
        }
    }
}

fn index_variable() -> EnvVar {
    let field = ObjectFieldSelector { field_path: format!("metadata.labels['{INDEX}']"), ..Default::default() };
    let source = EnvVarSource { field_ref: Some(field), ..Default::default() };
    EnvVar { name: INDEX_VARIABLE.into(), value_from: Some(source), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(name: &str, which: NewPod) -> Value {
        let job = json!({
            "metadata": {"name": name, "namespace": "n", "uid": "u"},
            "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                "initContainers": [{"name": "i"}],
                "containers": [{"name": "c", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "mine"}]}, {"name": "d"}],
            }}},
        });
        serde_json::to_value(new_pod(&serde_json::from_value(job).unwrap(), which)).unwrap()
    }

    #[test]
    fn a_pod_without_an_index_is_the_template_tracked_and_owned() {
        let pod = pod("j", NewPod::default());
        assert_eq!(pod["metadata"]["generateName"], "j-");
        assert_eq!(pod["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(pod["metadata"]["finalizers"], json!([TRACKING_FINALIZER]));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "u");
        assert!(pod["metadata"].get("annotations").is_none() && pod["spec"].get("hostname").is_none());
    }

    #[test]
    fn an_index_shows_in_name_label_annotation_host_name_and_environment() {
        let failures = Some(IndexFailures { counted: 2, ignored: 1 });
        let pod = pod("j", NewPod { index: Some(7), failures });
        assert_eq!(pod["metadata"]["generateName"], "j-7-");
        assert_eq!(pod["metadata"]["labels"], json!({"a": "b", INDEX: "7"}));
        let annotations = json!({INDEX: "7", INDEX_FAILURES: "2", INDEX_IGNORED_FAILURES: "1"});
        assert_eq!(pod["metadata"]["annotations"], annotations);
        assert_eq!(pod["spec"]["hostname"], "j-7");
        let given = json!([{"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": format!("metadata.labels['{INDEX}']")}}}]);
        assert_eq!(pod["spec"]["initContainers"][0]["env"], given);
        assert_eq!(pod["spec"]["containers"][0]["env"], json!([{"name": INDEX_VARIABLE, "value": "mine"}]));
        assert_eq!(pod["spec"]["containers"][1]["env"], given);
    }

    #[test]
    fn failures_that_were_ignored_are_told_once_there_are_any() {
        let pod = pod("j", NewPod { index: Some(0), failures: Some(IndexFailures::default()) });
        assert_eq!(pod["metadata"]["annotations"], json!({INDEX: "0", INDEX_FAILURES: "0"}));
    }

    #[test]
    fn a_long_name_is_cut_before_its_index() {
        let prefix =
            |name: &str| pod(name, NewPod { index: Some(12), failures: None })["metadata"]["generateName"].clone();
        assert_eq!(prefix(&"x".repeat(63)), format!("{}-12-", "x".repeat(54)));
    }
}
