use super::*;
use crate::admission::testing::{self, Objects};
use crate::cronjob::CronJob;
use crate::job::Job;
use crate::kind::Kind;
use crate::namespace::Namespace;
use crate::pod::Pod as PodKind;
use serde_json::json;

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

fn world(labels: Value) -> Objects {
    Objects::of(&[("", "namespaces", json!({"metadata": {"name": "n", "labels": labels}}))])
}

fn validated(kind: &'static dyn Kind, world: &Objects, object: &Value) -> Result<Vec<String>, String> {
    let verdict = testing::create(kind, world, |request| PodSecurity.validate(request, object));
    verdict.map(|verdict| verdict.warnings).map_err(|status| status.message)
}

fn updated(kind: &'static dyn Kind, world: &Objects, old: &Value, new: &Value) -> Result<Vec<String>, String> {
    let verdict = testing::update(kind, world, old, |request| PodSecurity.validate(request, new));
    verdict.map(|verdict| verdict.warnings).map_err(|status| status.message)
}

fn template(spec: Value) -> Value {
    json!({"template": {"spec": spec}})
}

fn host_pid() -> Value {
    json!({"hostPID": true, "containers": [{"name": "c", "image": "a"}]})
}

#[test]
fn pods_jobs_and_cronjobs_are_refused_with_the_same_words() {
    let detail = "is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)";
    let pod = json!({"metadata": {"name": "x"}, "spec": host_pid()});
    let job = json!({"metadata": {"name": "x"}, "spec": template(host_pid())});
    let cron_job = json!({"metadata": {"name": "x"}, "spec": {"jobTemplate": {"spec": template(host_pid())}}});
    for (kind, object, what) in [
        (&PodKind as &'static dyn Kind, pod, "pods"),
        (&Job, job, "jobs.batch"),
        (&CronJob, cron_job, "cronjobs.batch"),
    ] {
        assert_eq!(validated(kind, &world(json!({})), &object).unwrap_err(), format!("{what} \"x\" {detail}"));
        assert_eq!(validated(kind, &world(json!({ENFORCE: "privileged"})), &object), Ok(vec![]));
    }
}

#[test]
fn what_only_warns_lets_pass() {
    let world = world(json!({ENFORCE: "privileged", "pod-security.kubernetes.io/warn": "baseline"}));
    let pod = json!({"metadata": {"name": "x"}, "spec": host_pid()});
    let expect = "would violate PodSecurity \"baseline:latest\": host namespaces (hostPID=true)";
    assert_eq!(validated(&PodKind, &world, &pod), Ok(vec![expect.to_owned()]));
}

#[test]
fn what_was_let_in_before_may_change_in_ways_that_matter_not() {
    let world = world(json!({ENFORCE: "restricted"}));
    let old = json!({"metadata": {"name": "x"}, "spec": host_pid()});
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(updated(&PodKind, &world, &old, &new), Ok(vec![]));
    new["spec"]["containers"][0]["image"] = "other".into();
    assert!(updated(&PodKind, &world, &old, &new).is_err());

    let old = json!({"metadata": {"name": "x"}, "spec": template(host_pid())});
    let mut new = old.clone();
    new["spec"]["parallelism"] = 3.into();
    assert_eq!(updated(&Job, &world, &old, &new), Ok(vec![]));
    new["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["x"]);
    assert!(updated(&Job, &world, &old, &new).is_err());
}

#[test]
fn this_machines_programs_want_a_privileged_namespace_or_permission() {
    let job = json!({"metadata": {"name": "x"}, "spec": template(json!({"containers": [{"name": "c", "image": "kiln/host"}]}))});
    assert_eq!(
        validated(&Job, &world(json!({})), &job).unwrap_err(),
        "jobs.batch \"x\" is forbidden: container \"c\" runs this machine's own programs (image kiln/host): that needs a \
         namespace with the label pod-security.kubernetes.io/enforce=privileged, or the permission to use images.kiln.dev \"kiln/host\""
    );
    assert_eq!(validated(&Job, &world(json!({ENFORCE: "privileged"})), &job), Ok(vec![]));
    assert_eq!(validated(&Job, &world(json!({})).with_everything_allowed(), &job), Ok(vec![]));
    // Neither may somebody else's be turned to other ends.
    let mut turned = job.clone();
    turned["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["rm"]);
    assert!(updated(&Job, &world(json!({})), &job, &turned).is_err());
}

fn labelled(labels: Value) -> Value {
    json!({"metadata": {"name": "n", "labels": labels}})
}

#[test]
fn labels_have_to_be_right_and_may_be_changed_by_those_who_may_escalate() {
    let world = || world(json!({})).with_everything_allowed();
    assert_eq!(
        validated(&Namespace, &world(), &labelled(json!({ENFORCE: "strict"}))).unwrap_err(),
        "Namespace \"n\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one of privileged, baseline, restricted"
    );
    let wrong = labelled(json!({ENFORCE: "strict"}));
    let mut other = wrong.clone();
    other["metadata"]["labels"]["a"] = "b".into();
    assert_eq!(updated(&Namespace, &world(), &wrong, &other), Ok(vec![]), "the mistake was there before");

    let denied = super::super::testing::Objects::of(&[]);
    let relaxed = labelled(json!({ENFORCE: "privileged"}));
    let refused = validated(&Namespace, &denied, &relaxed).unwrap_err();
    assert!(refused.contains("needs the permission to escalate namespaces"), "{refused}");
    assert!(updated(&Namespace, &denied, &relaxed, &labelled(json!({}))).is_err());
    assert_eq!(validated(&Namespace, &denied, &labelled(json!({"a": "b"}))), Ok(vec![]));
    assert_eq!(updated(&Namespace, &denied, &relaxed, &relaxed), Ok(vec![]));
}

#[test]
fn a_stricter_label_warns_of_pods_that_are_there() {
    let pod =
        |name: &str, spec: Value| ("", "pods", json!({"metadata": {"name": name, "namespace": "n"}, "spec": spec}));
    let plain = || json!({"containers": [{"name": "c"}]});
    let world = Objects::of(&[pod("b", plain()), pod("a", plain()), pod("h", host_pid())]).with_everything_allowed();
    let (old, new) = (labelled(json!({ENFORCE: "privileged"})), labelled(json!({ENFORCE: "restricted"})));
    let rest = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
    assert_eq!(
        updated(&Namespace, &world, &old, &new).unwrap(),
        [
            "existing pods in namespace \"n\" violate the new PodSecurity enforce level \"restricted:latest\""
                .to_owned(),
            format!("a (and 1 other pod): {rest}"),
            format!("h: host namespaces, {rest}"),
        ]
    );
    assert_eq!(updated(&Namespace, &world, &new, &old), Ok(vec![]));
}
