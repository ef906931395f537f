//! Real kubectl bodies, every type there and back, and hostile bytes.

use super::*;
use kinds::schema::{Field, Kind, Shape, Type};
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

const CREATE_JOB: &[u8] = include_bytes!("fixtures/kubectl-1.33-create-job.pb");
const CREATE_CRONJOB: &[u8] = include_bytes!("fixtures/kubectl-1.33-create-cronjob.pb");
const CREATE_CONFIGMAP: &[u8] = include_bytes!("fixtures/kubectl-1.33-create-configmap.pb");
const CREATE_SECRET: &[u8] = include_bytes!("fixtures/kubectl-1.33-create-secret.pb");
const CAN_I: &[u8] = include_bytes!("fixtures/kubectl-1.33-auth-can-i.pb");
const WHOAMI: &[u8] = include_bytes!("fixtures/kubectl-1.33-auth-whoami.pb");

#[test]
fn bodies_of_real_kubectl_become_the_json_that_older_kubectl_sends() {
    // kubectl create job pi --image=kiln/demo -- pi 2000
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "pi"}, "status": {},
        "spec": {"template": {"metadata": {}, "spec": {
            "containers": [{"name": "pi", "image": "kiln/demo", "command": ["pi", "2000"], "resources": {}}],
            "restartPolicy": "Never",
        }}},
    });
    // kubectl create cronjob nightly --image=kiln/demo --schedule='*/5 * * * *' -- echo hello
    let cronjob = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "status": {},
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"metadata": {"name": "nightly"}, "spec": {
            "template": {"metadata": {}, "spec": {
                "containers": [{"name": "nightly", "image": "kiln/demo", "command": ["echo", "hello"], "resources": {}}],
                "restartPolicy": "OnFailure",
            }},
        }}},
    });
    // kubectl create configmap settings --from-literal=color=blue --from-literal=empty= --from-file=bin.dat
    let configmap = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
        "data": {"color": "blue", "empty": ""}, "binaryData": {"bin.dat": "//4AAQ=="},
    });
    // kubectl create secret generic token --from-literal=password=s3cr3t
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"},
        "data": {"password": "czNjcjN0"},
    });
    let can_i = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {},
        "spec": {"resourceAttributes": {"namespace": "default", "verb": "create", "group": "batch", "resource": "jobs"}},
        "status": {"allowed": false},
    });
    let whoami = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}, "status": {"userInfo": {}},
    });
    for (body, expected) in [
        (CREATE_JOB, job),
        (CREATE_CRONJOB, cronjob),
        (CREATE_CONFIGMAP, configmap),
        (CREATE_SECRET, secret),
        (CAN_I, can_i),
        (WHOAMI, whoami),
    ] {
        assert_eq!(decode(body).unwrap(), expected);
    }
}

/// An object of this type with every field set that protobuf can carry.
fn sample(ty: &'static Type) -> Value {
    let fields = ty.fields.iter().filter(|field| field.tag != 0);
    Value::Object(fields.map(|field| (field.name.to_owned(), sample_field(field))).collect())
}

fn sample_field(field: &Field) -> Value {
    let one = match field.kind {
        Kind::String => json!(format!("some {}", field.name)),
        Kind::Int32 => json!(7),
        Kind::Int64 => json!(70_000_000_000_i64),
        Kind::Bool => json!(true),
        Kind::Double => json!(1.5),
        Kind::Bytes => json!("aGVsbG8="),
        Kind::Time => json!("2024-01-02T03:04:05Z"),
        Kind::MicroTime => json!("2024-01-02T03:04:05.000006Z"),
        Kind::Quantity => json!("500m"),
        Kind::IntOrString if field.name.len().is_multiple_of(2) => json!(8080),
        Kind::IntOrString => json!("http"),
        Kind::Raw | Kind::FieldsV1 => json!({"f:spec": {".": {}, "n": [1, "x"]}}),
        Kind::Strings => json!(["a", "b"]),
        Kind::Message(target) => sample(target.ty()),
    };
    match field.shape {
        Shape::One => one,
        Shape::List => json!([one.clone(), one]),
        Shape::Map => json!({"k": one}),
    }
}

fn sample_root(definition: &str) -> Value {
    let ty = schema::lookup(definition).unwrap().ty();
    let [group, version, kind] = ty.gvk.unwrap();
    let mut object = sample(ty);
    object["apiVersion"] = if group.is_empty() { version.into() } else { format!("{group}/{version}").into() };
    object["kind"] = kind.into();
    object
}

#[test]
fn every_root_comes_back_from_protobuf_as_it_went() {
    let roots: Vec<_> = schema::all().filter(|ty| ty.ty().gvk.is_some()).collect();
    assert!(30 < roots.len());
    for root in roots {
        let object = sample_root(root.ty().name);
        let body = encode(&object).unwrap();
        assert_eq!(decode(&body).unwrap(), object, "{}", root.ty().name);
    }
}

