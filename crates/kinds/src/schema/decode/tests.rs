//! Tables for strict decoding.

use super::*;
use crate::schema::lookup;
use serde_json::json;

fn ty(kind: &str) -> TypeRef {
    lookup(kind).unwrap()
}
fn job() -> TypeRef {
    ty("io.k8s.api.batch.v1.Job")
}

#[track_caller]
fn complains(ty: TypeRef, text: &str, expected: &[&str]) -> Value {
    let decoded = decode(text.as_bytes(), ty, Strictness::Strict).unwrap();
    assert_eq!(decoded.complaints, expected, "{text}");
    decoded.object
}

#[track_caller]
fn fails(ty: TypeRef, text: &str, expected: &str) {
    let error = decode(text.as_bytes(), ty, Strictness::Strict).unwrap_err();
    assert_eq!(error, expected, "{text}");
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(check(value, ty, Strictness::Ignore).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn misspelt_fields_are_named_with_their_path_and_dropped() {
    let cronjob = ty("io.k8s.api.batch.v1.CronJob");
    let object = complains(
        cronjob,
        r#"{"spec":{"jobTemplate":{"spec":{"activeDeradlineSeconds":1800,"completions":2}},"startingDelineSeconds":300}}"#,
        &[
            r#"unknown field "spec.jobTemplate.spec.activeDeradlineSeconds" (did you mean "activeDeadlineSeconds"?)"#,
            r#"unknown field "spec.startingDelineSeconds" (did you mean "startingDeadlineSeconds"?)"#,
        ],
    );
    assert_eq!(object, json!({"spec":{"jobTemplate":{"spec":{"completions":2}}}}));
}

#[test]
fn complaints_come_in_order_of_appearance_each_once() {
    complains(
        job(),
        r#"{"x":1,"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b","x":{"y":1},"image":"i","image":"j"}]}}},
            "metadata":{"labels":{"a":"1","a":"2"},"name":"n","name":"n","name":"n"},"spec":{}}"#,
        &[
            r#"unknown field "x""#,
            r#"unknown field "spec.template.spec.containers[1].x""#,
            r#"duplicate field "spec.template.spec.containers[1].image""#,
            r#"duplicate field "metadata.labels.a""#,
            r#"duplicate field "metadata.name""#,
            r#"duplicate field "spec""#,
        ],
    );
}

#[test]
fn nothing_is_complained_about_when_told_to_ignore_and_never_more_than_a_hundred() {
    let text = br#"{"x":1,"x":2,"kind":"Job","kind":"Job"}"#;
    assert!(decode(text, job(), Strictness::Ignore).unwrap().complaints.is_empty());
    let many: Map<String, Value> = (0..300).map(|n| (format!("x{n}"), json!(n))).collect();
    let decoded = check(Value::Object(many), job(), Strictness::Warn).unwrap();
    assert_eq!(decoded.complaints.len(), MAX_COMPLAINTS);
}

#[test]
fn wrong_types_are_errors_in_the_words_of_go() {
    let pod = ty("io.k8s.api.core.v1.Pod");
    let json = "json: cannot unmarshal";
    for (ty, text, expected) in [
        (
            job(),
            r#"{"spec":{"completions":"5"}}"#,
            "string into Go struct field JobSpec.spec.completions of type int32",
        ),
        (
            job(),
            r#"{"spec":{"completions":1.5}}"#,
            "number 1.5 into Go struct field JobSpec.spec.completions of type int32",
        ),
        (
            job(),
            r#"{"spec":{"completions":3000000000}}"#,
            "number 3000000000 into Go struct field JobSpec.spec.completions of type int32",
        ),
        (job(), r#"{"spec":{"suspend":"yes"}}"#, "string into Go struct field JobSpec.spec.suspend of type bool"),
        (job(), r#"{"spec":[]}"#, "array into Go struct field Job.spec of type v1.JobSpec"),
        (
            job(),
            r#"{"metadata":{"labels":{"a":1}}}"#,
            "number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            job(),
            r#"{"metadata":{"labels":"a"}}"#,
            "string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            job(),
            r#"{"metadata":{"creationTimestamp":5}}"#,
            "number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            pod,
            r#"{"spec":{"containers":{"name":"a"}}}"#,
            "object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            pod,
            r#"{"spec":{"containers":[{"env":[{"name":"a","value":1}]}]}}"#,
            "number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            pod,
            r#"{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}"#,
            "bool into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32",
        ),
        (job(), "[]", "array into Go value of type v1.Job"),
        (job(), "7", "number into Go value of type v1.Job"),
    ] {
        fails(ty, text, &format!("{json} {expected}"));
    }
}

#[test]
fn malformed_texts_are_errors_even_after_a_wrong_type() {
    fails(job(), "", "unexpected end of JSON input");
    fails(job(), r#"{"spec":{"completions":"5"}"#, "unexpected end of JSON input");
    fails(job(), r#"{"spec":{}}}"#, "invalid character '}' after top-level value");
    let deep = format!(r#"{{"x":{}"#, "[".repeat(1_000_000));
    assert!(decode(deep.as_bytes(), job(), Strictness::Strict).is_err());
    assert!(decode(b"{\"kind\":\"\xff\"}", job(), Strictness::Strict).is_err());
}

#[test]
fn values_that_are_well_typed_and_wrong_say_so() {
    let secret = ty("io.k8s.api.core.v1.Secret");
    fails(secret, r#"{"data":{"a":"*"}}"#, "illegal base64 data at input byte 0");
    fails(
        job(),
        r#"{"metadata":{"creationTimestamp":"now"}}"#,
        r#"parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006""#,
    );
}

#[test]
fn null_means_absent_in_fields_and_zero_in_lists_and_maps() {
    let text = r#"{"metadata":{"name":null,"labels":{"a":null},"creationTimestamp":null,"finalizers":[null]},
        "spec":null,"status":{}}"#;
    assert_eq!(complains(job(), text, &[]), json!({"metadata":{"labels":{"a":""},"finalizers":[""]},"status":{}}));
    assert_eq!(complains(job(), "null", &[]), json!({}));
}

#[test]
fn quantities_become_canonical_and_free_maps_stay() {
    let text = r#"{"metadata":{"annotations":{"b":"2","a":"1"},"managedFields":[{"fieldsV1":{"f:spec":{".":null}}}]},
        "spec":{"containers":[{"resources":{"limits":{"cpu":0.5,"memory":"1024Mi"}}}]}}"#;
    let object = complains(ty("io.k8s.api.core.v1.Pod"), text, &[]);
    assert_eq!(
        serde_json::to_string(&object).unwrap(),
        concat!(
            r#"{"metadata":{"annotations":{"b":"2","a":"1"},"managedFields":[{"fieldsV1":{"f:spec":{".":null}}}]},"#,
            r#""spec":{"containers":[{"resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}]}}"#
        )
    );
}

#[test]
fn no_type_has_more_fields_than_duplicates_are_tracked_for() {
    for found in crate::schema::all() {
        assert!(found.ty().fields.len() <= 128, "{}", found.ty().name);
    }
}

#[test]
fn a_merged_object_tells_wrong_types_in_the_converters_words() {
    let root = lookup("io.k8s.api.batch.v1.Job").unwrap();
    for (spec, expect) in [
        (json!({"completions": "x"}), "unrecognized type: int32"),
        (json!({"completions": true}), "unrecognized type: int32"),
        (json!({"completions": 1.5}), "cannot convert float64 to int32"),
        (json!({"suspend": "yes"}), "unrecognized type: bool"),
        (json!({"managedBy": 3}), "cannot convert int64 to string"),
        (json!({"managedBy": {}}), "unrecognized type: string"),
        (json!({"template": "x"}), "cannot restore struct from: string"),
        (json!({"selector": {"matchLabels": 3}}), "cannot restore map from int64"),
        (json!({"podFailurePolicy": {"rules": {}}}), "cannot restore slice from map"),
    ] {
        let error = convert(json!({ "spec": spec }), root, Strictness::Strict).unwrap_err();
        assert_eq!(error, expect, "{spec}");
    }
    assert!(convert(json!({"spec": {"completions": 3}}), root, Strictness::Strict).is_ok());
}
