//! Which containers of a pod are meant, and what stands before their lines. Pure.

use k8s_openapi::api::core::v1::Pod;

use crate::output::Problem;

/// The annotation that names the container meant where none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Where an Indexed Job's pod says which one it is.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Which containers the command line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers<'a> {
    /// The one that is meant where none is named.
    Default,
    /// This one.
    Named(&'a str),
    /// All, those that prepare first.
    All,
}

/// The names, in order, and a word about a choice among several.
pub fn containers(pod: &Pod, wanted: Containers<'_>) -> Result<(Vec<String>, Option<String>), Problem> {
    let Some(spec) = &pod.spec else { return Ok((Vec::new(), None)) };
    let own: Vec<&str> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    let initial: Vec<&str> = spec.init_containers.iter().flatten().map(|container| container.name.as_str()).collect();
    let later: Vec<&str> =
        spec.ephemeral_containers.iter().flatten().map(|container| container.name.as_str()).collect();
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    match wanted {
        Containers::All => Ok(([initial, own, later].concat().into_iter().map(str::to_owned).collect(), None)),
        Containers::Named(name) if [&own[..], &initial[..], &later[..]].concat().contains(&name) => {
            Ok((vec![name.into()], None))
        }
        Containers::Named(name) => Err(Problem::failed(format!("container {name} is not valid for pod {pod_name}"))
            .remedy(format!("it has {}", [&own[..], &initial[..], &later[..]].concat().join(", ")))),
        Containers::Default => {
            let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get(DEFAULT_CONTAINER));
            if let Some(name) =
                annotation.filter(|name| [&own[..], &initial[..], &later[..]].concat().contains(&name.as_str()))
            {
                return Ok((vec![name.clone()], None));
            }
            let first = own.first().map(|name| (*name).to_owned());
            let others = [&own[..], &initial[..]].concat();
            let listed: Vec<String> = others
                .iter()
                .map(|name| match initial.contains(name) {
                    true => format!("{name} (init)"),
                    false => (*name).to_owned(),
                })
                .collect();
            let note = first.as_ref().filter(|_| 1 < others.len());
            let note = note.map(|first| format!("Defaulted container {first:?} out of: {}", listed.join(", ")));
            Ok((first.into_iter().collect(), note))
        }
    }
}

/// Whether a pod's container is among those meant.
pub fn is_wanted(pod: &Pod, container: &str, wanted: Containers<'_>) -> bool {
    containers(pod, wanted).is_ok_and(|(names, _)| names.iter().any(|name| name == container))
}

/// `[pod/x/c] `
pub fn prefix(pod: &Pod, container: &str) -> String {
    format!("[pod/{}/{container}] ", pod.metadata.name.as_deref().unwrap_or_default())
}

/// `[3] `, of an Indexed Job's pod; several pods may have the same, for some are retries.
pub fn index_prefix(pod: &Pod) -> Option<String> {
    Some(format!("[{}] ", pod.metadata.annotations.as_ref()?.get(INDEX)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(annotations: serde_json::Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "p", "annotations": annotations }, "spec": {
            "initContainers": [{ "name": "prepare" }], "containers": [{ "name": "main" }, { "name": "side" }] } }))
        .unwrap()
    }

    #[test]
    fn containers_are_chosen_as_kubectl_does() {
        let plain = pod(json!({}));
        let (names, note) = containers(&plain, Containers::Default).unwrap();
        assert_eq!(names, ["main"]);
        assert_eq!(note.unwrap(), "Defaulted container \"main\" out of: main, side, prepare (init)");
        let chosen = pod(json!({ DEFAULT_CONTAINER: "side" }));
        assert_eq!(containers(&chosen, Containers::Default).unwrap(), (vec!["side".into()], None));
        assert_eq!(containers(&plain, Containers::All).unwrap().0, ["prepare", "main", "side"]);
        assert_eq!(containers(&plain, Containers::Named("prepare")).unwrap().0, ["prepare"]);
        let refused = containers(&plain, Containers::Named("x")).unwrap_err();
        assert_eq!(refused.what, "container x is not valid for pod p");
        assert!(is_wanted(&plain, "main", Containers::Default) && !is_wanted(&plain, "side", Containers::Default));
    }

    #[test]
    fn lines_say_where_they_come_from() {
        assert_eq!(prefix(&pod(json!({})), "main"), "[pod/p/main] ");
        assert_eq!(index_prefix(&pod(json!({ INDEX: "3" }))).as_deref(), Some("[3] "));
        assert_eq!(index_prefix(&pod(json!({}))), None);
    }
}
