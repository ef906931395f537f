//! The targets, by the room whose decoders they are.

pub(crate) mod agent;
pub(crate) mod apiserver;
pub(crate) mod kinds;
pub(crate) mod meta;

use std::path::Path;

/// The examples that come with kiln, as they stand there.
fn examples() -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let Ok(files) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|text| text.split("\n---\n").map(|document| document.as_bytes().to_vec()).collect::<Vec<_>>())
        .collect()
}

/// The same as JSON.
fn json_examples() -> Vec<Vec<u8>> {
    let json = |yaml: Vec<u8>| ::apiserver::fuzzing::yaml(&yaml).ok().map(String::into_bytes);
    examples().into_iter().filter_map(json).collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Field names and values of the objects that come in.
const OBJECT_WORDS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "spec",
    "status",
    "template",
    "containers",
    "initContainers",
    "image",
    "command",
    "args",
    "env",
    "valueFrom",
    "volumes",
    "volumeMounts",
    "resources",
    "limits",
    "requests",
    "restartPolicy",
    "parallelism",
    "completions",
    "completionMode",
    "Indexed",
    "backoffLimit",
    "podFailurePolicy",
    "rules",
    "onExitCodes",
    "values",
    "successPolicy",
    "selector",
    "matchLabels",
    "matchExpressions",
    "schedule",
    "timeZone",
    "jobTemplate",
    "concurrencyPolicy",
    "data",
    "stringData",
    "binaryData",
    "ports",
    "containerPort",
    "type",
    "conditions",
    "lastTransitionTime",
    "Never",
    "OnFailure",
    "batch/v1",
    "v1",
    "Job",
    "CronJob",
    "Pod",
    "500m",
    "1Gi",
    "2026-01-01T00:00:00Z",
    "* * * * *",
    "YQ==",
    "f:spec",
    "f:metadata",
    "k:{\"name\":\"a\"}",
    "v:\"a\"",
    ".",
    "$patch",
    "delete",
    "replace",
    "merge",
    "$retainKeys",
    "$setElementOrder/containers",
    "$deleteFromPrimitiveList/finalizers",
    "op",
    "add",
    "remove",
    "test",
    "move",
    "copy",
    "path",
    "from",
    "value",
    "/spec/template/spec/containers/0",
    "/metadata/labels/~1a",
    "/-",
    "items",
];
