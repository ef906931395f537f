//! Rules for Jobs, as tables of manifests and their mistakes.

use crate::job::Job;
use crate::kind::Kind;
use crate::testing::{check_errors, created, texts};
use serde_json::{Value, json};

fn job(spec: Value) -> Value {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "pi", "namespace": "n", "uid": "u1"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}});
    job["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    job
}

#[track_caller]
fn check(spec: Value, expect: &[&str]) {
    check_errors(&Job, &job(spec), expect);
}

#[test]
fn the_guides_jobs_have_no_mistakes() {
    check(json!({}), &[]);
    check(
        json!({"completions": 5, "parallelism": 2, "backoffLimit": 0, "activeDeadlineSeconds": 0, "suspend": true}),
        &[],
    );
    check(json!({"podReplacementPolicy": "Failed", "managedBy": "acme.io/foo"}), &[]);
    check(
        json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "i"}]}}}),
        &[],
    );
}

#[test]
fn counts_are_not_negative() {
    check(
        json!({"parallelism": -1, "completions": -2, "activeDeadlineSeconds": -3, "backoffLimit": -4}),
        &[
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
            "spec.completions: Invalid value: -2: must be greater than or equal to 0",
            "spec.activeDeadlineSeconds: Invalid value: -3: must be greater than or equal to 0",
            "spec.backoffLimit: Invalid value: -4: must be greater than or equal to 0",
        ],
    );
}

#[test]
fn pods_of_a_job_have_to_end() {
    let template = |policy: Value| json!({"template": {"spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": "i"}]}}});
    let required = "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"";
    check(template(json!(null)), &[required]);
    check(template(json!("Always")), &[required]);
    check(
        template(json!("Sometimes")),
        &[
            "spec.template.spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            "spec.template.spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"OnFailure\", \"Never\"",
        ],
    );
}

#[test]
fn choices_and_managers_are_known() {
    check(
        json!({"completionMode": "x", "podReplacementPolicy": "y", "managedBy": "me"}),
        &[
            "spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as \"acme.io/foo\")",
            "spec.completionMode: Unsupported value: \"x\": supported values: \"NonIndexed\", \"Indexed\"",
            "spec.podReplacementPolicy: Unsupported value: \"y\": supported values: \"Failed\", \"TerminatingOrFailed\"",
        ],
    );
    let long = format!("acme.io/{}", "a".repeat(60));
    check(json!({ "managedBy": long }), &["spec.managedBy: Too long: may not be more than 63 bytes"]);
}

