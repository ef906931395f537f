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
    use k8s_openapi::api::{
        authentication, authorization, batch, coordination, core, events, node, policy, rbac, scheduling, storage,
    };
    use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

    let checked = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let typed = Typed { checked: &checked };
    typed.check::<authentication::v1::SelfSubjectReview>("io.k8s.api.authentication.v1.SelfSubjectReview");
    typed.check::<authentication::v1::TokenRequest>("io.k8s.api.authentication.v1.TokenRequest");
    typed.check::<authentication::v1::TokenReview>("io.k8s.api.authentication.v1.TokenReview");
    typed.check::<authorization::v1::LocalSubjectAccessReview>("io.k8s.api.authorization.v1.LocalSubjectAccessReview");
    typed.check::<authorization::v1::SelfSubjectAccessReview>("io.k8s.api.authorization.v1.SelfSubjectAccessReview");
    typed.check::<authorization::v1::SelfSubjectRulesReview>("io.k8s.api.authorization.v1.SelfSubjectRulesReview");
    typed.check::<authorization::v1::SubjectAccessReview>("io.k8s.api.authorization.v1.SubjectAccessReview");
    typed.check::<batch::v1::CronJob>("io.k8s.api.batch.v1.CronJob");
    typed.check::<batch::v1::Job>("io.k8s.api.batch.v1.Job");
    typed.check::<coordination::v1::Lease>("io.k8s.api.coordination.v1.Lease");
    typed.check::<core::v1::Binding>("io.k8s.api.core.v1.Binding");
    typed.check::<core::v1::ConfigMap>("io.k8s.api.core.v1.ConfigMap");
    typed.check::<core::v1::Event>("io.k8s.api.core.v1.Event");
    typed.check::<core::v1::LimitRange>("io.k8s.api.core.v1.LimitRange");
    typed.check::<core::v1::Namespace>("io.k8s.api.core.v1.Namespace");
    typed.check::<core::v1::Node>("io.k8s.api.core.v1.Node");
    typed.check::<core::v1::PersistentVolume>("io.k8s.api.core.v1.PersistentVolume");
    typed.check::<core::v1::PersistentVolumeClaim>("io.k8s.api.core.v1.PersistentVolumeClaim");
    typed.check::<core::v1::Pod>("io.k8s.api.core.v1.Pod");
    typed.check::<core::v1::ResourceQuota>("io.k8s.api.core.v1.ResourceQuota");
    typed.check::<core::v1::Secret>("io.k8s.api.core.v1.Secret");
    typed.check::<core::v1::Service>("io.k8s.api.core.v1.Service");
    typed.check::<core::v1::ServiceAccount>("io.k8s.api.core.v1.ServiceAccount");
    typed.check::<events::v1::Event>("io.k8s.api.events.v1.Event");
    typed.check::<node::v1::RuntimeClass>("io.k8s.api.node.v1.RuntimeClass");
    typed.check::<policy::v1::Eviction>("io.k8s.api.policy.v1.Eviction");
    typed.check::<rbac::v1::ClusterRole>("io.k8s.api.rbac.v1.ClusterRole");
    typed.check::<rbac::v1::ClusterRoleBinding>("io.k8s.api.rbac.v1.ClusterRoleBinding");
    typed.check::<rbac::v1::Role>("io.k8s.api.rbac.v1.Role");
    typed.check::<rbac::v1::RoleBinding>("io.k8s.api.rbac.v1.RoleBinding");
    typed.check::<scheduling::v1::PriorityClass>("io.k8s.api.scheduling.v1.PriorityClass");
    typed.check::<storage::v1::StorageClass>("io.k8s.api.storage.v1.StorageClass");
    typed.check::<meta::DeleteOptions>("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
    for kind in kinds::KINDS {
        assert!(checked.borrow().contains(kind.type_name()), "{} is served and not checked here", kind.type_name());
    }
}

struct Typed<'a> {
    checked: &'a std::cell::RefCell<std::collections::BTreeSet<String>>,
}

impl Typed<'_> {
    /// What comes back from protobuf is read and written again by the typed form without a difference.
    fn check<T: serde::de::DeserializeOwned + serde::Serialize>(&self, definition: &str) {
        let object = decode(&encode(&sample_root(definition)).unwrap()).unwrap();
        let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{definition}: {error}"));
        assert_eq!(serde_json::to_value(typed).unwrap(), object, "{definition}");
        self.checked.borrow_mut().insert(definition.to_owned());
    }
}

#[test]
fn every_served_kind_has_a_list() {
    for kind in kinds::KINDS.iter().filter(|kind| kind.names().verbs.contains(&"list")) {
        let item = sample_root(kind.type_name());
        let api_version = item["apiVersion"].clone();
        let mut bare = item.clone();
        bare.as_object_mut().unwrap().retain(|key, _| !["apiVersion", "kind"].contains(&key.as_str()));
        let list = json!({
            "apiVersion": api_version, "kind": format!("{}List", kind.names().kind),
            "metadata": {"resourceVersion": "7", "continue": "x", "remainingItemCount": 3},
            "items": [bare, bare],
        });
        assert_eq!(decode(&encode(&list).unwrap()).unwrap(), list, "{}", kind.type_name());
        let empty =
            json!({"apiVersion": api_version, "kind": list["kind"], "metadata": {"resourceVersion": "7"}, "items": []});
        assert!(encode(&empty).is_ok());
    }
}

#[test]
fn metadata_alone_and_lists_of_it() {
    let metadata = json!({"name": "a", "labels": {"x": "y"}});
    let message = |object: Value| {
        let bytes = encode(&object).unwrap();
        Envelope::read(bytes.strip_prefix(MAGIC).unwrap()).unwrap().raw.to_vec()
    };
    let fields = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        std::iter::from_fn(|| reader.next().unwrap().map(|(tag, payload)| (tag, payload.bytes().unwrap().to_vec())))
            .collect::<Vec<_>>()
    };
    let read = |bytes: &[u8], definition: &str| {
        let mut object = Map::new();
        decode::message(bytes, schema::lookup(definition).unwrap().ty(), &mut object).unwrap();
        Value::Object(object)
    };
    let object_meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    for (version, metadata_tag, items_tag) in [("meta.k8s.io/v1", 1, 2), ("meta.k8s.io/v1beta1", 2, 1)] {
        let one = json!({"apiVersion": version, "kind": "PartialObjectMetadata", "metadata": metadata});
        let parts = fields(&message(one.clone()));
        assert_eq!((parts.len(), parts[0].0, read(&parts[0].1, object_meta)), (1, 1, metadata.clone()));
        let list = json!({"apiVersion": version, "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "7"}, "items": [one, one]});
        let parts = fields(&message(list));
        assert!(parts.is_sorted_by_key(|(tag, _)| *tag));
        let tagged =
            |wanted: u32| parts.iter().filter(|(tag, _)| *tag == wanted).map(|(_, bytes)| bytes).collect::<Vec<_>>();
        let list_meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
        assert_eq!(read(tagged(metadata_tag)[0], list_meta), json!({"resourceVersion": "7"}));
        assert_eq!(tagged(items_tag).len(), 2);
        assert_eq!(read(&fields(tagged(items_tag)[1])[0].1, object_meta), metadata);
    }
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
