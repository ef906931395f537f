//! Decides from a Job and its pods whether a run is over, and how. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a verdict nobody reports is a lost exit code"]
pub enum Verdict {
    /// Not over.
    Running,
    /// Complete=True.
    Complete,
    /// Failed=True, with the condition's reason and message and the container that decided it, when one did.
    Failed { reason: String, message: String, container: Option<Ended> },
    /// Nothing will happen without a person: an image that is not there, a reference to nothing, a suspended Job.
    Stuck { reason: String, message: String },
    /// The Job was deleted meanwhile.
    Gone,
}

/// A container's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The pod it ran in.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// As the shell would show it: 128+N for signal N.
    pub exit_code: i32,
    /// `Error`, `OOMKilled`, …
    pub reason: String,
}

/// Reasons for waiting that do not go away by themselves on one machine.
const STUCK: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// How long a pod that fits nowhere is given: the node may just be coming up.
const NO_ROOM_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// Judges a Job by its own status and its pods'.
pub fn judge(job: &Job, pods: &[&Pod]) -> Verdict {
    if condition(job, "Complete").is_some() {
        return Verdict::Complete;
    }
    if let Some((reason, message)) = condition(job, "Failed") {
        return Verdict::Failed { reason, message, container: decisive(pods) };
    }
    // Somebody who resumes it changes the spec first; the condition follows.
    let is_to_stand_still = job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true));
    if let Some((reason, message)) = condition(job, "Suspended").filter(|_| is_to_stand_still) {
        return Verdict::Stuck { reason, message };
    }
    let waiting =
        pods.iter().flat_map(|pod| statuses(pod)).filter_map(|status| status.state.as_ref()?.waiting.as_ref());
    for state in waiting {
        let reason = state.reason.clone().unwrap_or_default();
        if STUCK.contains(&reason.as_str()) {
            return Verdict::Stuck { reason, message: state.message.clone().unwrap_or_default() };
        }
    }
    Verdict::Running
}

/// Whether a container waits for what does not come by itself.
pub fn is_stuck(status: &ContainerStatus) -> bool {
    let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
    waiting.and_then(|waiting| waiting.reason.as_deref()).is_some_and(|reason| STUCK.contains(&reason))
}

/// What pods wait for in vain on a server that nobody else can reach: nothing there will be made, freed or joined for them.
/// `unmounted` says of pods, by uid, why their volumes cannot be set up; `node` is the one node's name.
pub fn in_vain(pods: &[&Pod], unmounted: &BTreeMap<String, String>, node: &str, now: Timestamp) -> Option<Verdict> {
    let stuck = |reason: &str, message: String| Some(Verdict::Stuck { reason: reason.into(), message });
    let assigned = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let pending = |pod: &&&Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Pending"));
    for pod in pods.iter().filter(pending) {
        if let Some(message) = pod.metadata.uid.as_ref().and_then(|uid| unmounted.get(uid)) {
            return stuck("FailedMount", message.clone());
        }
        if let Some(other) = assigned(pod).filter(|name| name != node) {
            return stuck("NoSuchNode", format!("its pods ask for node {other:?}, and the only node is {node:?}"));
        }
    }
    // Pods of one template: where one of them fitted, another will once there is room.
    if pods.iter().any(|pod| assigned(pod).is_some()) {
        return None;
    }
    let conditions = pods.iter().filter_map(|pod| pod.status.as_ref()?.conditions.as_deref()).flatten();
    let refused = conditions.filter(|condition| condition.reason.as_deref() == Some("Unschedulable"));
    let long = |since: &Timestamp| NO_ROOM_AFTER <= now.duration_since(*since);
    let refused = refused
        .filter(|condition| condition.status == "False")
        .find(|condition| condition.last_transition_time.as_ref().is_some_and(|time| long(&time.0)));
    stuck("FailedScheduling", refused?.message.clone().unwrap_or_default())
}

/// One line about where a run stands.
pub fn progress(job: &Job) -> String {
    let name = job.metadata.name.as_deref().unwrap_or("job");
    let status = job.status.clone().unwrap_or_default();
    let wanted = job.spec.as_ref().and_then(|spec| spec.completions).map_or(String::new(), |n| format!("/{n}"));
    let mut text = format!(
        "job/{name}: {} active, {}{wanted} succeeded",
        status.active.unwrap_or(0),
        status.succeeded.unwrap_or(0)
    );
    let failed = status.failed.unwrap_or(0);
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    text
}

/// The statuses of every container of a pod, app containers first.
pub fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let apps = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let inits = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    apps.iter().chain(inits)
}

/// The one container whose end decided the Job: the last to fail, if all that failed agree on the code.
pub fn decisive(pods: &[&Pod]) -> Option<Ended> {
    let mut failures: Vec<(Option<jiff::Timestamp>, Ended)> = Vec::new();
    for pod in pods {
        for status in statuses(pod) {
            let ended =
                [&status.state, &status.last_state].into_iter().flatten().find_map(|state| state.terminated.as_ref());
            let Some(ended) = ended.filter(|ended| ended.exit_code != 0) else {
                continue;
            };
            let exit_code = shell_code(ended);
            let finished = ended.finished_at.as_ref().map(|time| time.0);
            let pod = pod.metadata.name.clone().unwrap_or_default();
            let reason = ended.reason.clone().unwrap_or_default();
            failures.push((finished, Ended { pod, container: status.name.clone(), exit_code, reason }));
        }
    }
    let all_agree = failures.windows(2).all(|pair| pair[0].1.exit_code == pair[1].1.exit_code);
    if !all_agree {
        return None;
    }
    failures.into_iter().max_by_key(|(finished, _)| *finished).map(|(_, ended)| ended)
}

