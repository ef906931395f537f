//! Written by `cargo run -p xtask -- schema`: Kubernetes v1.36 types. Do not edit.

use super::types::{Kind, ListType::*, Patch::*, Type, field as f};
use super::TypeRef;
use Kind::*;

const AUTHENTICATION_V1_BOUND_OBJECT_REFERENCE: Kind = Message(TypeRef(0));
const AUTHENTICATION_V1_SELF_SUBJECT_REVIEW_STATUS: Kind = Message(TypeRef(2));
const AUTHENTICATION_V1_TOKEN_REQUEST_SPEC: Kind = Message(TypeRef(4));
const AUTHENTICATION_V1_TOKEN_REQUEST_STATUS: Kind = Message(TypeRef(5));
const AUTHENTICATION_V1_TOKEN_REVIEW_SPEC: Kind = Message(TypeRef(7));
const AUTHENTICATION_V1_TOKEN_REVIEW_STATUS: Kind = Message(TypeRef(8));
const AUTHENTICATION_V1_USER_INFO: Kind = Message(TypeRef(9));
const AUTHORIZATION_V1_FIELD_SELECTOR_ATTRIBUTES: Kind = Message(TypeRef(10));
const AUTHORIZATION_V1_LABEL_SELECTOR_ATTRIBUTES: Kind = Message(TypeRef(11));
const AUTHORIZATION_V1_NON_RESOURCE_ATTRIBUTES: Kind = Message(TypeRef(13));
const AUTHORIZATION_V1_NON_RESOURCE_RULE: Kind = Message(TypeRef(14));
const AUTHORIZATION_V1_RESOURCE_ATTRIBUTES: Kind = Message(TypeRef(15));
const AUTHORIZATION_V1_RESOURCE_RULE: Kind = Message(TypeRef(16));
const AUTHORIZATION_V1_SELF_SUBJECT_ACCESS_REVIEW_SPEC: Kind = Message(TypeRef(18));
const AUTHORIZATION_V1_SELF_SUBJECT_RULES_REVIEW_SPEC: Kind = Message(TypeRef(20));
const AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_SPEC: Kind = Message(TypeRef(22));
const AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_STATUS: Kind = Message(TypeRef(23));
const AUTHORIZATION_V1_SUBJECT_RULES_REVIEW_STATUS: Kind = Message(TypeRef(24));
const BATCH_V1_CRON_JOB: Kind = Message(TypeRef(25));
const BATCH_V1_CRON_JOB_SPEC: Kind = Message(TypeRef(27));
const BATCH_V1_CRON_JOB_STATUS: Kind = Message(TypeRef(28));
const BATCH_V1_JOB: Kind = Message(TypeRef(29));
const BATCH_V1_JOB_CONDITION: Kind = Message(TypeRef(30));
const BATCH_V1_JOB_SPEC: Kind = Message(TypeRef(32));
const BATCH_V1_JOB_STATUS: Kind = Message(TypeRef(33));
const BATCH_V1_JOB_TEMPLATE_SPEC: Kind = Message(TypeRef(34));
const BATCH_V1_POD_FAILURE_POLICY: Kind = Message(TypeRef(35));
const BATCH_V1_POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT: Kind = Message(TypeRef(36));
const BATCH_V1_POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN: Kind = Message(TypeRef(37));
const BATCH_V1_POD_FAILURE_POLICY_RULE: Kind = Message(TypeRef(38));
const BATCH_V1_SUCCESS_POLICY: Kind = Message(TypeRef(39));
const BATCH_V1_SUCCESS_POLICY_RULE: Kind = Message(TypeRef(40));
const BATCH_V1_UNCOUNTED_TERMINATED_PODS: Kind = Message(TypeRef(41));
const COORDINATION_V1_LEASE: Kind = Message(TypeRef(42));
const COORDINATION_V1_LEASE_SPEC: Kind = Message(TypeRef(44));
const CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: Kind = Message(TypeRef(45));
const CORE_V1_AFFINITY: Kind = Message(TypeRef(46));
const CORE_V1_APP_ARMOR_PROFILE: Kind = Message(TypeRef(47));
const CORE_V1_ATTACHED_VOLUME: Kind = Message(TypeRef(48));
const CORE_V1_AZURE_DISK_VOLUME_SOURCE: Kind = Message(TypeRef(49));
const CORE_V1_AZURE_FILE_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(50));
const CORE_V1_AZURE_FILE_VOLUME_SOURCE: Kind = Message(TypeRef(51));
const CORE_V1_CSI_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(53));
const CORE_V1_CSI_VOLUME_SOURCE: Kind = Message(TypeRef(54));
const CORE_V1_CAPABILITIES: Kind = Message(TypeRef(55));
const CORE_V1_CEPH_FS_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(56));
const CORE_V1_CEPH_FS_VOLUME_SOURCE: Kind = Message(TypeRef(57));
const CORE_V1_CINDER_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(58));
const CORE_V1_CINDER_VOLUME_SOURCE: Kind = Message(TypeRef(59));
const CORE_V1_CLIENT_IP_CONFIG: Kind = Message(TypeRef(60));
const CORE_V1_CLUSTER_TRUST_BUNDLE_PROJECTION: Kind = Message(TypeRef(61));
const CORE_V1_CONFIG_MAP: Kind = Message(TypeRef(62));
const CORE_V1_CONFIG_MAP_ENV_SOURCE: Kind = Message(TypeRef(63));
const CORE_V1_CONFIG_MAP_KEY_SELECTOR: Kind = Message(TypeRef(64));
const CORE_V1_CONFIG_MAP_NODE_CONFIG_SOURCE: Kind = Message(TypeRef(66));
const CORE_V1_CONFIG_MAP_PROJECTION: Kind = Message(TypeRef(67));
const CORE_V1_CONFIG_MAP_VOLUME_SOURCE: Kind = Message(TypeRef(68));
const CORE_V1_CONTAINER: Kind = Message(TypeRef(69));
const CORE_V1_CONTAINER_EXTENDED_RESOURCE_REQUEST: Kind = Message(TypeRef(70));
const CORE_V1_CONTAINER_IMAGE: Kind = Message(TypeRef(71));
const CORE_V1_CONTAINER_PORT: Kind = Message(TypeRef(72));
const CORE_V1_CONTAINER_RESIZE_POLICY: Kind = Message(TypeRef(73));
const CORE_V1_CONTAINER_RESTART_RULE: Kind = Message(TypeRef(74));
const CORE_V1_CONTAINER_RESTART_RULE_ON_EXIT_CODES: Kind = Message(TypeRef(75));
const CORE_V1_CONTAINER_STATE: Kind = Message(TypeRef(76));
const CORE_V1_CONTAINER_STATE_RUNNING: Kind = Message(TypeRef(77));
const CORE_V1_CONTAINER_STATE_TERMINATED: Kind = Message(TypeRef(78));
const CORE_V1_CONTAINER_STATE_WAITING: Kind = Message(TypeRef(79));
const CORE_V1_CONTAINER_STATUS: Kind = Message(TypeRef(80));
const CORE_V1_CONTAINER_USER: Kind = Message(TypeRef(81));
const CORE_V1_DAEMON_ENDPOINT: Kind = Message(TypeRef(82));
const CORE_V1_DOWNWARD_API_PROJECTION: Kind = Message(TypeRef(83));
const CORE_V1_DOWNWARD_API_VOLUME_FILE: Kind = Message(TypeRef(84));
const CORE_V1_DOWNWARD_API_VOLUME_SOURCE: Kind = Message(TypeRef(85));
const CORE_V1_EMPTY_DIR_VOLUME_SOURCE: Kind = Message(TypeRef(86));
const CORE_V1_ENV_FROM_SOURCE: Kind = Message(TypeRef(87));
const CORE_V1_ENV_VAR: Kind = Message(TypeRef(88));
const CORE_V1_ENV_VAR_SOURCE: Kind = Message(TypeRef(89));
const CORE_V1_EPHEMERAL_CONTAINER: Kind = Message(TypeRef(90));
const CORE_V1_EPHEMERAL_VOLUME_SOURCE: Kind = Message(TypeRef(91));
const CORE_V1_EVENT: Kind = Message(TypeRef(92));
const CORE_V1_EVENT_SERIES: Kind = Message(TypeRef(94));
const CORE_V1_EVENT_SOURCE: Kind = Message(TypeRef(95));
const CORE_V1_EXEC_ACTION: Kind = Message(TypeRef(96));
const CORE_V1_FC_VOLUME_SOURCE: Kind = Message(TypeRef(97));
const CORE_V1_FILE_KEY_SELECTOR: Kind = Message(TypeRef(98));
const CORE_V1_FLEX_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(99));
const CORE_V1_FLEX_VOLUME_SOURCE: Kind = Message(TypeRef(100));
const CORE_V1_FLOCKER_VOLUME_SOURCE: Kind = Message(TypeRef(101));
const CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE: Kind = Message(TypeRef(102));
const CORE_V1_GRPC_ACTION: Kind = Message(TypeRef(103));
const CORE_V1_GIT_REPO_VOLUME_SOURCE: Kind = Message(TypeRef(104));
const CORE_V1_GLUSTERFS_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(105));
const CORE_V1_GLUSTERFS_VOLUME_SOURCE: Kind = Message(TypeRef(106));
const CORE_V1_HTTP_GET_ACTION: Kind = Message(TypeRef(107));
const CORE_V1_HTTP_HEADER: Kind = Message(TypeRef(108));
const CORE_V1_HOST_ALIAS: Kind = Message(TypeRef(109));
const CORE_V1_HOST_IP: Kind = Message(TypeRef(110));
const CORE_V1_HOST_PATH_VOLUME_SOURCE: Kind = Message(TypeRef(111));
const CORE_V1_ISCSI_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(112));
const CORE_V1_ISCSI_VOLUME_SOURCE: Kind = Message(TypeRef(113));
const CORE_V1_IMAGE_VOLUME_SOURCE: Kind = Message(TypeRef(114));
const CORE_V1_IMAGE_VOLUME_STATUS: Kind = Message(TypeRef(115));
const CORE_V1_KEY_TO_PATH: Kind = Message(TypeRef(116));
const CORE_V1_LIFECYCLE: Kind = Message(TypeRef(117));
const CORE_V1_LIFECYCLE_HANDLER: Kind = Message(TypeRef(118));
const CORE_V1_LIMIT_RANGE: Kind = Message(TypeRef(119));
const CORE_V1_LIMIT_RANGE_ITEM: Kind = Message(TypeRef(120));
const CORE_V1_LIMIT_RANGE_SPEC: Kind = Message(TypeRef(122));
const CORE_V1_LINUX_CONTAINER_USER: Kind = Message(TypeRef(123));
const CORE_V1_LOAD_BALANCER_INGRESS: Kind = Message(TypeRef(124));
const CORE_V1_LOAD_BALANCER_STATUS: Kind = Message(TypeRef(125));
const CORE_V1_LOCAL_OBJECT_REFERENCE: Kind = Message(TypeRef(126));
const CORE_V1_LOCAL_VOLUME_SOURCE: Kind = Message(TypeRef(127));
const CORE_V1_MODIFY_VOLUME_STATUS: Kind = Message(TypeRef(128));
const CORE_V1_NFS_VOLUME_SOURCE: Kind = Message(TypeRef(129));
const CORE_V1_NAMESPACE: Kind = Message(TypeRef(130));
const CORE_V1_NAMESPACE_CONDITION: Kind = Message(TypeRef(131));
const CORE_V1_NAMESPACE_SPEC: Kind = Message(TypeRef(133));
const CORE_V1_NAMESPACE_STATUS: Kind = Message(TypeRef(134));
const CORE_V1_NODE: Kind = Message(TypeRef(135));
const CORE_V1_NODE_ADDRESS: Kind = Message(TypeRef(136));
const CORE_V1_NODE_AFFINITY: Kind = Message(TypeRef(137));
const CORE_V1_NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS: Kind = Message(TypeRef(138));
const CORE_V1_NODE_CONDITION: Kind = Message(TypeRef(139));
const CORE_V1_NODE_CONFIG_SOURCE: Kind = Message(TypeRef(140));
const CORE_V1_NODE_CONFIG_STATUS: Kind = Message(TypeRef(141));
const CORE_V1_NODE_DAEMON_ENDPOINTS: Kind = Message(TypeRef(142));
const CORE_V1_NODE_FEATURES: Kind = Message(TypeRef(143));
const CORE_V1_NODE_RUNTIME_HANDLER: Kind = Message(TypeRef(145));
const CORE_V1_NODE_RUNTIME_HANDLER_FEATURES: Kind = Message(TypeRef(146));
const CORE_V1_NODE_SELECTOR: Kind = Message(TypeRef(147));
const CORE_V1_NODE_SELECTOR_REQUIREMENT: Kind = Message(TypeRef(148));
const CORE_V1_NODE_SELECTOR_TERM: Kind = Message(TypeRef(149));
const CORE_V1_NODE_SPEC: Kind = Message(TypeRef(150));
const CORE_V1_NODE_STATUS: Kind = Message(TypeRef(151));
const CORE_V1_NODE_SWAP_STATUS: Kind = Message(TypeRef(152));
const CORE_V1_NODE_SYSTEM_INFO: Kind = Message(TypeRef(153));
const CORE_V1_OBJECT_FIELD_SELECTOR: Kind = Message(TypeRef(154));
const CORE_V1_OBJECT_REFERENCE: Kind = Message(TypeRef(155));
const CORE_V1_PERSISTENT_VOLUME: Kind = Message(TypeRef(156));
const CORE_V1_PERSISTENT_VOLUME_CLAIM: Kind = Message(TypeRef(157));
const CORE_V1_PERSISTENT_VOLUME_CLAIM_CONDITION: Kind = Message(TypeRef(158));
const CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC: Kind = Message(TypeRef(160));
const CORE_V1_PERSISTENT_VOLUME_CLAIM_STATUS: Kind = Message(TypeRef(161));
const CORE_V1_PERSISTENT_VOLUME_CLAIM_TEMPLATE: Kind = Message(TypeRef(162));
const CORE_V1_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: Kind = Message(TypeRef(163));
const CORE_V1_PERSISTENT_VOLUME_SPEC: Kind = Message(TypeRef(165));
const CORE_V1_PERSISTENT_VOLUME_STATUS: Kind = Message(TypeRef(166));
const CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: Kind = Message(TypeRef(167));
const CORE_V1_POD: Kind = Message(TypeRef(168));
const CORE_V1_POD_AFFINITY: Kind = Message(TypeRef(169));
const CORE_V1_POD_AFFINITY_TERM: Kind = Message(TypeRef(170));
const CORE_V1_POD_ANTI_AFFINITY: Kind = Message(TypeRef(171));
const CORE_V1_POD_CERTIFICATE_PROJECTION: Kind = Message(TypeRef(172));
const CORE_V1_POD_CONDITION: Kind = Message(TypeRef(173));
const CORE_V1_POD_DNS_CONFIG: Kind = Message(TypeRef(174));
const CORE_V1_POD_DNS_CONFIG_OPTION: Kind = Message(TypeRef(175));
const CORE_V1_POD_EXTENDED_RESOURCE_CLAIM_STATUS: Kind = Message(TypeRef(176));
const CORE_V1_POD_IP: Kind = Message(TypeRef(177));
const CORE_V1_POD_OS: Kind = Message(TypeRef(179));
const CORE_V1_POD_READINESS_GATE: Kind = Message(TypeRef(180));
const CORE_V1_POD_RESOURCE_CLAIM: Kind = Message(TypeRef(181));
const CORE_V1_POD_RESOURCE_CLAIM_STATUS: Kind = Message(TypeRef(182));
const CORE_V1_POD_SCHEDULING_GATE: Kind = Message(TypeRef(183));
const CORE_V1_POD_SCHEDULING_GROUP: Kind = Message(TypeRef(184));
const CORE_V1_POD_SECURITY_CONTEXT: Kind = Message(TypeRef(185));
const CORE_V1_POD_SPEC: Kind = Message(TypeRef(186));
const CORE_V1_POD_STATUS: Kind = Message(TypeRef(187));
const CORE_V1_POD_TEMPLATE_SPEC: Kind = Message(TypeRef(188));
const CORE_V1_PORT_STATUS: Kind = Message(TypeRef(189));
const CORE_V1_PORTWORX_VOLUME_SOURCE: Kind = Message(TypeRef(190));
const CORE_V1_PREFERRED_SCHEDULING_TERM: Kind = Message(TypeRef(191));
const CORE_V1_PROBE: Kind = Message(TypeRef(192));
const CORE_V1_PROJECTED_VOLUME_SOURCE: Kind = Message(TypeRef(193));
const CORE_V1_QUOBYTE_VOLUME_SOURCE: Kind = Message(TypeRef(194));
const CORE_V1_RBD_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(195));
const CORE_V1_RBD_VOLUME_SOURCE: Kind = Message(TypeRef(196));
const CORE_V1_RESOURCE_CLAIM: Kind = Message(TypeRef(197));
const CORE_V1_RESOURCE_FIELD_SELECTOR: Kind = Message(TypeRef(198));
const CORE_V1_RESOURCE_HEALTH: Kind = Message(TypeRef(199));
const CORE_V1_RESOURCE_QUOTA: Kind = Message(TypeRef(200));
const CORE_V1_RESOURCE_QUOTA_SPEC: Kind = Message(TypeRef(202));
const CORE_V1_RESOURCE_QUOTA_STATUS: Kind = Message(TypeRef(203));
const CORE_V1_RESOURCE_REQUIREMENTS: Kind = Message(TypeRef(204));
const CORE_V1_RESOURCE_STATUS: Kind = Message(TypeRef(205));
const CORE_V1_SE_LINUX_OPTIONS: Kind = Message(TypeRef(206));
const CORE_V1_SCALE_IO_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(207));
const CORE_V1_SCALE_IO_VOLUME_SOURCE: Kind = Message(TypeRef(208));
const CORE_V1_SCOPE_SELECTOR: Kind = Message(TypeRef(209));
const CORE_V1_SCOPED_RESOURCE_SELECTOR_REQUIREMENT: Kind = Message(TypeRef(210));
const CORE_V1_SECCOMP_PROFILE: Kind = Message(TypeRef(211));
const CORE_V1_SECRET: Kind = Message(TypeRef(212));
const CORE_V1_SECRET_ENV_SOURCE: Kind = Message(TypeRef(213));
const CORE_V1_SECRET_KEY_SELECTOR: Kind = Message(TypeRef(214));
const CORE_V1_SECRET_PROJECTION: Kind = Message(TypeRef(216));
const CORE_V1_SECRET_REFERENCE: Kind = Message(TypeRef(217));
const CORE_V1_SECRET_VOLUME_SOURCE: Kind = Message(TypeRef(218));
const CORE_V1_SECURITY_CONTEXT: Kind = Message(TypeRef(219));
const CORE_V1_SERVICE: Kind = Message(TypeRef(220));
const CORE_V1_SERVICE_ACCOUNT: Kind = Message(TypeRef(221));
const CORE_V1_SERVICE_ACCOUNT_TOKEN_PROJECTION: Kind = Message(TypeRef(223));
const CORE_V1_SERVICE_PORT: Kind = Message(TypeRef(225));
const CORE_V1_SERVICE_SPEC: Kind = Message(TypeRef(226));
const CORE_V1_SERVICE_STATUS: Kind = Message(TypeRef(227));
const CORE_V1_SESSION_AFFINITY_CONFIG: Kind = Message(TypeRef(228));
const CORE_V1_SLEEP_ACTION: Kind = Message(TypeRef(229));
const CORE_V1_STORAGE_OS_PERSISTENT_VOLUME_SOURCE: Kind = Message(TypeRef(230));
const CORE_V1_STORAGE_OS_VOLUME_SOURCE: Kind = Message(TypeRef(231));
const CORE_V1_SYSCTL: Kind = Message(TypeRef(232));
const CORE_V1_TCP_SOCKET_ACTION: Kind = Message(TypeRef(233));
const CORE_V1_TAINT: Kind = Message(TypeRef(234));
const CORE_V1_TOLERATION: Kind = Message(TypeRef(235));
const CORE_V1_TOPOLOGY_SELECTOR_LABEL_REQUIREMENT: Kind = Message(TypeRef(236));
const CORE_V1_TOPOLOGY_SELECTOR_TERM: Kind = Message(TypeRef(237));
const CORE_V1_TOPOLOGY_SPREAD_CONSTRAINT: Kind = Message(TypeRef(238));
const CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE: Kind = Message(TypeRef(239));
const CORE_V1_TYPED_OBJECT_REFERENCE: Kind = Message(TypeRef(240));
const CORE_V1_VOLUME: Kind = Message(TypeRef(241));
const CORE_V1_VOLUME_DEVICE: Kind = Message(TypeRef(242));
const CORE_V1_VOLUME_MOUNT: Kind = Message(TypeRef(243));
const CORE_V1_VOLUME_MOUNT_STATUS: Kind = Message(TypeRef(244));
const CORE_V1_VOLUME_NODE_AFFINITY: Kind = Message(TypeRef(245));
const CORE_V1_VOLUME_PROJECTION: Kind = Message(TypeRef(246));
const CORE_V1_VOLUME_RESOURCE_REQUIREMENTS: Kind = Message(TypeRef(247));
const CORE_V1_VOLUME_STATUS: Kind = Message(TypeRef(248));
const CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: Kind = Message(TypeRef(249));
const CORE_V1_WEIGHTED_POD_AFFINITY_TERM: Kind = Message(TypeRef(250));
const CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS: Kind = Message(TypeRef(251));
const EVENTS_V1_EVENT: Kind = Message(TypeRef(252));
const EVENTS_V1_EVENT_SERIES: Kind = Message(TypeRef(254));
const NODE_V1_OVERHEAD: Kind = Message(TypeRef(255));
const NODE_V1_RUNTIME_CLASS: Kind = Message(TypeRef(256));
const NODE_V1_SCHEDULING: Kind = Message(TypeRef(258));
const RBAC_V1_AGGREGATION_RULE: Kind = Message(TypeRef(260));
const RBAC_V1_CLUSTER_ROLE: Kind = Message(TypeRef(261));
const RBAC_V1_CLUSTER_ROLE_BINDING: Kind = Message(TypeRef(262));
const RBAC_V1_POLICY_RULE: Kind = Message(TypeRef(265));
const RBAC_V1_ROLE: Kind = Message(TypeRef(266));
const RBAC_V1_ROLE_BINDING: Kind = Message(TypeRef(267));
const RBAC_V1_ROLE_REF: Kind = Message(TypeRef(270));
const RBAC_V1_SUBJECT: Kind = Message(TypeRef(271));
const SCHEDULING_V1_PRIORITY_CLASS: Kind = Message(TypeRef(272));
const STORAGE_V1_STORAGE_CLASS: Kind = Message(TypeRef(274));
const META_V1_CONDITION: Kind = Message(TypeRef(276));
const META_V1_DELETE_OPTIONS: Kind = Message(TypeRef(277));
const META_V1_FIELD_SELECTOR_REQUIREMENT: Kind = Message(TypeRef(278));
const META_V1_LABEL_SELECTOR: Kind = Message(TypeRef(279));
const META_V1_LABEL_SELECTOR_REQUIREMENT: Kind = Message(TypeRef(280));
const META_V1_LIST_META: Kind = Message(TypeRef(281));
const META_V1_MANAGED_FIELDS_ENTRY: Kind = Message(TypeRef(282));
const META_V1_OBJECT_META: Kind = Message(TypeRef(283));
const META_V1_OWNER_REFERENCE: Kind = Message(TypeRef(284));
const META_V1_PRECONDITIONS: Kind = Message(TypeRef(285));
const META_V1_SHARD_INFO: Kind = Message(TypeRef(286));
const META_V1_STATUS_CAUSE: Kind = Message(TypeRef(288));
const META_V1_STATUS_DETAILS: Kind = Message(TypeRef(289));