#[test]
fn every_root_is_what_its_typed_form_reads_and_writes() {
    use k8s_openapi::api::{authentication, authorization, batch, coordination, core, events, storage};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

    /// What comes back from protobuf is read and written again by the typed form without a difference.
    fn typed<T: serde::de::DeserializeOwned + serde::Serialize>(definition: &str) {
        let object = decode(&encode(&sample_root(definition)).unwrap()).unwrap();
        let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{definition}: {error}"));
        assert_eq!(serde_json::to_value(typed).unwrap(), object, "{definition}");
    }
    typed::<authentication::v1::SelfSubjectReview>("io.k8s.api.authentication.v1.SelfSubjectReview");
    typed::<authorization::v1::SelfSubjectAccessReview>("io.k8s.api.authorization.v1.SelfSubjectAccessReview");
    typed::<authorization::v1::SelfSubjectRulesReview>("io.k8s.api.authorization.v1.SelfSubjectRulesReview");
    typed::<batch::v1::CronJob>("io.k8s.api.batch.v1.CronJob");
    typed::<batch::v1::Job>("io.k8s.api.batch.v1.Job");
    typed::<coordination::v1::Lease>("io.k8s.api.coordination.v1.Lease");
    typed::<core::v1::Binding>("io.k8s.api.core.v1.Binding");
    typed::<core::v1::ConfigMap>("io.k8s.api.core.v1.ConfigMap");
    typed::<core::v1::Event>("io.k8s.api.core.v1.Event");
    typed::<core::v1::Namespace>("io.k8s.api.core.v1.Namespace");
    typed::<core::v1::Node>("io.k8s.api.core.v1.Node");
    typed::<core::v1::PersistentVolume>("io.k8s.api.core.v1.PersistentVolume");
    typed::<core::v1::PersistentVolumeClaim>("io.k8s.api.core.v1.PersistentVolumeClaim");
    typed::<core::v1::Pod>("io.k8s.api.core.v1.Pod");
    typed::<core::v1::Secret>("io.k8s.api.core.v1.Secret");
    typed::<core::v1::ServiceAccount>("io.k8s.api.core.v1.ServiceAccount");
    typed::<events::v1::Event>("io.k8s.api.events.v1.Event");
    typed::<storage::v1::StorageClass>("io.k8s.api.storage.v1.StorageClass");
    typed::<meta::DeleteOptions>("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
}

#[test]
fn zeros_are_kept_where_they_are_values_and_dropped_where_they_mean_nothing() {
    let body = encode(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "", "generation": 0},
        "spec": {"parallelism": 0, "suspend": false, "managedBy": "",
            "template": {"spec": {"restartPolicy": "", "containers": [{"name": "", "tty": false, "image": ""}]}}},
        "status": {"active": 0, "ready": 0},
    }))
    .unwrap();
    assert_eq!(
        decode(&body).unwrap(),
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {},
            "spec": {"parallelism": 0, "suspend": false, "managedBy": "", "template": {"spec": {"containers": [{"name": ""}]}}},
            "status": {"ready": 0},
        })
    );
}

#[test]
fn packed_and_unpacked_numbers_are_both_read() {
    let rule = schema::lookup("io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement").unwrap().ty();
    for message in [&[0x18, 1, 0x18, 2][..], &[0x1a, 2, 1, 2]] {
        let mut object = Map::new();
        decode::message(message, rule, &mut object).unwrap();
        assert_eq!(Value::Object(object), json!({"values": [1, 2]}));
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let envelope = |kind: &str, raw: &[u8], encoding: &str| {
        let mut meta = Writer::default();
        meta.bytes(1, b"batch/v1");
        meta.bytes(2, kind.as_bytes());
        let mut unknown = Writer::default();
        unknown.bytes(1, &meta.finish());
        unknown.bytes(2, raw);
        unknown.bytes(3, encoding.as_bytes());
        [&MAGIC[..], &unknown.finish()].concat()
    };
    for (body, expected) in [
        (b"{}".to_vec(), "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
        (envelope("Nonsense", b"", ""), r#"no kind "Nonsense" is registered for version "batch/v1""#),
        (envelope("Job", b"", "gzip"), r#"content encoding "gzip" is not supported"#),
        (envelope("Job", &[0x12, 9], ""), "unexpected EOF in a protobuf message"),
        (
            envelope("Job", &[0x12, 2, 0x0a, 0], ""),
            "io.k8s.api.batch.v1.Job.spec: io.k8s.api.batch.v1.JobSpec.parallelism: wrong wire type: found bytes where an integer belongs",
        ),
    ] {
        assert_eq!(decode(&body), Err(expected.to_owned()));
    }
    assert!(encode(&json!({"apiVersion": "meta.k8s.io/v1", "kind": "Table"})).is_err());
    assert!(encode(&json!([])).is_err());
    assert!(encode(&json!({"apiVersion": "v1", "kind": "Pod", "spec": 5})).is_err());
    assert!(decode(&envelope("DeleteOptions", b"", "")).is_ok(), "options are known in every group");
}

proptest! {
    #[test]
    fn hostile_messages_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        for root in schema::all().filter(|ty| ty.ty().gvk.is_some()) {
            let _ = decode::message(&raw, root.ty(), &mut Map::new());
        }
        let _ = decode(&[&MAGIC[..], &raw].concat());
    }

    #[test]
    fn mutated_bodies_never_panic(
        which in 0..3usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        static POD: LazyLock<Vec<u8>> = LazyLock::new(|| encode(&sample_root("io.k8s.api.core.v1.Pod")).unwrap());
        let mut body = [CREATE_JOB, CREATE_CONFIGMAP, POD.as_slice()][which].to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(object) = decode(&body) {
            let _ = encode(&object);
        }
    }
}