/// A command that could not be started has no code of its own (its status says 128): the shell's are 127 for one that was not
/// found and 126 for one that cannot be executed.
fn shell_code(ended: &ContainerStateTerminated) -> i32 {
    if ended.reason.as_deref() != Some("StartError") {
        return ended.exit_code;
    }
    let message = ended.message.as_deref().unwrap_or_default();
    let not_found = message.contains("not found") || message.contains("no such file or directory");
    if not_found { 127 } else { 126 }
}

fn condition(job: &Job, kind: &str) -> Option<(String, String)> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let condition = conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")?;
    Some((condition.reason.clone().unwrap_or_default(), condition.message.clone().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(conditions: Value) -> Job {
        serde_json::from_value(json!({ "metadata": { "name": "pi" }, "spec": { "completions": 3, "template": {} },
            "status": { "conditions": conditions, "active": 1, "succeeded": 2 } }))
        .unwrap()
    }

    fn pod(state: Value) -> Pod {
        let status =
            json!({ "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state });
        serde_json::from_value(json!({ "metadata": { "name": "pi-x" }, "status": { "containerStatuses": [status] } }))
            .unwrap()
    }

    fn failed() -> Value {
        json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m" }])
    }

    #[track_caller]
    fn check(job: &Job, pods: &[Pod], expect: Verdict) {
        assert_eq!(judge(job, &pods.iter().collect::<Vec<_>>()), expect);
    }

    #[test]
    fn a_job_without_conditions_runs() {
        check(&job(json!([])), &[pod(json!({ "running": {} }))], Verdict::Running);
        assert_eq!(progress(&job(json!([]))), "job/pi: 1 active, 2/3 succeeded");
    }

    #[test]
    fn a_success_criterion_alone_is_not_completion() {
        check(&job(json!([{ "type": "SuccessCriteriaMet", "status": "True" }])), &[], Verdict::Running);
        check(&job(json!([{ "type": "Complete", "status": "True" }])), &[], Verdict::Complete);
    }

    #[test]
    fn the_failing_container_gives_its_code() {
        let pods = [pod(json!({ "terminated": { "exitCode": 3, "reason": "Error" } }))];
        let container = Ended { pod: "pi-x".into(), container: "c".into(), exit_code: 3, reason: "Error".into() };
        let expect =
            Verdict::Failed { reason: "BackoffLimitExceeded".into(), message: "m".into(), container: Some(container) };
        check(&job(failed()), &pods, expect);
    }

    #[test]
    fn a_command_that_could_not_start_gets_the_shells_code() {
        for (message, code) in
            [("exec: \"x\": executable file not found in $PATH", 127), ("exec: \"/etc\": permission denied", 126)]
        {
            let state = json!({ "terminated": { "exitCode": 128, "reason": "StartError", "message": message } });
            assert_eq!(decisive(&[&pod(state)]).unwrap().exit_code, code, "{message}");
        }
    }

    #[test]
    fn containers_that_disagree_decide_nothing() {
        let pods = [3, 4].map(|code| pod(json!({ "terminated": { "exitCode": code } })));
        let expect = Verdict::Failed { reason: "BackoffLimitExceeded".into(), message: "m".into(), container: None };
        check(&job(failed()), &pods, expect);
    }

    #[test]
    fn an_image_that_is_not_there_is_the_end_of_waiting() {
        let pods = [pod(json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } }))];
        let expect = Verdict::Stuck { reason: "ErrImagePull".into(), message: "no such image".into() };
        check(&job(json!([])), &pods, expect);
    }

    fn pending(spec: Value, status: Value) -> Pod {
        let mut pod = json!({ "metadata": { "name": "pi-x", "uid": "u" }, "spec": spec, "status": status });
        pod["spec"]["containers"] = json!([]);
        serde_json::from_value(pod).unwrap()
    }

    fn no_room() -> Value {
        json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "no", "lastTransitionTime": "2026-01-01T00:00:00Z" }] })
    }

    #[test]
    fn what_a_lonely_server_waits_for_in_vain() {
        let waits = json!({ "phase": "Pending" });
        let (here, runs) = (json!({ "nodeName": "here" }), json!({ "phase": "Running" }));
        let ours = BTreeMap::from([("u".to_owned(), "configmap not found".to_owned())]);
        let others = BTreeMap::from([("v".to_owned(), "configmap not found".to_owned())]);
        for (pods, unmounted, second, expect) in [
            (vec![pending(here.clone(), waits.clone())], &others, 9, None),
            (vec![pending(here.clone(), waits.clone())], &ours, 0, Some("FailedMount")),
            (vec![pending(here.clone(), runs.clone())], &ours, 9, None),
            (vec![pending(json!({ "nodeName": "there" }), waits)], &others, 0, Some("NoSuchNode")),
            (vec![pending(json!({}), no_room())], &others, 1, None),
            (vec![pending(json!({}), no_room())], &others, 2, Some("FailedScheduling")),
            (vec![pending(json!({}), no_room()), pending(here, runs)], &others, 9, None),
        ] {
            let now = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second);
            let reason = match in_vain(&pods.iter().collect::<Vec<_>>(), unmounted, "here", now) {
                Some(Verdict::Stuck { reason, .. }) => Some(reason),
                _ => None,
            };
            assert_eq!(reason.as_deref(), expect, "{pods:?} after {second}s");
        }
    }

    #[test]
    fn a_suspended_job_waits_for_a_person() {
        let suspended =
            json!([{ "type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended" }]);
        let mut job = job(suspended);
        check(&job, &[], Verdict::Running);
        job.spec.as_mut().unwrap().suspend = Some(true);
        check(&job, &[], Verdict::Stuck { reason: "JobSuspended".into(), message: "Job suspended".into() });
    }
}