#[test]
fn indexed_jobs_have_completions_and_bounds() {
    let indexed = |rest: Value| {
        let mut spec = json!({"completionMode": "Indexed"});
        spec.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        spec
    };
    check(indexed(json!({"completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 3})), &[]);
    check(
        indexed(json!({"parallelism": 100_001})),
        &[
            "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed",
            "spec.completions: Required value: when completion mode is Indexed",
        ],
    );
    check(
        indexed(json!({"completions": 3, "maxFailedIndexes": 4})),
        &[
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
            "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions",
        ],
    );
    let of_many =
        "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
    check(
        indexed(json!({"completions": 200_000, "backoffLimitPerIndex": 1, "parallelism": 20_000})),
        &[
            &format!("spec.parallelism: Invalid value: 20000: {of_many}"),
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
        ],
    );
    check(
        indexed(json!({"completions": 200_000, "backoffLimitPerIndex": 1, "maxFailedIndexes": 100_001})),
        &[
            "spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000",
            &format!("spec.maxFailedIndexes: Invalid value: 100001: {of_many}"),
        ],
    );
    check(indexed(json!({"completions": 200_000, "parallelism": 20_000})), &[]);
}

#[test]
fn policies_ask_for_each_other() {
    let policy = json!({"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]});
    let template = json!({"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "i"}]}});
    check(json!({"podFailurePolicy": policy}), &[]);
    check(
        json!({"podFailurePolicy": policy, "podReplacementPolicy": "TerminatingOrFailed", "template": template}),
        &[
            "spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: \"Failed\"",
            "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified",
        ],
    );
}

#[test]
fn the_last_index_fits_into_a_host_name() {
    let name = "a".repeat(62);
    let mut long = job(json!({"completionMode": "Indexed", "completions": 11}));
    long["metadata"]["name"] = name.as_str().into();
    assert_eq!(
        texts(&super::validate(&created(&Job, &long))),
        [format!(
            "metadata.name: Invalid value: \"{name}\": will not able to create pod with invalid DNS label: {name}-10"
        )]
    );
}

#[test]
fn refusals_come_beside_the_rules_and_last() {
    check(
        json!({"template": {"spec": {"restartPolicy": "Never", "hostPID": true, "containers": [{"name": "c", "image": "i"}]}},
            "backoffLimit": -1}),
        &[
            "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
            "spec.template.spec.hostPID: Forbidden: not supported by this version of kiln: leave it out",
        ],
    );
}

#[test]
fn labels_that_the_server_generates_are_not_the_users() {
    let template = json!({"metadata": {"labels": {"job-name": "mine"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let labels = "{\"batch.kubernetes.io/controller-uid\":\"u1\",\"batch.kubernetes.io/job-name\":\"pi\",\"controller-uid\":\"u1\",\"job-name\":\"mine\"}";
    check(
        json!({ "template": template }),
        &[&format!("spec.template.metadata.labels[job-name]: Invalid value: {labels}: must be 'pi'")],
    );
}

#[test]
fn a_selector_selects_the_jobs_own_pods() {
    let template = json!({"metadata": {"labels": {"a": "b"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let mismatch =
        "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`";
    check(json!({"manualSelector": true, "template": template}), &["spec.selector: Required value", mismatch]);
    check(json!({"manualSelector": true, "selector": {"matchLabels": {"a": "c"}}, "template": template}), &[mismatch]);
    check(
        json!({"manualSelector": true, "selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}, "template": template}),
        &[
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ],
    );
    let errors = texts(&Job.validate(&created(&Job, &job(json!({"selector": {"matchLabels": {"x": "y"}}})))));
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].ends_with(": `selector` not auto-generated"), "{errors:?}");
    assert!(errors[1].ends_with(": `selector` does not match template `labels`"), "{errors:?}");
}

#[test]
fn a_name_that_is_no_label_value_shows_where_it_hurts() {
    let name = "a".repeat(64);
    let mut long = job(json!({}));
    long["metadata"]["name"] = name.as_str().into();
    let too_long = "must be no more than 63 bytes";
    check_errors(
        &Job,
        &long,
        &[
            // The Job shows its template's labels.
            &format!("metadata.labels: Invalid value: \"{name}\": {too_long}"),
            &format!("metadata.labels: Invalid value: \"{name}\": {too_long}"),
            &format!("spec.template.labels: Invalid value: \"{name}\": {too_long}"),
            &format!("spec.template.labels: Invalid value: \"{name}\": {too_long}"),
        ],
    );
}

#[test]
fn a_name_with_dots_is_warned_of() {
    assert!(Job.warnings(&job(json!({}))).is_empty());
    let mut dotted = job(json!({}));
    dotted["metadata"]["name"] = "a.b".into();
    assert_eq!(
        Job.warnings(&dotted),
        [
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"
        ]
    );
}

#[test]
fn templates_and_very_large_jobs_are_warned_of() {
    let mut surprising = job(json!({"completionMode": "Indexed", "completions": 100_001, "parallelism": 10_001}));
    surprising["spec"]["template"]["spec"]["nodeSelector"] = json!({"beta.kubernetes.io/os": "linux"});
    let warnings = [
        "spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
        "spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ];
    assert_eq!(Job.warnings(&surprising), warnings);
    let mut next = surprising.clone();
    assert!(Job.update_warnings(&next, &surprising).is_empty());
    next["metadata"]["generation"] = 2.into();
    assert_eq!(Job.update_warnings(&next, &surprising), warnings);
}

#[test]
fn jobs_of_any_shape_are_judged_without_a_panic() {
    for spec in [json!(null), json!(1), json!([]), json!({"template": [], "selector": 3, "completions": "x"})] {
        let job = json!({"metadata": {"name": "j", "namespace": "n"}, "spec": spec});
        assert!(!Job.validate(&job).is_empty());
        Job.validate_update(&job, &job, crate::Part::Spec);
        Job.validate_update(&job, &job, crate::Part::Status);
        created(&Job, &job);
    }
}