/// Sorted by name; a `TypeRef` is an index.
pub(super) static TYPES: &[Type] = &[
Type { name: "io.k8s.api.authentication.v1.BoundObjectReference", gvk: None, atomic: false, fields: &[
    f("apiVersion", String, 2),
    f("kind", String, 1),
    f("name", String, 3),
    f("uid", String, 4),
] },
Type { name: "io.k8s.api.authentication.v1.SelfSubjectReview", gvk: Some(["authentication.k8s.io", "v1", "SelfSubjectReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("status", AUTHENTICATION_V1_SELF_SUBJECT_REVIEW_STATUS, 2),
] },
Type { name: "io.k8s.api.authentication.v1.SelfSubjectReviewStatus", gvk: None, atomic: false, fields: &[
    f("userInfo", AUTHENTICATION_V1_USER_INFO, 1),
] },
Type { name: "io.k8s.api.authentication.v1.TokenRequest", gvk: Some(["authentication.k8s.io", "v1", "TokenRequest"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHENTICATION_V1_TOKEN_REQUEST_SPEC, 2),
    f("status", AUTHENTICATION_V1_TOKEN_REQUEST_STATUS, 3),
] },
Type { name: "io.k8s.api.authentication.v1.TokenRequestSpec", gvk: None, atomic: false, fields: &[
    f("audiences", String, 1).list(Atomic),
    f("boundObjectRef", AUTHENTICATION_V1_BOUND_OBJECT_REFERENCE, 3),
    f("expirationSeconds", Int64, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.authentication.v1.TokenRequestStatus", gvk: None, atomic: false, fields: &[
    f("expirationTimestamp", Time, 2),
    f("token", String, 1),
] },
Type { name: "io.k8s.api.authentication.v1.TokenReview", gvk: Some(["authentication.k8s.io", "v1", "TokenReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHENTICATION_V1_TOKEN_REVIEW_SPEC, 2).required(),
    f("status", AUTHENTICATION_V1_TOKEN_REVIEW_STATUS, 3),
] },
Type { name: "io.k8s.api.authentication.v1.TokenReviewSpec", gvk: None, atomic: false, fields: &[
    f("audiences", String, 2).list(Atomic),
    f("token", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.authentication.v1.TokenReviewStatus", gvk: None, atomic: false, fields: &[
    f("audiences", String, 4).list(Atomic),
    f("authenticated", Bool, 1),
    f("error", String, 3),
    f("user", AUTHENTICATION_V1_USER_INFO, 2),
] },
Type { name: "io.k8s.api.authentication.v1.UserInfo", gvk: None, atomic: false, fields: &[
    f("extra", Strings, 4).map(),
    f("groups", String, 3).list(Atomic),
    f("uid", String, 2),
    f("username", String, 1),
] },
Type { name: "io.k8s.api.authorization.v1.FieldSelectorAttributes", gvk: None, atomic: false, fields: &[
    f("rawSelector", String, 1),
    f("requirements", META_V1_FIELD_SELECTOR_REQUIREMENT, 2).list(Atomic),
] },
Type { name: "io.k8s.api.authorization.v1.LabelSelectorAttributes", gvk: None, atomic: false, fields: &[
    f("rawSelector", String, 1),
    f("requirements", META_V1_LABEL_SELECTOR_REQUIREMENT, 2).list(Atomic),
] },
Type { name: "io.k8s.api.authorization.v1.LocalSubjectAccessReview", gvk: Some(["authorization.k8s.io", "v1", "LocalSubjectAccessReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_SPEC, 2).required(),
    f("status", AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_STATUS, 3),
] },
Type { name: "io.k8s.api.authorization.v1.NonResourceAttributes", gvk: None, atomic: false, fields: &[
    f("path", String, 1),
    f("verb", String, 2),
] },
Type { name: "io.k8s.api.authorization.v1.NonResourceRule", gvk: None, atomic: false, fields: &[
    f("nonResourceURLs", String, 2).list(Atomic),
    f("verbs", String, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.authorization.v1.ResourceAttributes", gvk: None, atomic: false, fields: &[
    f("fieldSelector", AUTHORIZATION_V1_FIELD_SELECTOR_ATTRIBUTES, 8),
    f("group", String, 3),
    f("labelSelector", AUTHORIZATION_V1_LABEL_SELECTOR_ATTRIBUTES, 9),
    f("name", String, 7),
    f("namespace", String, 1),
    f("resource", String, 5),
    f("subresource", String, 6),
    f("verb", String, 2),
    f("version", String, 4),
] },
Type { name: "io.k8s.api.authorization.v1.ResourceRule", gvk: None, atomic: false, fields: &[
    f("apiGroups", String, 2).list(Atomic),
    f("resourceNames", String, 4).list(Atomic),
    f("resources", String, 3).list(Atomic),
    f("verbs", String, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.authorization.v1.SelfSubjectAccessReview", gvk: Some(["authorization.k8s.io", "v1", "SelfSubjectAccessReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHORIZATION_V1_SELF_SUBJECT_ACCESS_REVIEW_SPEC, 2).required(),
    f("status", AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_STATUS, 3),
] },
Type { name: "io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec", gvk: None, atomic: false, fields: &[
    f("nonResourceAttributes", AUTHORIZATION_V1_NON_RESOURCE_ATTRIBUTES, 2),
    f("resourceAttributes", AUTHORIZATION_V1_RESOURCE_ATTRIBUTES, 1),
] },
Type { name: "io.k8s.api.authorization.v1.SelfSubjectRulesReview", gvk: Some(["authorization.k8s.io", "v1", "SelfSubjectRulesReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHORIZATION_V1_SELF_SUBJECT_RULES_REVIEW_SPEC, 2).required(),
    f("status", AUTHORIZATION_V1_SUBJECT_RULES_REVIEW_STATUS, 3),
] },
Type { name: "io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec", gvk: None, atomic: false, fields: &[
    f("namespace", String, 1),
] },
Type { name: "io.k8s.api.authorization.v1.SubjectAccessReview", gvk: Some(["authorization.k8s.io", "v1", "SubjectAccessReview"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_SPEC, 2).required(),
    f("status", AUTHORIZATION_V1_SUBJECT_ACCESS_REVIEW_STATUS, 3),
] },
Type { name: "io.k8s.api.authorization.v1.SubjectAccessReviewSpec", gvk: None, atomic: false, fields: &[
    f("extra", Strings, 5).map(),
    f("groups", String, 4).list(Atomic),
    f("nonResourceAttributes", AUTHORIZATION_V1_NON_RESOURCE_ATTRIBUTES, 2),
    f("resourceAttributes", AUTHORIZATION_V1_RESOURCE_ATTRIBUTES, 1),
    f("uid", String, 6),
    f("user", String, 3),
] },
Type { name: "io.k8s.api.authorization.v1.SubjectAccessReviewStatus", gvk: None, atomic: false, fields: &[
    f("allowed", Bool, 1).required().keeps_zero(),
    f("denied", Bool, 4),
    f("evaluationError", String, 3),
    f("reason", String, 2),
] },
Type { name: "io.k8s.api.authorization.v1.SubjectRulesReviewStatus", gvk: None, atomic: false, fields: &[
    f("evaluationError", String, 4),
    f("incomplete", Bool, 3).required().keeps_zero(),
    f("nonResourceRules", AUTHORIZATION_V1_NON_RESOURCE_RULE, 2).list(Atomic).required(),
    f("resourceRules", AUTHORIZATION_V1_RESOURCE_RULE, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.batch.v1.CronJob", gvk: Some(["batch", "v1", "CronJob"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", BATCH_V1_CRON_JOB_SPEC, 2).required(),
    f("status", BATCH_V1_CRON_JOB_STATUS, 3),
] },
Type { name: "io.k8s.api.batch.v1.CronJobList", gvk: Some(["batch", "v1", "CronJobList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", BATCH_V1_CRON_JOB, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.batch.v1.CronJobSpec", gvk: None, atomic: false, fields: &[
    f("concurrencyPolicy", String, 3),
    f("failedJobsHistoryLimit", Int32, 7).keeps_zero(),
    f("jobTemplate", BATCH_V1_JOB_TEMPLATE_SPEC, 5).required(),
    f("schedule", String, 1).required().keeps_zero(),
    f("startingDeadlineSeconds", Int64, 2).keeps_zero(),
    f("successfulJobsHistoryLimit", Int32, 6).keeps_zero(),
    f("suspend", Bool, 4).keeps_zero(),
    f("timeZone", String, 8).keeps_zero(),
] },
Type { name: "io.k8s.api.batch.v1.CronJobStatus", gvk: None, atomic: false, fields: &[
    f("active", CORE_V1_OBJECT_REFERENCE, 1).list(Atomic),
    f("lastScheduleTime", Time, 4),
    f("lastSuccessfulTime", Time, 5),
] },
Type { name: "io.k8s.api.batch.v1.Job", gvk: Some(["batch", "v1", "Job"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", BATCH_V1_JOB_SPEC, 2),
    f("status", BATCH_V1_JOB_STATUS, 3),
] },
Type { name: "io.k8s.api.batch.v1.JobCondition", gvk: None, atomic: false, fields: &[
    f("lastProbeTime", Time, 3),
    f("lastTransitionTime", Time, 4),
    f("message", String, 6),
    f("reason", String, 5),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.batch.v1.JobList", gvk: Some(["batch", "v1", "JobList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", BATCH_V1_JOB, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.batch.v1.JobSpec", gvk: None, atomic: false, fields: &[
    f("activeDeadlineSeconds", Int64, 3).keeps_zero(),
    f("backoffLimit", Int32, 7).keeps_zero(),
    f("backoffLimitPerIndex", Int32, 12).keeps_zero(),
    f("completionMode", String, 9).keeps_zero(),
    f("completions", Int32, 2).keeps_zero(),
    f("managedBy", String, 15).keeps_zero(),
    f("manualSelector", Bool, 5).keeps_zero(),
    f("maxFailedIndexes", Int32, 13).keeps_zero(),
    f("parallelism", Int32, 1).keeps_zero(),
    f("podFailurePolicy", BATCH_V1_POD_FAILURE_POLICY, 11),
    f("podReplacementPolicy", String, 14).keeps_zero(),
    f("selector", META_V1_LABEL_SELECTOR, 4),
    f("successPolicy", BATCH_V1_SUCCESS_POLICY, 16),
    f("suspend", Bool, 10).keeps_zero(),
    f("template", CORE_V1_POD_TEMPLATE_SPEC, 6).required(),
    f("ttlSecondsAfterFinished", Int32, 8).keeps_zero(),
] },
Type { name: "io.k8s.api.batch.v1.JobStatus", gvk: None, atomic: false, fields: &[
    f("active", Int32, 4),
    f("completedIndexes", String, 7),
    f("completionTime", Time, 3),
    f("conditions", BATCH_V1_JOB_CONDITION, 1).list(Atomic).patch(Merge, "type"),
    f("failed", Int32, 6),
    f("failedIndexes", String, 10).keeps_zero(),
    f("ready", Int32, 9).keeps_zero(),
    f("startTime", Time, 2),
    f("succeeded", Int32, 5),
    f("terminating", Int32, 11).keeps_zero(),
    f("uncountedTerminatedPods", BATCH_V1_UNCOUNTED_TERMINATED_PODS, 8),
] },
Type { name: "io.k8s.api.batch.v1.JobTemplateSpec", gvk: None, atomic: false, fields: &[
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", BATCH_V1_JOB_SPEC, 2),
] },
Type { name: "io.k8s.api.batch.v1.PodFailurePolicy", gvk: None, atomic: false, fields: &[
    f("rules", BATCH_V1_POD_FAILURE_POLICY_RULE, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement", gvk: None, atomic: false, fields: &[
    f("containerName", String, 1).keeps_zero(),
    f("operator", String, 2).required().keeps_zero(),
    f("values", Int32, 3).list(Set).required(),
] },
Type { name: "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern", gvk: None, atomic: false, fields: &[
    f("status", String, 2).keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.batch.v1.PodFailurePolicyRule", gvk: None, atomic: false, fields: &[
    f("action", String, 1).required().keeps_zero(),
    f("onExitCodes", BATCH_V1_POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT, 2),
    f("onPodConditions", BATCH_V1_POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN, 3).list(Atomic),
] },
Type { name: "io.k8s.api.batch.v1.SuccessPolicy", gvk: None, atomic: false, fields: &[
    f("rules", BATCH_V1_SUCCESS_POLICY_RULE, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.batch.v1.SuccessPolicyRule", gvk: None, atomic: false, fields: &[
    f("succeededCount", Int32, 2).keeps_zero(),
    f("succeededIndexes", String, 1).keeps_zero(),
] },
Type { name: "io.k8s.api.batch.v1.UncountedTerminatedPods", gvk: None, atomic: false, fields: &[
    f("failed", String, 2).list(Set),
    f("succeeded", String, 1).list(Set),
] },
Type { name: "io.k8s.api.coordination.v1.Lease", gvk: Some(["coordination.k8s.io", "v1", "Lease"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", COORDINATION_V1_LEASE_SPEC, 2),
] },
Type { name: "io.k8s.api.coordination.v1.LeaseList", gvk: Some(["coordination.k8s.io", "v1", "LeaseList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", COORDINATION_V1_LEASE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.coordination.v1.LeaseSpec", gvk: None, atomic: false, fields: &[
    f("acquireTime", MicroTime, 3),
    f("holderIdentity", String, 1).keeps_zero(),
    f("leaseDurationSeconds", Int32, 2).keeps_zero(),
    f("leaseTransitions", Int32, 5).keeps_zero(),
    f("preferredHolder", String, 7).keeps_zero(),
    f("renewTime", MicroTime, 4),
    f("strategy", String, 6).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("partition", Int32, 3),
    f("readOnly", Bool, 4),
    f("volumeID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Affinity", gvk: None, atomic: false, fields: &[
    f("nodeAffinity", CORE_V1_NODE_AFFINITY, 1),
    f("podAffinity", CORE_V1_POD_AFFINITY, 2),
    f("podAntiAffinity", CORE_V1_POD_ANTI_AFFINITY, 3),
] },
Type { name: "io.k8s.api.core.v1.AppArmorProfile", gvk: None, atomic: false, fields: &[
    f("localhostProfile", String, 2).keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.AttachedVolume", gvk: None, atomic: false, fields: &[
    f("devicePath", String, 2).required().keeps_zero(),
    f("name", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.AzureDiskVolumeSource", gvk: None, atomic: false, fields: &[
    f("cachingMode", String, 3).keeps_zero(),
    f("diskName", String, 1).required().keeps_zero(),
    f("diskURI", String, 2).required().keeps_zero(),
    f("fsType", String, 4).keeps_zero(),
    f("kind", String, 6),
    f("readOnly", Bool, 5).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.AzureFilePersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("readOnly", Bool, 3),
    f("secretName", String, 1).required().keeps_zero(),
    f("secretNamespace", String, 4).keeps_zero(),
    f("shareName", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.AzureFileVolumeSource", gvk: None, atomic: false, fields: &[
    f("readOnly", Bool, 3),
    f("secretName", String, 1).required().keeps_zero(),
    f("shareName", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Binding", gvk: Some(["", "v1", "Binding"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("target", CORE_V1_OBJECT_REFERENCE, 2).required(),
] },
Type { name: "io.k8s.api.core.v1.CSIPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("controllerExpandSecretRef", CORE_V1_SECRET_REFERENCE, 9),
    f("controllerPublishSecretRef", CORE_V1_SECRET_REFERENCE, 6),
    f("driver", String, 1).required().keeps_zero(),
    f("fsType", String, 4),
    f("nodeExpandSecretRef", CORE_V1_SECRET_REFERENCE, 10),
    f("nodePublishSecretRef", CORE_V1_SECRET_REFERENCE, 8),
    f("nodeStageSecretRef", CORE_V1_SECRET_REFERENCE, 7),
    f("readOnly", Bool, 3),
    f("volumeAttributes", String, 5).map(),
    f("volumeHandle", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.CSIVolumeSource", gvk: None, atomic: false, fields: &[
    f("driver", String, 1).required().keeps_zero(),
    f("fsType", String, 3).keeps_zero(),
    f("nodePublishSecretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 5),
    f("readOnly", Bool, 2).keeps_zero(),
    f("volumeAttributes", String, 4).map(),
] },
Type { name: "io.k8s.api.core.v1.Capabilities", gvk: None, atomic: false, fields: &[
    f("add", String, 1).list(Atomic),
    f("drop", String, 2).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.CephFSPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("monitors", String, 1).list(Atomic).required(),
    f("path", String, 2),
    f("readOnly", Bool, 6),
    f("secretFile", String, 4),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 5),
    f("user", String, 3),
] },
Type { name: "io.k8s.api.core.v1.CephFSVolumeSource", gvk: None, atomic: false, fields: &[
    f("monitors", String, 1).list(Atomic).required(),
    f("path", String, 2),
    f("readOnly", Bool, 6),
    f("secretFile", String, 4),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 5),
    f("user", String, 3),
] },
Type { name: "io.k8s.api.core.v1.CinderPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("readOnly", Bool, 3),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 4),
    f("volumeID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.CinderVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("readOnly", Bool, 3),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 4),
    f("volumeID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ClientIPConfig", gvk: None, atomic: false, fields: &[
    f("timeoutSeconds", Int32, 1).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ClusterTrustBundleProjection", gvk: None, atomic: false, fields: &[
    f("labelSelector", META_V1_LABEL_SELECTOR, 3),
    f("name", String, 1).keeps_zero(),
    f("optional", Bool, 5).keeps_zero(),
    f("path", String, 4).required().keeps_zero(),
    f("signerName", String, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ConfigMap", gvk: Some(["", "v1", "ConfigMap"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("binaryData", Bytes, 3).map(),
    f("data", String, 2).map(),
    f("immutable", Bool, 4).keeps_zero(),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapEnvSource", gvk: None, atomic: false, fields: &[
    f("name", String, 1).via(1),
    f("optional", Bool, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapKeySelector", gvk: None, atomic: true, fields: &[
    f("key", String, 2).required().keeps_zero(),
    f("name", String, 1).via(1),
    f("optional", Bool, 3).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapList", gvk: Some(["", "v1", "ConfigMapList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_CONFIG_MAP, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapNodeConfigSource", gvk: None, atomic: false, fields: &[
    f("kubeletConfigKey", String, 5).required().keeps_zero(),
    f("name", String, 2).required().keeps_zero(),
    f("namespace", String, 1).required().keeps_zero(),
    f("resourceVersion", String, 4),
    f("uid", String, 3),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapProjection", gvk: None, atomic: false, fields: &[
    f("items", CORE_V1_KEY_TO_PATH, 2).list(Atomic),
    f("name", String, 1).via(1),
    f("optional", Bool, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ConfigMapVolumeSource", gvk: None, atomic: false, fields: &[
    f("defaultMode", Int32, 3).keeps_zero(),
    f("items", CORE_V1_KEY_TO_PATH, 2).list(Atomic),
    f("name", String, 1).via(1),
    f("optional", Bool, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Container", gvk: None, atomic: false, fields: &[
    f("args", String, 4).list(Atomic),
    f("command", String, 3).list(Atomic),
    f("env", CORE_V1_ENV_VAR, 7).list(Keyed(&["name"])).patch(Merge, "name"),
    f("envFrom", CORE_V1_ENV_FROM_SOURCE, 19).list(Atomic),
    f("image", String, 2),
    f("imagePullPolicy", String, 14),
    f("lifecycle", CORE_V1_LIFECYCLE, 12),
    f("livenessProbe", CORE_V1_PROBE, 10),
    f("name", String, 1).required().keeps_zero(),
    f("ports", CORE_V1_CONTAINER_PORT, 6).list(Keyed(&["containerPort", "protocol"])).patch(Merge, "containerPort"),
    f("readinessProbe", CORE_V1_PROBE, 11),
    f("resizePolicy", CORE_V1_CONTAINER_RESIZE_POLICY, 23).list(Atomic),
    f("resources", CORE_V1_RESOURCE_REQUIREMENTS, 8),
    f("restartPolicy", String, 24).keeps_zero(),
    f("restartPolicyRules", CORE_V1_CONTAINER_RESTART_RULE, 25).list(Atomic),
    f("securityContext", CORE_V1_SECURITY_CONTEXT, 15),
    f("startupProbe", CORE_V1_PROBE, 22),
    f("stdin", Bool, 16),
    f("stdinOnce", Bool, 17),
    f("terminationMessagePath", String, 13),
    f("terminationMessagePolicy", String, 20),
    f("tty", Bool, 18),
    f("volumeDevices", CORE_V1_VOLUME_DEVICE, 21).list(Keyed(&["devicePath"])).patch(Merge, "devicePath"),
    f("volumeMounts", CORE_V1_VOLUME_MOUNT, 9).list(Keyed(&["mountPath"])).patch(Merge, "mountPath"),
    f("workingDir", String, 5),
] },
Type { name: "io.k8s.api.core.v1.ContainerExtendedResourceRequest", gvk: None, atomic: false, fields: &[
    f("containerName", String, 1).required().keeps_zero(),
    f("requestName", String, 3).required().keeps_zero(),
    f("resourceName", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ContainerImage", gvk: None, atomic: false, fields: &[
    f("names", String, 1).list(Atomic),
    f("sizeBytes", Int64, 2),
] },
Type { name: "io.k8s.api.core.v1.ContainerPort", gvk: None, atomic: false, fields: &[
    f("containerPort", Int32, 3).required().keeps_zero(),
    f("hostIP", String, 5),
    f("hostPort", Int32, 2),
    f("name", String, 1),
    f("protocol", String, 4),
] },
Type { name: "io.k8s.api.core.v1.ContainerResizePolicy", gvk: None, atomic: false, fields: &[
    f("resourceName", String, 1).required().keeps_zero(),
    f("restartPolicy", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ContainerRestartRule", gvk: None, atomic: false, fields: &[
    f("action", String, 1).required().keeps_zero(),
    f("exitCodes", CORE_V1_CONTAINER_RESTART_RULE_ON_EXIT_CODES, 2),
] },
Type { name: "io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes", gvk: None, atomic: false, fields: &[
    f("operator", String, 1).required().keeps_zero(),
    f("values", Int32, 2).list(Set),
] },
Type { name: "io.k8s.api.core.v1.ContainerState", gvk: None, atomic: false, fields: &[
    f("running", CORE_V1_CONTAINER_STATE_RUNNING, 2),
    f("terminated", CORE_V1_CONTAINER_STATE_TERMINATED, 3),
    f("waiting", CORE_V1_CONTAINER_STATE_WAITING, 1),
] },
Type { name: "io.k8s.api.core.v1.ContainerStateRunning", gvk: None, atomic: false, fields: &[
    f("startedAt", Time, 1),
] },
Type { name: "io.k8s.api.core.v1.ContainerStateTerminated", gvk: None, atomic: false, fields: &[
    f("containerID", String, 7),
    f("exitCode", Int32, 1).required().keeps_zero(),
    f("finishedAt", Time, 6),
    f("message", String, 4),
    f("reason", String, 3),
    f("signal", Int32, 2),
    f("startedAt", Time, 5),
] },
Type { name: "io.k8s.api.core.v1.ContainerStateWaiting", gvk: None, atomic: false, fields: &[
    f("message", String, 2),
    f("reason", String, 1),
] },
Type { name: "io.k8s.api.core.v1.ContainerStatus", gvk: None, atomic: false, fields: &[
    f("allocatedResources", Quantity, 10).map(),
    f("allocatedResourcesStatus", CORE_V1_RESOURCE_STATUS, 14).list(Keyed(&["name"])).patch(Merge, "name"),
    f("containerID", String, 8),
    f("image", String, 6).required().keeps_zero(),
    f("imageID", String, 7).required().keeps_zero(),
    f("lastState", CORE_V1_CONTAINER_STATE, 3),
    f("name", String, 1).required().keeps_zero(),
    f("ready", Bool, 4).required().keeps_zero(),
    f("resources", CORE_V1_RESOURCE_REQUIREMENTS, 11),
    f("restartCount", Int32, 5).required().keeps_zero(),
    f("started", Bool, 9).keeps_zero(),
    f("state", CORE_V1_CONTAINER_STATE, 2),
    f("stopSignal", String, 15).keeps_zero(),
    f("user", CORE_V1_CONTAINER_USER, 13),
    f("volumeMounts", CORE_V1_VOLUME_MOUNT_STATUS, 12).list(Keyed(&["mountPath"])).patch(Merge, "mountPath"),
] },
Type { name: "io.k8s.api.core.v1.ContainerUser", gvk: None, atomic: false, fields: &[
    f("linux", CORE_V1_LINUX_CONTAINER_USER, 1),
] },
Type { name: "io.k8s.api.core.v1.DaemonEndpoint", gvk: None, atomic: false, fields: &[
    f("Port", Int32, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.DownwardAPIProjection", gvk: None, atomic: false, fields: &[
    f("items", CORE_V1_DOWNWARD_API_VOLUME_FILE, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.DownwardAPIVolumeFile", gvk: None, atomic: false, fields: &[
    f("fieldRef", CORE_V1_OBJECT_FIELD_SELECTOR, 2),
    f("mode", Int32, 4).keeps_zero(),
    f("path", String, 1).required().keeps_zero(),
    f("resourceFieldRef", CORE_V1_RESOURCE_FIELD_SELECTOR, 3),
] },
Type { name: "io.k8s.api.core.v1.DownwardAPIVolumeSource", gvk: None, atomic: false, fields: &[
    f("defaultMode", Int32, 2).keeps_zero(),
    f("items", CORE_V1_DOWNWARD_API_VOLUME_FILE, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.EmptyDirVolumeSource", gvk: None, atomic: false, fields: &[
    f("medium", String, 1),
    f("sizeLimit", Quantity, 2),
] },
Type { name: "io.k8s.api.core.v1.EnvFromSource", gvk: None, atomic: false, fields: &[
    f("configMapRef", CORE_V1_CONFIG_MAP_ENV_SOURCE, 2),
    f("prefix", String, 1),
    f("secretRef", CORE_V1_SECRET_ENV_SOURCE, 3),
] },
Type { name: "io.k8s.api.core.v1.EnvVar", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("value", String, 2),
    f("valueFrom", CORE_V1_ENV_VAR_SOURCE, 3),
] },
Type { name: "io.k8s.api.core.v1.EnvVarSource", gvk: None, atomic: false, fields: &[
    f("configMapKeyRef", CORE_V1_CONFIG_MAP_KEY_SELECTOR, 3),
    f("fieldRef", CORE_V1_OBJECT_FIELD_SELECTOR, 1),
    f("fileKeyRef", CORE_V1_FILE_KEY_SELECTOR, 5),
    f("resourceFieldRef", CORE_V1_RESOURCE_FIELD_SELECTOR, 2),
    f("secretKeyRef", CORE_V1_SECRET_KEY_SELECTOR, 4),
] },
Type { name: "io.k8s.api.core.v1.EphemeralContainer", gvk: None, atomic: false, fields: &[
    f("args", String, 4).via(1).list(Atomic),
    f("command", String, 3).via(1).list(Atomic),
    f("env", CORE_V1_ENV_VAR, 7).via(1).list(Keyed(&["name"])).patch(Merge, "name"),
    f("envFrom", CORE_V1_ENV_FROM_SOURCE, 19).via(1).list(Atomic),
    f("image", String, 2).via(1),
    f("imagePullPolicy", String, 14).via(1),
    f("lifecycle", CORE_V1_LIFECYCLE, 12).via(1),
    f("livenessProbe", CORE_V1_PROBE, 10).via(1),
    f("name", String, 1).via(1).required().keeps_zero(),
    f("ports", CORE_V1_CONTAINER_PORT, 6).via(1).list(Keyed(&["containerPort", "protocol"])).patch(Merge, "containerPort"),
    f("readinessProbe", CORE_V1_PROBE, 11).via(1),
    f("resizePolicy", CORE_V1_CONTAINER_RESIZE_POLICY, 23).via(1).list(Atomic),
    f("resources", CORE_V1_RESOURCE_REQUIREMENTS, 8).via(1),
    f("restartPolicy", String, 24).via(1).keeps_zero(),
    f("restartPolicyRules", CORE_V1_CONTAINER_RESTART_RULE, 25).via(1).list(Atomic),
    f("securityContext", CORE_V1_SECURITY_CONTEXT, 15).via(1),
    f("startupProbe", CORE_V1_PROBE, 22).via(1),
    f("stdin", Bool, 16).via(1),
    f("stdinOnce", Bool, 17).via(1),
    f("targetContainerName", String, 2),
    f("terminationMessagePath", String, 13).via(1),
    f("terminationMessagePolicy", String, 20).via(1),
    f("tty", Bool, 18).via(1),
    f("volumeDevices", CORE_V1_VOLUME_DEVICE, 21).via(1).list(Keyed(&["devicePath"])).patch(Merge, "devicePath"),
    f("volumeMounts", CORE_V1_VOLUME_MOUNT, 9).via(1).list(Keyed(&["mountPath"])).patch(Merge, "mountPath"),
    f("workingDir", String, 5).via(1),
] },
Type { name: "io.k8s.api.core.v1.EphemeralVolumeSource", gvk: None, atomic: false, fields: &[
    f("volumeClaimTemplate", CORE_V1_PERSISTENT_VOLUME_CLAIM_TEMPLATE, 1),
] },
Type { name: "io.k8s.api.core.v1.Event", gvk: Some(["", "v1", "Event"]), atomic: false, fields: &[
    f("action", String, 12),
    f("apiVersion", String, 0),
    f("count", Int32, 8),
    f("eventTime", MicroTime, 10),
    f("firstTimestamp", Time, 6),
    f("involvedObject", CORE_V1_OBJECT_REFERENCE, 2).required(),
    f("kind", String, 0),
    f("lastTimestamp", Time, 7),
    f("message", String, 4),
    f("metadata", META_V1_OBJECT_META, 1).required(),
    f("reason", String, 3),
    f("related", CORE_V1_OBJECT_REFERENCE, 13),
    f("reportingComponent", String, 14),
    f("reportingInstance", String, 15),
    f("series", CORE_V1_EVENT_SERIES, 11),
    f("source", CORE_V1_EVENT_SOURCE, 5),
    f("type", String, 9),
] },
Type { name: "io.k8s.api.core.v1.EventList", gvk: Some(["", "v1", "EventList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_EVENT, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.EventSeries", gvk: None, atomic: false, fields: &[
    f("count", Int32, 1).keeps_zero(),
    f("lastObservedTime", MicroTime, 2),
] },
Type { name: "io.k8s.api.core.v1.EventSource", gvk: None, atomic: false, fields: &[
    f("component", String, 1),
    f("host", String, 2),
] },
Type { name: "io.k8s.api.core.v1.ExecAction", gvk: None, atomic: false, fields: &[
    f("command", String, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.FCVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 3),
    f("lun", Int32, 2).keeps_zero(),
    f("readOnly", Bool, 4),
    f("targetWWNs", String, 1).list(Atomic),
    f("wwids", String, 5).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.FileKeySelector", gvk: None, atomic: true, fields: &[
    f("key", String, 3).required().keeps_zero(),
    f("optional", Bool, 4).keeps_zero(),
    f("path", String, 2).required().keeps_zero(),
    f("volumeName", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.FlexPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("driver", String, 1).required().keeps_zero(),
    f("fsType", String, 2),
    f("options", String, 5).map(),
    f("readOnly", Bool, 4),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 3),
] },
Type { name: "io.k8s.api.core.v1.FlexVolumeSource", gvk: None, atomic: false, fields: &[
    f("driver", String, 1).required().keeps_zero(),
    f("fsType", String, 2),
    f("options", String, 5).map(),
    f("readOnly", Bool, 4),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 3),
] },
Type { name: "io.k8s.api.core.v1.FlockerVolumeSource", gvk: None, atomic: false, fields: &[
    f("datasetName", String, 1),
    f("datasetUUID", String, 2),
] },
Type { name: "io.k8s.api.core.v1.GCEPersistentDiskVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("partition", Int32, 3),
    f("pdName", String, 1).required().keeps_zero(),
    f("readOnly", Bool, 4),
] },
Type { name: "io.k8s.api.core.v1.GRPCAction", gvk: None, atomic: false, fields: &[
    f("port", Int32, 1).required().keeps_zero(),
    f("service", String, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.GitRepoVolumeSource", gvk: None, atomic: false, fields: &[
    f("directory", String, 3),
    f("repository", String, 1).required().keeps_zero(),
    f("revision", String, 2),
] },
Type { name: "io.k8s.api.core.v1.GlusterfsPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("endpoints", String, 1).required().keeps_zero(),
    f("endpointsNamespace", String, 4).keeps_zero(),
    f("path", String, 2).required().keeps_zero(),
    f("readOnly", Bool, 3),
] },
Type { name: "io.k8s.api.core.v1.GlusterfsVolumeSource", gvk: None, atomic: false, fields: &[
    f("endpoints", String, 1).required().keeps_zero(),
    f("path", String, 2).required().keeps_zero(),
    f("readOnly", Bool, 3),
] },
Type { name: "io.k8s.api.core.v1.HTTPGetAction", gvk: None, atomic: false, fields: &[
    f("host", String, 3),
    f("httpHeaders", CORE_V1_HTTP_HEADER, 5).list(Atomic),
    f("path", String, 1),
    f("port", IntOrString, 2).required(),
    f("scheme", String, 4),
] },
Type { name: "io.k8s.api.core.v1.HTTPHeader", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("value", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.HostAlias", gvk: None, atomic: false, fields: &[
    f("hostnames", String, 2).list(Atomic),
    f("ip", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.HostIP", gvk: None, atomic: false, fields: &[
    f("ip", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.HostPathVolumeSource", gvk: None, atomic: false, fields: &[
    f("path", String, 1).required().keeps_zero(),
    f("type", String, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ISCSIPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("chapAuthDiscovery", Bool, 8),
    f("chapAuthSession", Bool, 11),
    f("fsType", String, 5),
    f("initiatorName", String, 12).keeps_zero(),
    f("iqn", String, 2).required().keeps_zero(),
    f("iscsiInterface", String, 4),
    f("lun", Int32, 3).required().keeps_zero(),
    f("portals", String, 7).list(Atomic),
    f("readOnly", Bool, 6),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 10),
    f("targetPortal", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ISCSIVolumeSource", gvk: None, atomic: false, fields: &[
    f("chapAuthDiscovery", Bool, 8),
    f("chapAuthSession", Bool, 11),
    f("fsType", String, 5),
    f("initiatorName", String, 12).keeps_zero(),
    f("iqn", String, 2).required().keeps_zero(),
    f("iscsiInterface", String, 4),
    f("lun", Int32, 3).required().keeps_zero(),
    f("portals", String, 7).list(Atomic),
    f("readOnly", Bool, 6),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 10),
    f("targetPortal", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ImageVolumeSource", gvk: None, atomic: false, fields: &[
    f("pullPolicy", String, 2),
    f("reference", String, 1),
] },
Type { name: "io.k8s.api.core.v1.ImageVolumeStatus", gvk: None, atomic: false, fields: &[
    f("imageRef", String, 0).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.KeyToPath", gvk: None, atomic: false, fields: &[
    f("key", String, 1).required().keeps_zero(),
    f("mode", Int32, 3).keeps_zero(),
    f("path", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Lifecycle", gvk: None, atomic: false, fields: &[
    f("postStart", CORE_V1_LIFECYCLE_HANDLER, 1),
    f("preStop", CORE_V1_LIFECYCLE_HANDLER, 2),
    f("stopSignal", String, 3).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.LifecycleHandler", gvk: None, atomic: false, fields: &[
    f("exec", CORE_V1_EXEC_ACTION, 1),
    f("httpGet", CORE_V1_HTTP_GET_ACTION, 2),
    f("sleep", CORE_V1_SLEEP_ACTION, 4),
    f("tcpSocket", CORE_V1_TCP_SOCKET_ACTION, 3),
] },
Type { name: "io.k8s.api.core.v1.LimitRange", gvk: Some(["", "v1", "LimitRange"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_LIMIT_RANGE_SPEC, 2),
] },
Type { name: "io.k8s.api.core.v1.LimitRangeItem", gvk: None, atomic: false, fields: &[
    f("default", Quantity, 4).map(),
    f("defaultRequest", Quantity, 5).map(),
    f("max", Quantity, 2).map(),
    f("maxLimitRequestRatio", Quantity, 6).map(),
    f("min", Quantity, 3).map(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.LimitRangeList", gvk: Some(["", "v1", "LimitRangeList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_LIMIT_RANGE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.LimitRangeSpec", gvk: None, atomic: false, fields: &[
    f("limits", CORE_V1_LIMIT_RANGE_ITEM, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.core.v1.LinuxContainerUser", gvk: None, atomic: false, fields: &[
    f("gid", Int64, 2).required().keeps_zero(),
    f("supplementalGroups", Int64, 3).list(Atomic),
    f("uid", Int64, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.LoadBalancerIngress", gvk: None, atomic: false, fields: &[
    f("hostname", String, 2),
    f("ip", String, 1),
    f("ipMode", String, 3).keeps_zero(),
    f("ports", CORE_V1_PORT_STATUS, 4).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.LoadBalancerStatus", gvk: None, atomic: false, fields: &[
    f("ingress", CORE_V1_LOAD_BALANCER_INGRESS, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.LocalObjectReference", gvk: None, atomic: true, fields: &[
    f("name", String, 1),
] },
Type { name: "io.k8s.api.core.v1.LocalVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2).keeps_zero(),
    f("path", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ModifyVolumeStatus", gvk: None, atomic: false, fields: &[
    f("status", String, 2).required().keeps_zero(),
    f("targetVolumeAttributesClassName", String, 1),
] },
Type { name: "io.k8s.api.core.v1.NFSVolumeSource", gvk: None, atomic: false, fields: &[
    f("path", String, 2).required().keeps_zero(),
    f("readOnly", Bool, 3),
    f("server", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Namespace", gvk: Some(["", "v1", "Namespace"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_NAMESPACE_SPEC, 2),
    f("status", CORE_V1_NAMESPACE_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.NamespaceCondition", gvk: None, atomic: false, fields: &[
    f("lastTransitionTime", Time, 4),
    f("message", String, 6),
    f("reason", String, 5),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NamespaceList", gvk: Some(["", "v1", "NamespaceList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_NAMESPACE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.NamespaceSpec", gvk: None, atomic: false, fields: &[
    f("finalizers", String, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.NamespaceStatus", gvk: None, atomic: false, fields: &[
    f("conditions", CORE_V1_NAMESPACE_CONDITION, 2).list(Keyed(&["type"])).patch(Merge, "type"),
    f("phase", String, 1),
] },
Type { name: "io.k8s.api.core.v1.Node", gvk: Some(["", "v1", "Node"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_NODE_SPEC, 2),
    f("status", CORE_V1_NODE_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.NodeAddress", gvk: None, atomic: false, fields: &[
    f("address", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeAffinity", gvk: None, atomic: false, fields: &[
    f("preferredDuringSchedulingIgnoredDuringExecution", CORE_V1_PREFERRED_SCHEDULING_TERM, 2).list(Atomic),
    f("requiredDuringSchedulingIgnoredDuringExecution", CORE_V1_NODE_SELECTOR, 1),
] },
Type { name: "io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus", gvk: None, atomic: false, fields: &[
    f("containers", String, 0).list(Set),
    f("resourceClaimName", String, 0).required().keeps_zero(),
    f("resources", Quantity, 0).map().required(),
] },
Type { name: "io.k8s.api.core.v1.NodeCondition", gvk: None, atomic: false, fields: &[
    f("lastHeartbeatTime", Time, 3),
    f("lastTransitionTime", Time, 4),
    f("message", String, 6),
    f("reason", String, 5),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeConfigSource", gvk: None, atomic: false, fields: &[
    f("configMap", CORE_V1_CONFIG_MAP_NODE_CONFIG_SOURCE, 2),
] },
Type { name: "io.k8s.api.core.v1.NodeConfigStatus", gvk: None, atomic: false, fields: &[
    f("active", CORE_V1_NODE_CONFIG_SOURCE, 2),
    f("assigned", CORE_V1_NODE_CONFIG_SOURCE, 1),
    f("error", String, 4),
    f("lastKnownGood", CORE_V1_NODE_CONFIG_SOURCE, 3),
] },
Type { name: "io.k8s.api.core.v1.NodeDaemonEndpoints", gvk: None, atomic: false, fields: &[
    f("kubeletEndpoint", CORE_V1_DAEMON_ENDPOINT, 1),
] },
Type { name: "io.k8s.api.core.v1.NodeFeatures", gvk: None, atomic: false, fields: &[
    f("supplementalGroupsPolicy", Bool, 1).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeList", gvk: Some(["", "v1", "NodeList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_NODE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.NodeRuntimeHandler", gvk: None, atomic: false, fields: &[
    f("features", CORE_V1_NODE_RUNTIME_HANDLER_FEATURES, 2),
    f("name", String, 1).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeRuntimeHandlerFeatures", gvk: None, atomic: false, fields: &[
    f("recursiveReadOnlyMounts", Bool, 1).keeps_zero(),
    f("userNamespaces", Bool, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeSelector", gvk: None, atomic: true, fields: &[
    f("nodeSelectorTerms", CORE_V1_NODE_SELECTOR_TERM, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.core.v1.NodeSelectorRequirement", gvk: None, atomic: false, fields: &[
    f("key", String, 1).required().keeps_zero(),
    f("operator", String, 2).required().keeps_zero(),
    f("values", String, 3).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.NodeSelectorTerm", gvk: None, atomic: true, fields: &[
    f("matchExpressions", CORE_V1_NODE_SELECTOR_REQUIREMENT, 1).list(Atomic),
    f("matchFields", CORE_V1_NODE_SELECTOR_REQUIREMENT, 2).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.NodeSpec", gvk: None, atomic: false, fields: &[
    f("configSource", CORE_V1_NODE_CONFIG_SOURCE, 6),
    f("externalID", String, 2),
    f("podCIDR", String, 1),
    f("podCIDRs", String, 7).list(Set).patch(Merge, ""),
    f("providerID", String, 3),
    f("taints", CORE_V1_TAINT, 5).list(Atomic),
    f("unschedulable", Bool, 4),
] },
Type { name: "io.k8s.api.core.v1.NodeStatus", gvk: None, atomic: false, fields: &[
    f("addresses", CORE_V1_NODE_ADDRESS, 5).list(Keyed(&["type"])).patch(Merge, "type"),
    f("allocatable", Quantity, 2).map(),
    f("capacity", Quantity, 1).map(),
    f("conditions", CORE_V1_NODE_CONDITION, 4).list(Keyed(&["type"])).patch(Merge, "type"),
    f("config", CORE_V1_NODE_CONFIG_STATUS, 11),
    f("daemonEndpoints", CORE_V1_NODE_DAEMON_ENDPOINTS, 6),
    f("declaredFeatures", String, 14).list(Atomic),
    f("features", CORE_V1_NODE_FEATURES, 13),
    f("images", CORE_V1_CONTAINER_IMAGE, 8).list(Atomic),
    f("nodeInfo", CORE_V1_NODE_SYSTEM_INFO, 7),
    f("phase", String, 3),
    f("runtimeHandlers", CORE_V1_NODE_RUNTIME_HANDLER, 12).list(Atomic),
    f("volumesAttached", CORE_V1_ATTACHED_VOLUME, 10).list(Atomic),
    f("volumesInUse", String, 9).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.NodeSwapStatus", gvk: None, atomic: false, fields: &[
    f("capacity", Int64, 1).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.NodeSystemInfo", gvk: None, atomic: false, fields: &[
    f("architecture", String, 10).required().keeps_zero(),
    f("bootID", String, 3).required().keeps_zero(),
    f("containerRuntimeVersion", String, 6).required().keeps_zero(),
    f("kernelVersion", String, 4).required().keeps_zero(),
    f("kubeProxyVersion", String, 8).required().keeps_zero(),
    f("kubeletVersion", String, 7).required().keeps_zero(),
    f("machineID", String, 1).required().keeps_zero(),
    f("operatingSystem", String, 9).required().keeps_zero(),
    f("osImage", String, 5).required().keeps_zero(),
    f("swap", CORE_V1_NODE_SWAP_STATUS, 11),
    f("systemUUID", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ObjectFieldSelector", gvk: None, atomic: true, fields: &[
    f("apiVersion", String, 1),
    f("fieldPath", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ObjectReference", gvk: None, atomic: true, fields: &[
    f("apiVersion", String, 5),
    f("fieldPath", String, 7),
    f("kind", String, 1),
    f("name", String, 3),
    f("namespace", String, 2),
    f("resourceVersion", String, 6),
    f("uid", String, 4),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolume", gvk: Some(["", "v1", "PersistentVolume"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_PERSISTENT_VOLUME_SPEC, 2),
    f("status", CORE_V1_PERSISTENT_VOLUME_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaim", gvk: Some(["", "v1", "PersistentVolumeClaim"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC, 2),
    f("status", CORE_V1_PERSISTENT_VOLUME_CLAIM_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimCondition", gvk: None, atomic: false, fields: &[
    f("lastProbeTime", Time, 3),
    f("lastTransitionTime", Time, 4),
    f("message", String, 6),
    f("reason", String, 5),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimList", gvk: Some(["", "v1", "PersistentVolumeClaimList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_PERSISTENT_VOLUME_CLAIM, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimSpec", gvk: None, atomic: false, fields: &[
    f("accessModes", String, 1).list(Atomic),
    f("dataSource", CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE, 7),
    f("dataSourceRef", CORE_V1_TYPED_OBJECT_REFERENCE, 8),
    f("resources", CORE_V1_VOLUME_RESOURCE_REQUIREMENTS, 2),
    f("selector", META_V1_LABEL_SELECTOR, 4),
    f("storageClassName", String, 5).keeps_zero(),
    f("volumeAttributesClassName", String, 9).keeps_zero(),
    f("volumeMode", String, 6).keeps_zero(),
    f("volumeName", String, 3),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimStatus", gvk: None, atomic: false, fields: &[
    f("accessModes", String, 2).list(Atomic),
    f("allocatedResourceStatuses", String, 7).map(),
    f("allocatedResources", Quantity, 5).map(),
    f("capacity", Quantity, 3).map(),
    f("conditions", CORE_V1_PERSISTENT_VOLUME_CLAIM_CONDITION, 4).list(Keyed(&["type"])).patch(Merge, "type"),
    f("currentVolumeAttributesClassName", String, 8).keeps_zero(),
    f("modifyVolumeStatus", CORE_V1_MODIFY_VOLUME_STATUS, 9),
    f("phase", String, 1),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimTemplate", gvk: None, atomic: false, fields: &[
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC, 2).required(),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource", gvk: None, atomic: false, fields: &[
    f("claimName", String, 1).required().keeps_zero(),
    f("readOnly", Bool, 2),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeList", gvk: Some(["", "v1", "PersistentVolumeList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_PERSISTENT_VOLUME, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeSpec", gvk: None, atomic: false, fields: &[
    f("accessModes", String, 3).list(Atomic),
    f("awsElasticBlockStore", CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE, 2).via(2),
    f("azureDisk", CORE_V1_AZURE_DISK_VOLUME_SOURCE, 16).via(2),
    f("azureFile", CORE_V1_AZURE_FILE_PERSISTENT_VOLUME_SOURCE, 13).via(2),
    f("capacity", Quantity, 1).map(),
    f("cephfs", CORE_V1_CEPH_FS_PERSISTENT_VOLUME_SOURCE, 9).via(2),
    f("cinder", CORE_V1_CINDER_PERSISTENT_VOLUME_SOURCE, 8).via(2),
    f("claimRef", CORE_V1_OBJECT_REFERENCE, 4),
    f("csi", CORE_V1_CSI_PERSISTENT_VOLUME_SOURCE, 22).via(2),
    f("fc", CORE_V1_FC_VOLUME_SOURCE, 10).via(2),
    f("flexVolume", CORE_V1_FLEX_PERSISTENT_VOLUME_SOURCE, 12).via(2),
    f("flocker", CORE_V1_FLOCKER_VOLUME_SOURCE, 11).via(2),
    f("gcePersistentDisk", CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE, 1).via(2),
    f("glusterfs", CORE_V1_GLUSTERFS_PERSISTENT_VOLUME_SOURCE, 4).via(2),
    f("hostPath", CORE_V1_HOST_PATH_VOLUME_SOURCE, 3).via(2),
    f("iscsi", CORE_V1_ISCSI_PERSISTENT_VOLUME_SOURCE, 7).via(2),
    f("local", CORE_V1_LOCAL_VOLUME_SOURCE, 20).via(2),
    f("mountOptions", String, 7).list(Atomic),
    f("nfs", CORE_V1_NFS_VOLUME_SOURCE, 5).via(2),
    f("nodeAffinity", CORE_V1_VOLUME_NODE_AFFINITY, 9),
    f("persistentVolumeReclaimPolicy", String, 5),
    f("photonPersistentDisk", CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE, 17).via(2),
    f("portworxVolume", CORE_V1_PORTWORX_VOLUME_SOURCE, 18).via(2),
    f("quobyte", CORE_V1_QUOBYTE_VOLUME_SOURCE, 15).via(2),
    f("rbd", CORE_V1_RBD_PERSISTENT_VOLUME_SOURCE, 6).via(2),
    f("scaleIO", CORE_V1_SCALE_IO_PERSISTENT_VOLUME_SOURCE, 19).via(2),
    f("storageClassName", String, 6),
    f("storageos", CORE_V1_STORAGE_OS_PERSISTENT_VOLUME_SOURCE, 21).via(2),
    f("volumeAttributesClassName", String, 10).keeps_zero(),
    f("volumeMode", String, 8).keeps_zero(),
    f("vsphereVolume", CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE, 14).via(2),
] },
Type { name: "io.k8s.api.core.v1.PersistentVolumeStatus", gvk: None, atomic: false, fields: &[
    f("lastPhaseTransitionTime", Time, 4),
    f("message", String, 2),
    f("phase", String, 1),
    f("reason", String, 3),
] },
Type { name: "io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("pdID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Pod", gvk: Some(["", "v1", "Pod"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_POD_SPEC, 2),
    f("status", CORE_V1_POD_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.PodAffinity", gvk: None, atomic: false, fields: &[
    f("preferredDuringSchedulingIgnoredDuringExecution", CORE_V1_WEIGHTED_POD_AFFINITY_TERM, 2).list(Atomic),
    f("requiredDuringSchedulingIgnoredDuringExecution", CORE_V1_POD_AFFINITY_TERM, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.PodAffinityTerm", gvk: None, atomic: false, fields: &[
    f("labelSelector", META_V1_LABEL_SELECTOR, 1),
    f("matchLabelKeys", String, 5).list(Atomic),
    f("mismatchLabelKeys", String, 6).list(Atomic),
    f("namespaceSelector", META_V1_LABEL_SELECTOR, 4),
    f("namespaces", String, 2).list(Atomic),
    f("topologyKey", String, 3).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodAntiAffinity", gvk: None, atomic: false, fields: &[
    f("preferredDuringSchedulingIgnoredDuringExecution", CORE_V1_WEIGHTED_POD_AFFINITY_TERM, 2).list(Atomic),
    f("requiredDuringSchedulingIgnoredDuringExecution", CORE_V1_POD_AFFINITY_TERM, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.PodCertificateProjection", gvk: None, atomic: false, fields: &[
    f("certificateChainPath", String, 6),
    f("credentialBundlePath", String, 4),
    f("keyPath", String, 5),
    f("keyType", String, 2).required().keeps_zero(),
    f("maxExpirationSeconds", Int32, 3).keeps_zero(),
    f("signerName", String, 1).required().keeps_zero(),
    f("userAnnotations", String, 7).map(),
] },
Type { name: "io.k8s.api.core.v1.PodCondition", gvk: None, atomic: false, fields: &[
    f("lastProbeTime", Time, 3),
    f("lastTransitionTime", Time, 4),
    f("message", String, 6),
    f("observedGeneration", Int64, 7),
    f("reason", String, 5),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodDNSConfig", gvk: None, atomic: false, fields: &[
    f("nameservers", String, 1).list(Atomic),
    f("options", CORE_V1_POD_DNS_CONFIG_OPTION, 3).list(Atomic),
    f("searches", String, 2).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.PodDNSConfigOption", gvk: None, atomic: false, fields: &[
    f("name", String, 1),
    f("value", String, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodExtendedResourceClaimStatus", gvk: None, atomic: false, fields: &[
    f("requestMappings", CORE_V1_CONTAINER_EXTENDED_RESOURCE_REQUEST, 1).list(Atomic).required(),
    f("resourceClaimName", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodIP", gvk: None, atomic: false, fields: &[
    f("ip", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodList", gvk: Some(["", "v1", "PodList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_POD, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.PodOS", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodReadinessGate", gvk: None, atomic: false, fields: &[
    f("conditionType", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodResourceClaim", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("resourceClaimName", String, 3).keeps_zero(),
    f("resourceClaimTemplateName", String, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodResourceClaimStatus", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("resourceClaimName", String, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodSchedulingGate", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PodSchedulingGroup", gvk: None, atomic: false, fields: &[
    f("podGroupName", String, 0),
] },
Type { name: "io.k8s.api.core.v1.PodSecurityContext", gvk: None, atomic: false, fields: &[
    f("appArmorProfile", CORE_V1_APP_ARMOR_PROFILE, 11),
    f("fsGroup", Int64, 5).keeps_zero(),
    f("fsGroupChangePolicy", String, 9).keeps_zero(),
    f("runAsGroup", Int64, 6).keeps_zero(),
    f("runAsNonRoot", Bool, 3).keeps_zero(),
    f("runAsUser", Int64, 2).keeps_zero(),
    f("seLinuxChangePolicy", String, 13).keeps_zero(),
    f("seLinuxOptions", CORE_V1_SE_LINUX_OPTIONS, 1),
    f("seccompProfile", CORE_V1_SECCOMP_PROFILE, 10),
    f("supplementalGroups", Int64, 4).list(Atomic),
    f("supplementalGroupsPolicy", String, 12).keeps_zero(),
    f("sysctls", CORE_V1_SYSCTL, 7).list(Atomic),
    f("windowsOptions", CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS, 8),
] },
Type { name: "io.k8s.api.core.v1.PodSpec", gvk: None, atomic: false, fields: &[
    f("activeDeadlineSeconds", Int64, 5).keeps_zero(),
    f("affinity", CORE_V1_AFFINITY, 18),
    f("automountServiceAccountToken", Bool, 21).keeps_zero(),
    f("containers", CORE_V1_CONTAINER, 2).list(Keyed(&["name"])).patch(Merge, "name").required(),
    f("dnsConfig", CORE_V1_POD_DNS_CONFIG, 26),
    f("dnsPolicy", String, 6),
    f("enableServiceLinks", Bool, 30).keeps_zero(),
    f("ephemeralContainers", CORE_V1_EPHEMERAL_CONTAINER, 34).list(Keyed(&["name"])).patch(Merge, "name"),
    f("hostAliases", CORE_V1_HOST_ALIAS, 23).list(Keyed(&["ip"])).patch(Merge, "ip"),
    f("hostIPC", Bool, 13),
    f("hostNetwork", Bool, 11),
    f("hostPID", Bool, 12),
    f("hostUsers", Bool, 37).keeps_zero(),
    f("hostname", String, 16),
    f("hostnameOverride", String, 41).keeps_zero(),
    f("imagePullSecrets", CORE_V1_LOCAL_OBJECT_REFERENCE, 15).list(Keyed(&["name"])).patch(Merge, "name"),
    f("initContainers", CORE_V1_CONTAINER, 20).list(Keyed(&["name"])).patch(Merge, "name"),
    f("nodeName", String, 10),
    f("nodeSelector", String, 7).map().atomic(),
    f("os", CORE_V1_POD_OS, 36),
    f("overhead", Quantity, 32).map(),
    f("preemptionPolicy", String, 31).keeps_zero(),
    f("priority", Int32, 25).keeps_zero(),
    f("priorityClassName", String, 24),
    f("readinessGates", CORE_V1_POD_READINESS_GATE, 28).list(Atomic),
    f("resourceClaims", CORE_V1_POD_RESOURCE_CLAIM, 39).list(Keyed(&["name"])).patch(MergeRetainKeys, "name"),
    f("resources", CORE_V1_RESOURCE_REQUIREMENTS, 40),
    f("restartPolicy", String, 3),
    f("runtimeClassName", String, 29).keeps_zero(),
    f("schedulerName", String, 19),
    f("schedulingGates", CORE_V1_POD_SCHEDULING_GATE, 38).list(Keyed(&["name"])).patch(Merge, "name"),
    f("schedulingGroup", CORE_V1_POD_SCHEDULING_GROUP, 0),
    f("securityContext", CORE_V1_POD_SECURITY_CONTEXT, 14),
    f("serviceAccount", String, 9),
    f("serviceAccountName", String, 8),
    f("setHostnameAsFQDN", Bool, 35).keeps_zero(),
    f("shareProcessNamespace", Bool, 27).keeps_zero(),
    f("subdomain", String, 17),
    f("terminationGracePeriodSeconds", Int64, 4).keeps_zero(),
    f("tolerations", CORE_V1_TOLERATION, 22).list(Atomic),
    f("topologySpreadConstraints", CORE_V1_TOPOLOGY_SPREAD_CONSTRAINT, 33).list(Keyed(&["topologyKey", "whenUnsatisfiable"])).patch(Merge, "topologyKey"),
    f("volumes", CORE_V1_VOLUME, 1).list(Keyed(&["name"])).patch(MergeRetainKeys, "name"),
] },
Type { name: "io.k8s.api.core.v1.PodStatus", gvk: None, atomic: false, fields: &[
    f("allocatedResources", Quantity, 19).map(),
    f("conditions", CORE_V1_POD_CONDITION, 2).list(Keyed(&["type"])).patch(Merge, "type"),
    f("containerStatuses", CORE_V1_CONTAINER_STATUS, 8).list(Atomic),
    f("ephemeralContainerStatuses", CORE_V1_CONTAINER_STATUS, 13).list(Atomic),
    f("extendedResourceClaimStatus", CORE_V1_POD_EXTENDED_RESOURCE_CLAIM_STATUS, 18),
    f("hostIP", String, 5),
    f("hostIPs", CORE_V1_HOST_IP, 16).list(Atomic).patch(Merge, "ip"),
    f("initContainerStatuses", CORE_V1_CONTAINER_STATUS, 10).list(Atomic),
    f("message", String, 3),
    f("nodeAllocatableResourceClaimStatuses", CORE_V1_NODE_ALLOCATABLE_RESOURCE_CLAIM_STATUS, 0).list(Atomic),
    f("nominatedNodeName", String, 11),
    f("observedGeneration", Int64, 17),
    f("phase", String, 1),
    f("podIP", String, 6),
    f("podIPs", CORE_V1_POD_IP, 12).list(Keyed(&["ip"])).patch(Merge, "ip"),
    f("qosClass", String, 9),
    f("reason", String, 4),
    f("resize", String, 14),
    f("resourceClaimStatuses", CORE_V1_POD_RESOURCE_CLAIM_STATUS, 15).list(Keyed(&["name"])).patch(MergeRetainKeys, "name"),
    f("resources", CORE_V1_RESOURCE_REQUIREMENTS, 20),
    f("startTime", Time, 7),
] },
Type { name: "io.k8s.api.core.v1.PodTemplateSpec", gvk: None, atomic: false, fields: &[
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_POD_SPEC, 2),
] },
Type { name: "io.k8s.api.core.v1.PortStatus", gvk: None, atomic: false, fields: &[
    f("error", String, 3).keeps_zero(),
    f("port", Int32, 1).required().keeps_zero(),
    f("protocol", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PortworxVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("readOnly", Bool, 3),
    f("volumeID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.PreferredSchedulingTerm", gvk: None, atomic: false, fields: &[
    f("preference", CORE_V1_NODE_SELECTOR_TERM, 2).required(),
    f("weight", Int32, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Probe", gvk: None, atomic: false, fields: &[
    f("exec", CORE_V1_EXEC_ACTION, 1).via(1),
    f("failureThreshold", Int32, 6),
    f("grpc", CORE_V1_GRPC_ACTION, 4).via(1),
    f("httpGet", CORE_V1_HTTP_GET_ACTION, 2).via(1),
    f("initialDelaySeconds", Int32, 2),
    f("periodSeconds", Int32, 4),
    f("successThreshold", Int32, 5),
    f("tcpSocket", CORE_V1_TCP_SOCKET_ACTION, 3).via(1),
    f("terminationGracePeriodSeconds", Int64, 7).keeps_zero(),
    f("timeoutSeconds", Int32, 3),
] },
Type { name: "io.k8s.api.core.v1.ProjectedVolumeSource", gvk: None, atomic: false, fields: &[
    f("defaultMode", Int32, 2).keeps_zero(),
    f("sources", CORE_V1_VOLUME_PROJECTION, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.QuobyteVolumeSource", gvk: None, atomic: false, fields: &[
    f("group", String, 5),
    f("readOnly", Bool, 3),
    f("registry", String, 1).required().keeps_zero(),
    f("tenant", String, 6),
    f("user", String, 4),
    f("volume", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.RBDPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 3),
    f("image", String, 2).required().keeps_zero(),
    f("keyring", String, 6),
    f("monitors", String, 1).list(Atomic).required(),
    f("pool", String, 4),
    f("readOnly", Bool, 8),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 7),
    f("user", String, 5),
] },
Type { name: "io.k8s.api.core.v1.RBDVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 3),
    f("image", String, 2).required().keeps_zero(),
    f("keyring", String, 6),
    f("monitors", String, 1).list(Atomic).required(),
    f("pool", String, 4),
    f("readOnly", Bool, 8),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 7),
    f("user", String, 5),
] },
Type { name: "io.k8s.api.core.v1.ResourceClaim", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("request", String, 2),
] },
Type { name: "io.k8s.api.core.v1.ResourceFieldSelector", gvk: None, atomic: true, fields: &[
    f("containerName", String, 1),
    f("divisor", Quantity, 3),
    f("resource", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ResourceHealth", gvk: None, atomic: false, fields: &[
    f("health", String, 2),
    f("message", String, 0).keeps_zero(),
    f("resourceID", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ResourceQuota", gvk: Some(["", "v1", "ResourceQuota"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_RESOURCE_QUOTA_SPEC, 2),
    f("status", CORE_V1_RESOURCE_QUOTA_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.ResourceQuotaList", gvk: Some(["", "v1", "ResourceQuotaList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_RESOURCE_QUOTA, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.ResourceQuotaSpec", gvk: None, atomic: false, fields: &[
    f("hard", Quantity, 1).map(),
    f("scopeSelector", CORE_V1_SCOPE_SELECTOR, 3),
    f("scopes", String, 2).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.ResourceQuotaStatus", gvk: None, atomic: false, fields: &[
    f("hard", Quantity, 1).map(),
    f("used", Quantity, 2).map(),
] },
Type { name: "io.k8s.api.core.v1.ResourceRequirements", gvk: None, atomic: false, fields: &[
    f("claims", CORE_V1_RESOURCE_CLAIM, 3).list(Keyed(&["name"])),
    f("limits", Quantity, 1).map(),
    f("requests", Quantity, 2).map(),
] },
Type { name: "io.k8s.api.core.v1.ResourceStatus", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("resources", CORE_V1_RESOURCE_HEALTH, 2).list(Keyed(&["resourceID"])),
] },
Type { name: "io.k8s.api.core.v1.SELinuxOptions", gvk: None, atomic: false, fields: &[
    f("level", String, 4),
    f("role", String, 2),
    f("type", String, 3),
    f("user", String, 1),
] },
Type { name: "io.k8s.api.core.v1.ScaleIOPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 9),
    f("gateway", String, 1).required().keeps_zero(),
    f("protectionDomain", String, 5),
    f("readOnly", Bool, 10),
    f("secretRef", CORE_V1_SECRET_REFERENCE, 3).required(),
    f("sslEnabled", Bool, 4),
    f("storageMode", String, 7),
    f("storagePool", String, 6),
    f("system", String, 2).required().keeps_zero(),
    f("volumeName", String, 8),
] },
Type { name: "io.k8s.api.core.v1.ScaleIOVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 9),
    f("gateway", String, 1).required().keeps_zero(),
    f("protectionDomain", String, 5),
    f("readOnly", Bool, 10),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 3).required(),
    f("sslEnabled", Bool, 4),
    f("storageMode", String, 7),
    f("storagePool", String, 6),
    f("system", String, 2).required().keeps_zero(),
    f("volumeName", String, 8),
] },
Type { name: "io.k8s.api.core.v1.ScopeSelector", gvk: None, atomic: true, fields: &[
    f("matchExpressions", CORE_V1_SCOPED_RESOURCE_SELECTOR_REQUIREMENT, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.ScopedResourceSelectorRequirement", gvk: None, atomic: false, fields: &[
    f("operator", String, 2).required().keeps_zero(),
    f("scopeName", String, 1).required().keeps_zero(),
    f("values", String, 3).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.SeccompProfile", gvk: None, atomic: false, fields: &[
    f("localhostProfile", String, 2).keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Secret", gvk: Some(["", "v1", "Secret"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("data", Bytes, 2).map(),
    f("immutable", Bool, 5).keeps_zero(),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("stringData", String, 4).map(),
    f("type", String, 3),
] },
Type { name: "io.k8s.api.core.v1.SecretEnvSource", gvk: None, atomic: false, fields: &[
    f("name", String, 1).via(1),
    f("optional", Bool, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.SecretKeySelector", gvk: None, atomic: true, fields: &[
    f("key", String, 2).required().keeps_zero(),
    f("name", String, 1).via(1),
    f("optional", Bool, 3).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.SecretList", gvk: Some(["", "v1", "SecretList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_SECRET, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.SecretProjection", gvk: None, atomic: false, fields: &[
    f("items", CORE_V1_KEY_TO_PATH, 2).list(Atomic),
    f("name", String, 1).via(1),
    f("optional", Bool, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.SecretReference", gvk: None, atomic: true, fields: &[
    f("name", String, 1),
    f("namespace", String, 2),
] },
Type { name: "io.k8s.api.core.v1.SecretVolumeSource", gvk: None, atomic: false, fields: &[
    f("defaultMode", Int32, 3).keeps_zero(),
    f("items", CORE_V1_KEY_TO_PATH, 2).list(Atomic),
    f("optional", Bool, 4).keeps_zero(),
    f("secretName", String, 1),
] },
Type { name: "io.k8s.api.core.v1.SecurityContext", gvk: None, atomic: false, fields: &[
    f("allowPrivilegeEscalation", Bool, 7).keeps_zero(),
    f("appArmorProfile", CORE_V1_APP_ARMOR_PROFILE, 12),
    f("capabilities", CORE_V1_CAPABILITIES, 1),
    f("privileged", Bool, 2).keeps_zero(),
    f("procMount", String, 9).keeps_zero(),
    f("readOnlyRootFilesystem", Bool, 6).keeps_zero(),
    f("runAsGroup", Int64, 8).keeps_zero(),
    f("runAsNonRoot", Bool, 5).keeps_zero(),
    f("runAsUser", Int64, 4).keeps_zero(),
    f("seLinuxOptions", CORE_V1_SE_LINUX_OPTIONS, 3),
    f("seccompProfile", CORE_V1_SECCOMP_PROFILE, 11),
    f("windowsOptions", CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS, 10),
] },
Type { name: "io.k8s.api.core.v1.Service", gvk: Some(["", "v1", "Service"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("spec", CORE_V1_SERVICE_SPEC, 2),
    f("status", CORE_V1_SERVICE_STATUS, 3),
] },
Type { name: "io.k8s.api.core.v1.ServiceAccount", gvk: Some(["", "v1", "ServiceAccount"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("automountServiceAccountToken", Bool, 4).keeps_zero(),
    f("imagePullSecrets", CORE_V1_LOCAL_OBJECT_REFERENCE, 3).list(Atomic),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("secrets", CORE_V1_OBJECT_REFERENCE, 2).list(Keyed(&["name"])).patch(Merge, "name"),
] },
Type { name: "io.k8s.api.core.v1.ServiceAccountList", gvk: Some(["", "v1", "ServiceAccountList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_SERVICE_ACCOUNT, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.ServiceAccountTokenProjection", gvk: None, atomic: false, fields: &[
    f("audience", String, 1),
    f("expirationSeconds", Int64, 2).keeps_zero(),
    f("path", String, 3).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.ServiceList", gvk: Some(["", "v1", "ServiceList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", CORE_V1_SERVICE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.core.v1.ServicePort", gvk: None, atomic: false, fields: &[
    f("appProtocol", String, 6).keeps_zero(),
    f("name", String, 1),
    f("nodePort", Int32, 5),
    f("port", Int32, 3).required().keeps_zero(),
    f("protocol", String, 2),
    f("targetPort", IntOrString, 4),
] },
Type { name: "io.k8s.api.core.v1.ServiceSpec", gvk: None, atomic: false, fields: &[
    f("allocateLoadBalancerNodePorts", Bool, 20).keeps_zero(),
    f("clusterIP", String, 3),
    f("clusterIPs", String, 18).list(Atomic),
    f("externalIPs", String, 5).list(Atomic),
    f("externalName", String, 10),
    f("externalTrafficPolicy", String, 11),
    f("healthCheckNodePort", Int32, 12),
    f("internalTrafficPolicy", String, 22).keeps_zero(),
    f("ipFamilies", String, 19).list(Atomic),
    f("ipFamilyPolicy", String, 17).keeps_zero(),
    f("loadBalancerClass", String, 21).keeps_zero(),
    f("loadBalancerIP", String, 8),
    f("loadBalancerSourceRanges", String, 9).list(Atomic),
    f("ports", CORE_V1_SERVICE_PORT, 1).list(Keyed(&["port", "protocol"])).patch(Merge, "port"),
    f("publishNotReadyAddresses", Bool, 13),
    f("selector", String, 2).map().atomic(),
    f("sessionAffinity", String, 7),
    f("sessionAffinityConfig", CORE_V1_SESSION_AFFINITY_CONFIG, 14),
    f("trafficDistribution", String, 23).keeps_zero(),
    f("type", String, 4),
] },
Type { name: "io.k8s.api.core.v1.ServiceStatus", gvk: None, atomic: false, fields: &[
    f("conditions", META_V1_CONDITION, 2).list(Keyed(&["type"])).patch(Merge, "type"),
    f("loadBalancer", CORE_V1_LOAD_BALANCER_STATUS, 1),
] },
Type { name: "io.k8s.api.core.v1.SessionAffinityConfig", gvk: None, atomic: false, fields: &[
    f("clientIP", CORE_V1_CLIENT_IP_CONFIG, 1),
] },
Type { name: "io.k8s.api.core.v1.SleepAction", gvk: None, atomic: false, fields: &[
    f("seconds", Int64, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.StorageOSPersistentVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 3),
    f("readOnly", Bool, 4),
    f("secretRef", CORE_V1_OBJECT_REFERENCE, 5),
    f("volumeName", String, 1),
    f("volumeNamespace", String, 2),
] },
Type { name: "io.k8s.api.core.v1.StorageOSVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 3),
    f("readOnly", Bool, 4),
    f("secretRef", CORE_V1_LOCAL_OBJECT_REFERENCE, 5),
    f("volumeName", String, 1),
    f("volumeNamespace", String, 2),
] },
Type { name: "io.k8s.api.core.v1.Sysctl", gvk: None, atomic: false, fields: &[
    f("name", String, 1).required().keeps_zero(),
    f("value", String, 2).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.TCPSocketAction", gvk: None, atomic: false, fields: &[
    f("host", String, 2),
    f("port", IntOrString, 1).required(),
] },
Type { name: "io.k8s.api.core.v1.Taint", gvk: None, atomic: false, fields: &[
    f("effect", String, 3).required().keeps_zero(),
    f("key", String, 1).required().keeps_zero(),
    f("timeAdded", Time, 4),
    f("value", String, 2),
] },
Type { name: "io.k8s.api.core.v1.Toleration", gvk: None, atomic: false, fields: &[
    f("effect", String, 4),
    f("key", String, 1),
    f("operator", String, 2),
    f("tolerationSeconds", Int64, 5).keeps_zero(),
    f("value", String, 3),
] },
Type { name: "io.k8s.api.core.v1.TopologySelectorLabelRequirement", gvk: None, atomic: false, fields: &[
    f("key", String, 1).required().keeps_zero(),
    f("values", String, 2).list(Atomic).required(),
] },
Type { name: "io.k8s.api.core.v1.TopologySelectorTerm", gvk: None, atomic: true, fields: &[
    f("matchLabelExpressions", CORE_V1_TOPOLOGY_SELECTOR_LABEL_REQUIREMENT, 1).list(Atomic),
] },
Type { name: "io.k8s.api.core.v1.TopologySpreadConstraint", gvk: None, atomic: false, fields: &[
    f("labelSelector", META_V1_LABEL_SELECTOR, 4),
    f("matchLabelKeys", String, 8).list(Atomic),
    f("maxSkew", Int32, 1).required().keeps_zero(),
    f("minDomains", Int32, 5).keeps_zero(),
    f("nodeAffinityPolicy", String, 6).keeps_zero(),
    f("nodeTaintsPolicy", String, 7).keeps_zero(),
    f("topologyKey", String, 2).required().keeps_zero(),
    f("whenUnsatisfiable", String, 3).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.TypedLocalObjectReference", gvk: None, atomic: true, fields: &[
    f("apiGroup", String, 1).keeps_zero(),
    f("kind", String, 2).required().keeps_zero(),
    f("name", String, 3).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.TypedObjectReference", gvk: None, atomic: false, fields: &[
    f("apiGroup", String, 1).keeps_zero(),
    f("kind", String, 2).required().keeps_zero(),
    f("name", String, 3).required().keeps_zero(),
    f("namespace", String, 4).keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.Volume", gvk: None, atomic: false, fields: &[
    f("awsElasticBlockStore", CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE, 4).via(2),
    f("azureDisk", CORE_V1_AZURE_DISK_VOLUME_SOURCE, 22).via(2),
    f("azureFile", CORE_V1_AZURE_FILE_VOLUME_SOURCE, 18).via(2),
    f("cephfs", CORE_V1_CEPH_FS_VOLUME_SOURCE, 14).via(2),
    f("cinder", CORE_V1_CINDER_VOLUME_SOURCE, 13).via(2),
    f("configMap", CORE_V1_CONFIG_MAP_VOLUME_SOURCE, 19).via(2),
    f("csi", CORE_V1_CSI_VOLUME_SOURCE, 28).via(2),
    f("downwardAPI", CORE_V1_DOWNWARD_API_VOLUME_SOURCE, 16).via(2),
    f("emptyDir", CORE_V1_EMPTY_DIR_VOLUME_SOURCE, 2).via(2),
    f("ephemeral", CORE_V1_EPHEMERAL_VOLUME_SOURCE, 29).via(2),
    f("fc", CORE_V1_FC_VOLUME_SOURCE, 17).via(2),
    f("flexVolume", CORE_V1_FLEX_VOLUME_SOURCE, 12).via(2),
    f("flocker", CORE_V1_FLOCKER_VOLUME_SOURCE, 15).via(2),
    f("gcePersistentDisk", CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE, 3).via(2),
    f("gitRepo", CORE_V1_GIT_REPO_VOLUME_SOURCE, 5).via(2),
    f("glusterfs", CORE_V1_GLUSTERFS_VOLUME_SOURCE, 9).via(2),
    f("hostPath", CORE_V1_HOST_PATH_VOLUME_SOURCE, 1).via(2),
    f("image", CORE_V1_IMAGE_VOLUME_SOURCE, 30).via(2),
    f("iscsi", CORE_V1_ISCSI_VOLUME_SOURCE, 8).via(2),
    f("name", String, 1).required().keeps_zero(),
    f("nfs", CORE_V1_NFS_VOLUME_SOURCE, 7).via(2),
    f("persistentVolumeClaim", CORE_V1_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE, 10).via(2),
    f("photonPersistentDisk", CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE, 23).via(2),
    f("portworxVolume", CORE_V1_PORTWORX_VOLUME_SOURCE, 24).via(2),
    f("projected", CORE_V1_PROJECTED_VOLUME_SOURCE, 26).via(2),
    f("quobyte", CORE_V1_QUOBYTE_VOLUME_SOURCE, 21).via(2),
    f("rbd", CORE_V1_RBD_VOLUME_SOURCE, 11).via(2),
    f("scaleIO", CORE_V1_SCALE_IO_VOLUME_SOURCE, 25).via(2),
    f("secret", CORE_V1_SECRET_VOLUME_SOURCE, 6).via(2),
    f("storageos", CORE_V1_STORAGE_OS_VOLUME_SOURCE, 27).via(2),
    f("vsphereVolume", CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE, 20).via(2),
] },
Type { name: "io.k8s.api.core.v1.VolumeDevice", gvk: None, atomic: false, fields: &[
    f("devicePath", String, 2).required().keeps_zero(),
    f("name", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.VolumeMount", gvk: None, atomic: false, fields: &[
    f("mountPath", String, 3).required().keeps_zero(),
    f("mountPropagation", String, 5).keeps_zero(),
    f("name", String, 1).required().keeps_zero(),
    f("readOnly", Bool, 2),
    f("recursiveReadOnly", String, 7).keeps_zero(),
    f("subPath", String, 4),
    f("subPathExpr", String, 6),
] },
Type { name: "io.k8s.api.core.v1.VolumeMountStatus", gvk: None, atomic: false, fields: &[
    f("mountPath", String, 2).required().keeps_zero(),
    f("name", String, 1).required().keeps_zero(),
    f("readOnly", Bool, 3),
    f("recursiveReadOnly", String, 4).keeps_zero(),
    f("volumeStatus", CORE_V1_VOLUME_STATUS, 0),
] },
Type { name: "io.k8s.api.core.v1.VolumeNodeAffinity", gvk: None, atomic: false, fields: &[
    f("required", CORE_V1_NODE_SELECTOR, 1),
] },
Type { name: "io.k8s.api.core.v1.VolumeProjection", gvk: None, atomic: false, fields: &[
    f("clusterTrustBundle", CORE_V1_CLUSTER_TRUST_BUNDLE_PROJECTION, 5),
    f("configMap", CORE_V1_CONFIG_MAP_PROJECTION, 3),
    f("downwardAPI", CORE_V1_DOWNWARD_API_PROJECTION, 2),
    f("podCertificate", CORE_V1_POD_CERTIFICATE_PROJECTION, 6),
    f("secret", CORE_V1_SECRET_PROJECTION, 1),
    f("serviceAccountToken", CORE_V1_SERVICE_ACCOUNT_TOKEN_PROJECTION, 4),
] },
Type { name: "io.k8s.api.core.v1.VolumeResourceRequirements", gvk: None, atomic: false, fields: &[
    f("limits", Quantity, 1).map(),
    f("requests", Quantity, 2).map(),
] },
Type { name: "io.k8s.api.core.v1.VolumeStatus", gvk: None, atomic: false, fields: &[
    f("image", CORE_V1_IMAGE_VOLUME_STATUS, 0),
] },
Type { name: "io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource", gvk: None, atomic: false, fields: &[
    f("fsType", String, 2),
    f("storagePolicyID", String, 4),
    f("storagePolicyName", String, 3),
    f("volumePath", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.WeightedPodAffinityTerm", gvk: None, atomic: false, fields: &[
    f("podAffinityTerm", CORE_V1_POD_AFFINITY_TERM, 2).required(),
    f("weight", Int32, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.api.core.v1.WindowsSecurityContextOptions", gvk: None, atomic: false, fields: &[
    f("gmsaCredentialSpec", String, 2).keeps_zero(),
    f("gmsaCredentialSpecName", String, 1).keeps_zero(),
    f("hostProcess", Bool, 4).keeps_zero(),
    f("runAsUserName", String, 3).keeps_zero(),
] },
Type { name: "io.k8s.api.events.v1.Event", gvk: Some(["events.k8s.io", "v1", "Event"]), atomic: false, fields: &[
    f("action", String, 6),
    f("apiVersion", String, 0),
    f("deprecatedCount", Int32, 15),
    f("deprecatedFirstTimestamp", Time, 13),
    f("deprecatedLastTimestamp", Time, 14),
    f("deprecatedSource", CORE_V1_EVENT_SOURCE, 12),
    f("eventTime", MicroTime, 2).required(),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("note", String, 10),
    f("reason", String, 7),
    f("regarding", CORE_V1_OBJECT_REFERENCE, 8),
    f("related", CORE_V1_OBJECT_REFERENCE, 9),
    f("reportingController", String, 4),
    f("reportingInstance", String, 5),
    f("series", EVENTS_V1_EVENT_SERIES, 3),
    f("type", String, 11),
] },
Type { name: "io.k8s.api.events.v1.EventList", gvk: Some(["events.k8s.io", "v1", "EventList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", EVENTS_V1_EVENT, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.events.v1.EventSeries", gvk: None, atomic: false, fields: &[
    f("count", Int32, 1).required().keeps_zero(),
    f("lastObservedTime", MicroTime, 2).required(),
] },
Type { name: "io.k8s.api.node.v1.Overhead", gvk: None, atomic: false, fields: &[
    f("podFixed", Quantity, 1).map(),
] },
Type { name: "io.k8s.api.node.v1.RuntimeClass", gvk: Some(["node.k8s.io", "v1", "RuntimeClass"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("handler", String, 2).required().keeps_zero(),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("overhead", NODE_V1_OVERHEAD, 3),
    f("scheduling", NODE_V1_SCHEDULING, 4),
] },
Type { name: "io.k8s.api.node.v1.RuntimeClassList", gvk: Some(["node.k8s.io", "v1", "RuntimeClassList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", NODE_V1_RUNTIME_CLASS, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.node.v1.Scheduling", gvk: None, atomic: false, fields: &[
    f("nodeSelector", String, 1).map().atomic(),
    f("tolerations", CORE_V1_TOLERATION, 2).list(Atomic),
] },
Type { name: "io.k8s.api.policy.v1.Eviction", gvk: Some(["policy", "v1", "Eviction"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("deleteOptions", META_V1_DELETE_OPTIONS, 2),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
] },
Type { name: "io.k8s.api.rbac.v1.AggregationRule", gvk: None, atomic: false, fields: &[
    f("clusterRoleSelectors", META_V1_LABEL_SELECTOR, 1).list(Atomic),
] },
Type { name: "io.k8s.api.rbac.v1.ClusterRole", gvk: Some(["rbac.authorization.k8s.io", "v1", "ClusterRole"]), atomic: false, fields: &[
    f("aggregationRule", RBAC_V1_AGGREGATION_RULE, 3),
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("rules", RBAC_V1_POLICY_RULE, 2).list(Atomic),
] },
Type { name: "io.k8s.api.rbac.v1.ClusterRoleBinding", gvk: Some(["rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("roleRef", RBAC_V1_ROLE_REF, 3).required(),
    f("subjects", RBAC_V1_SUBJECT, 2).list(Atomic),
] },
Type { name: "io.k8s.api.rbac.v1.ClusterRoleBindingList", gvk: Some(["rbac.authorization.k8s.io", "v1", "ClusterRoleBindingList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", RBAC_V1_CLUSTER_ROLE_BINDING, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.rbac.v1.ClusterRoleList", gvk: Some(["rbac.authorization.k8s.io", "v1", "ClusterRoleList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", RBAC_V1_CLUSTER_ROLE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.rbac.v1.PolicyRule", gvk: None, atomic: false, fields: &[
    f("apiGroups", String, 2).list(Atomic),
    f("nonResourceURLs", String, 5).list(Atomic),
    f("resourceNames", String, 4).list(Atomic),
    f("resources", String, 3).list(Atomic),
    f("verbs", String, 1).list(Atomic).required(),
] },
Type { name: "io.k8s.api.rbac.v1.Role", gvk: Some(["rbac.authorization.k8s.io", "v1", "Role"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("rules", RBAC_V1_POLICY_RULE, 2).list(Atomic),
] },
Type { name: "io.k8s.api.rbac.v1.RoleBinding", gvk: Some(["rbac.authorization.k8s.io", "v1", "RoleBinding"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("roleRef", RBAC_V1_ROLE_REF, 3).required(),
    f("subjects", RBAC_V1_SUBJECT, 2).list(Atomic),
] },
Type { name: "io.k8s.api.rbac.v1.RoleBindingList", gvk: Some(["rbac.authorization.k8s.io", "v1", "RoleBindingList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", RBAC_V1_ROLE_BINDING, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.rbac.v1.RoleList", gvk: Some(["rbac.authorization.k8s.io", "v1", "RoleList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", RBAC_V1_ROLE, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.rbac.v1.RoleRef", gvk: None, atomic: true, fields: &[
    f("apiGroup", String, 1),
    f("kind", String, 2).required().keeps_zero(),
    f("name", String, 3).required().keeps_zero(),
] },
Type { name: "io.k8s.api.rbac.v1.Subject", gvk: None, atomic: true, fields: &[
    f("apiGroup", String, 2),
    f("kind", String, 1).required().keeps_zero(),
    f("name", String, 3).required().keeps_zero(),
    f("namespace", String, 4),
] },
Type { name: "io.k8s.api.scheduling.v1.PriorityClass", gvk: Some(["scheduling.k8s.io", "v1", "PriorityClass"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("description", String, 4),
    f("globalDefault", Bool, 3),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("preemptionPolicy", String, 5).keeps_zero(),
    f("value", Int32, 2).keeps_zero(),
] },
Type { name: "io.k8s.api.scheduling.v1.PriorityClassList", gvk: Some(["scheduling.k8s.io", "v1", "PriorityClassList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", SCHEDULING_V1_PRIORITY_CLASS, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.api.storage.v1.StorageClass", gvk: Some(["storage.k8s.io", "v1", "StorageClass"]), atomic: false, fields: &[
    f("allowVolumeExpansion", Bool, 6).keeps_zero(),
    f("allowedTopologies", CORE_V1_TOPOLOGY_SELECTOR_TERM, 8).list(Atomic),
    f("apiVersion", String, 0),
    f("kind", String, 0),
    f("metadata", META_V1_OBJECT_META, 1),
    f("mountOptions", String, 5).list(Atomic),
    f("parameters", String, 3).map(),
    f("provisioner", String, 2).required().keeps_zero(),
    f("reclaimPolicy", String, 4).keeps_zero(),
    f("volumeBindingMode", String, 7).keeps_zero(),
] },
Type { name: "io.k8s.api.storage.v1.StorageClassList", gvk: Some(["storage.k8s.io", "v1", "StorageClassList"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("items", STORAGE_V1_STORAGE_CLASS, 2).list(Unset).required(),
    f("kind", String, 0),
    f("metadata", META_V1_LIST_META, 1),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.Condition", gvk: None, atomic: false, fields: &[
    f("lastTransitionTime", Time, 4).required(),
    f("message", String, 6).required().keeps_zero(),
    f("observedGeneration", Int64, 3),
    f("reason", String, 5).required().keeps_zero(),
    f("status", String, 2).required().keeps_zero(),
    f("type", String, 1).required().keeps_zero(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", gvk: Some(["", "v1", "DeleteOptions"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("dryRun", String, 5).list(Atomic),
    f("gracePeriodSeconds", Int64, 1).keeps_zero(),
    f("ignoreStoreReadErrorWithClusterBreakingPotential", Bool, 6).keeps_zero(),
    f("kind", String, 0),
    f("orphanDependents", Bool, 3).keeps_zero(),
    f("preconditions", META_V1_PRECONDITIONS, 2),
    f("propagationPolicy", String, 4).keeps_zero(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement", gvk: None, atomic: false, fields: &[
    f("key", String, 1).required().keeps_zero(),
    f("operator", String, 2).required().keeps_zero(),
    f("values", String, 3).list(Atomic),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector", gvk: None, atomic: true, fields: &[
    f("matchExpressions", META_V1_LABEL_SELECTOR_REQUIREMENT, 2).list(Atomic),
    f("matchLabels", String, 1).map(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement", gvk: None, atomic: false, fields: &[
    f("key", String, 1).required().keeps_zero(),
    f("operator", String, 2).required().keeps_zero(),
    f("values", String, 3).list(Atomic),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", gvk: None, atomic: false, fields: &[
    f("continue", String, 3),
    f("remainingItemCount", Int64, 4).keeps_zero(),
    f("resourceVersion", String, 2),
    f("selfLink", String, 1),
    f("shardInfo", META_V1_SHARD_INFO, 0),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry", gvk: None, atomic: false, fields: &[
    f("apiVersion", String, 3),
    f("fieldsType", String, 6),
    f("fieldsV1", FieldsV1, 7),
    f("manager", String, 1),
    f("operation", String, 2),
    f("subresource", String, 8),
    f("time", Time, 4),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", gvk: None, atomic: false, fields: &[
    f("annotations", String, 12).map(),
    f("creationTimestamp", Time, 8),
    f("deletionGracePeriodSeconds", Int64, 10).keeps_zero(),
    f("deletionTimestamp", Time, 9),
    f("finalizers", String, 14).list(Set).patch(Merge, ""),
    f("generateName", String, 2),
    f("generation", Int64, 7),
    f("labels", String, 11).map(),
    f("managedFields", META_V1_MANAGED_FIELDS_ENTRY, 17).list(Atomic),
    f("name", String, 1),
    f("namespace", String, 3),
    f("ownerReferences", META_V1_OWNER_REFERENCE, 13).list(Keyed(&["uid"])).patch(Merge, "uid"),
    f("resourceVersion", String, 6),
    f("selfLink", String, 4),
    f("uid", String, 5),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference", gvk: None, atomic: true, fields: &[
    f("apiVersion", String, 5).required().keeps_zero(),
    f("blockOwnerDeletion", Bool, 7).keeps_zero(),
    f("controller", Bool, 6).keeps_zero(),
    f("kind", String, 1).required().keeps_zero(),
    f("name", String, 3).required().keeps_zero(),
    f("uid", String, 4).required().keeps_zero(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions", gvk: None, atomic: false, fields: &[
    f("resourceVersion", String, 2).keeps_zero(),
    f("uid", String, 1).keeps_zero(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo", gvk: None, atomic: false, fields: &[
    f("selector", String, 0).required().keeps_zero(),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.Status", gvk: Some(["", "v1", "Status"]), atomic: false, fields: &[
    f("apiVersion", String, 0),
    f("code", Int32, 6),
    f("details", META_V1_STATUS_DETAILS, 5),
    f("kind", String, 0),
    f("message", String, 3),
    f("metadata", META_V1_LIST_META, 1),
    f("reason", String, 4),
    f("status", String, 2),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause", gvk: None, atomic: false, fields: &[
    f("field", String, 3),
    f("message", String, 2),
    f("reason", String, 1),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails", gvk: None, atomic: false, fields: &[
    f("causes", META_V1_STATUS_CAUSE, 4).list(Atomic),
    f("group", String, 2),
    f("kind", String, 3),
    f("name", String, 1),
    f("retryAfterSeconds", Int32, 5),
    f("uid", String, 6),
] },
Type { name: "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent", gvk: Some(["", "v1", "WatchEvent"]), atomic: false, fields: &[
    f("object", Raw, 2).required(),
    f("type", String, 1).required().keeps_zero(),
] },
];
