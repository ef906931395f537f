//! Selectors that match nothing.

use super::Finding;
use super::object::Object;
use super::pods::{self, Pod};
use crate::at::At;

/// Services that find none of the pods in the files.
pub(super) fn check(objects: &[Object<'_>], findings: &mut Vec<Finding>) {
    for service in objects.iter().filter(|object| object.is("Service")) {
        let selector = At::root(&service.written).fields(&["spec", "selector"]);
        if selector.len() == 0 {
            continue;
        }
        let beside = objects.iter().filter(|object| object.namespace == service.namespace);
        let pods: Vec<(&Object<'_>, Pod<'_>)> = beside.filter_map(|object| Some((object, pods::of(object)?))).collect();
        if pods.iter().all(|(_, pod)| wrong_labels(&selector, pod) != 0) {
            findings.push(finding(service, &selector, &pods));
        }
    }
}

fn wrong_labels(selector: &At<'_>, pod: &Pod<'_>) -> usize {
    selector.entries().filter(|(key, value)| pod.labels.get(*key).map(String::as_str) != Some(value.text())).count()
}

fn finding(service: &Object<'_>, selector: &At<'_>, pods: &[(&Object<'_>, Pod<'_>)]) -> Finding {
    let words: Vec<String> = selector.entries().map(|(key, value)| format!("{key}={}", value.text())).collect();
    let finding = service.warning(&selector.path, format!("no pod of these files has the labels {}", words.join(",")));
    let finding = finding.because("the Service has no endpoints, its name leads nowhere");
    let nearest = pods.iter().min_by_key(|(_, pod)| wrong_labels(selector, pod));
    match nearest {
        Some((object, pod)) => {
            let labels: Vec<String> = pod.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let labels = if labels.is_empty() { "no labels".to_owned() } else { labels.join(",") };
            let title = super::identity::title(&object.manifest.object);
            finding.remedy(format!("select labels of the pods' template; that of {title} has {labels}"))
        }
        None => finding.remedy("add the file that makes the pods, or see that they are on the server already"),
    }
}
