use super::*;
use oci_spec::runtime::{Capability, LinuxCapabilitiesBuilder, LinuxDeviceBuilder, LinuxDeviceType, LinuxNamespace};
use serde_json::{Value, json};
use std::collections::HashSet;

fn mount(destination: &str, typ: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount.set_destination(destination.into());
    mount.set_typ(Some(typ.into()));
    mount.set_source(Some(source.into()));
    mount.set_options(Some(options.iter().map(|option| option.to_string()).collect()));
    mount
}

/// As the agent makes it.
fn spec() -> Spec {
    let mut spec = Spec::default();
    spec.set_mounts(Some(vec![
        mount("/proc", "proc", "proc", &["nosuid"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid"]),
        mount("/data", "bind", "/v/data", &["rbind", "rprivate", "ro"]),
        mount("/part", "bind", "/v/data", &["rbind", "rprivate", "rw", "kiln.subpath=a/b"]),
        mount("/tape", "bind", "/dev/tape", &["bind", "rw"]),
    ]));
    let mut linux = Linux::default();
    let types = [LinuxNamespaceType::Pid, LinuxNamespaceType::Uts, LinuxNamespaceType::Network];
    let named = types.map(|typ| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ);
        namespace
    });
    linux.set_namespaces(Some(named.to_vec()));
    linux.set_masked_paths(Some(vec!["/proc/kcore".into()]));
    spec.set_linux(Some(linux));
    spec
}

fn translated(spec: &Spec) -> Value {
    translated_with(spec, &Resources::default(), |_| {})
}

fn translated_with(spec: &Spec, resources: &Resources, change: impl FnOnce(&mut Place<'_>)) -> Value {
    let namespaces = [
        (LinuxNamespaceType::Network, PathBuf::from("/proc/7/ns/net")),
        (LinuxNamespaceType::Uts, PathBuf::from("/proc/7/ns/uts")),
    ];
    let source =
        |path: &str, is_device, forbids: &[_]| Source { path: path.into(), is_device, forbids: forbids.to_vec() };
    let sources = [
        source("/v/data", false, &["nosuid", "nodev"]),
        source("/scratch/bind-1", false, &[]),
        source("/dev/tape", true, &[]),
    ];
    let mut place = Place {
        root: Path::new("/scratch/merged"),
        cgroup: Path::new("/kiln-1/pod-U/c.0"),
        namespaces: &namespaces,
        shm: Path::new("/pod/shm"),
        sources: &sources,
        resources,
        counts_swap: true,
        capabilities: u64::MAX,
        oom_score_adj: Some(900),
    };
    change(&mut place);
    serde_json::to_value(translate(spec, &place)).unwrap()
}

#[test]
fn a_runtime_is_told_where_everything_is() {
    let seen = translated(&spec());
    assert_eq!(seen["root"]["path"], "/scratch/merged");
    assert_eq!(seen["hostname"], Value::Null, "the pod's namespace has it");
    assert_eq!(seen["process"]["oomScoreAdj"], 900);
    assert_eq!(seen["linux"]["cgroupsPath"], "/kiln-1/pod-U/c.0");
    assert_eq!(
        seen["linux"]["namespaces"],
        json!([{"type": "pid"}, {"type": "uts", "path": "/proc/7/ns/uts"}, {"type": "network", "path": "/proc/7/ns/net"}])
    );
    assert_eq!(seen["linux"]["maskedPaths"], json!(["/proc/kcore"]), "the rest is as it was");
}

#[test]
fn mounts_are_of_what_was_looked_up_and_devices_in_them_do_not_work() {
    let seen = translated(&spec());
    let mounts: Vec<String> = seen["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| {
            let options: Vec<_> = mount["options"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let text = |field: &str| mount[field].as_str().unwrap().to_owned();
            format!("{} {} {}", text("destination"), text("source"), options.join(","))
        })
        .collect();
    assert_eq!(
        mounts,
        [
            "/proc proc nosuid",
            "/dev tmpfs nosuid",
            "/dev/shm /pod/shm bind,rw,nosuid,nodev,noexec",
            "/data /v/data rbind,rprivate,ro,nosuid,nodev",
            "/part /scratch/bind-1 rbind,rprivate,rw,nodev",
            "/tape /dev/tape bind,rw",
        ]
    );
}

#[test]
fn shared_memory_that_a_pod_brings_is_not_mounted_over() {
    let mut spec = spec();
    spec.set_mounts(Some(vec![mount("/dev/shm", "tmpfs", "shm", &["size=1m"])]));
    let seen = translated(&spec);
    assert_eq!(seen["mounts"].as_array().unwrap().len(), 1);
    assert_eq!(seen["mounts"][0]["source"], "shm");
}

#[test]
fn limits_are_those_that_were_asked_for() {
    let device = |allow, rest: Value| {
        let mut rule = json!({"allow": allow, "access": "rwm"});
        rule.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        rule
    };
    let nothing = translated(&spec());
    assert_eq!(nothing["linux"]["resources"], json!({"devices": [device(false, json!({}))], "cpu": {}}));

    let resources = Resources {
        cpu_request_milli: Some(250),
        cpu_limit_milli: Some(500),
        memory_limit_bytes: Some(1 << 24),
        pids_limit: Some(100),
    };
    let tape = LinuxDeviceBuilder::default().path("/dev/tape").typ(LinuxDeviceType::C).major(9).minor(1).build();
    let mut with_device = spec();
    with_device.linux_mut().as_mut().unwrap().set_devices(Some(vec![tape.unwrap()]));
    let everything = translated_with(&with_device, &resources, |_| {});
    assert_eq!(
        everything["linux"]["resources"],
        json!({
            "devices": [device(false, json!({})), device(true, json!({"type": "c", "major": 9, "minor": 1}))],
            "cpu": {"shares": 256, "quota": 50_000, "period": 100_000},
            "memory": {"limit": 1 << 24, "swap": 1 << 24},
            "pids": {"limit": 100},
        })
    );
    let uncounted = translated_with(&spec(), &resources, |place| place.counts_swap = false);
    assert_eq!(uncounted["linux"]["resources"]["memory"], json!({"limit": 1 << 24}));
}

#[test]
fn what_the_server_may_not_do_it_does_not_ask_for() {
    let set = HashSet::from([Capability::Chown, Capability::SysResource]);
    let sets = LinuxCapabilitiesBuilder::default().bounding(set.clone()).effective(set.clone()).permitted(set);
    let mut spec = spec();
    spec.process_mut().as_mut().unwrap().set_capabilities(sets.build().ok());
    let seen = translated_with(&spec, &Resources::default(), |place| place.capabilities = !(1 << 24));
    for kind in ["bounding", "effective", "permitted"] {
        assert_eq!(seen["process"]["capabilities"][kind], json!(["CAP_CHOWN"]), "{kind}");
    }
}
