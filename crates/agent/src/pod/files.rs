//! The files in a container's /etc that belong to its pod: hosts, hostname, resolv.conf.

use crate::dns::{self, MAX_SERVERS, ResolvConf, names::CLUSTER};
use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What the kernel takes (utsname(2)).
pub(super) const MAX_HOSTNAME: usize = 64;
/// Suffixes of which resolvers take notice (K:pkg/apis/core/validation MaxDNSSearchPaths).
const MAX_SEARCHES: usize = 32;
/// A name with fewer dots is tried with each suffix first, as on a cluster.
const NDOTS: &str = "ndots:5";

/// Who a pod is on its network.
pub(super) struct Identity<'a> {
    /// Its host name.
    pub hostname: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its own address, if it has one.
    pub address: Option<Ipv4Addr>,
    /// Where names of the cluster are answered, if they are.
    pub resolver: Option<Ipv4Addr>,
    /// This machine, as the pod reaches it, unless it shares this machine's network.
    pub gateway: Option<Ipv4Addr>,
}

/// `DIR/etc`: below a pod's directory.
pub(super) fn etc_dir(pod_dir: &Path) -> PathBuf {
    pod_dir.join("etc")
}

/// The pod's host name: `spec.hostname` or its name, cut to what the kernel takes.
pub(super) fn hostname(pod_name: &str, spec: &PodSpec) -> String {
    let wanted = spec.hostname.as_deref().filter(|hostname| !hostname.is_empty()).unwrap_or(pod_name);
    let cut: String = wanted.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// `HOSTNAME.SUBDOMAIN.NAMESPACE.svc.cluster.local`, for a pod that has a subdomain.
pub(super) fn fqdn(hostname: &str, namespace: &str, spec: &PodSpec) -> Option<String> {
    let subdomain = spec.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty())?;
    Some(format!("{hostname}.{subdomain}.{namespace}.svc.{CLUSTER}"))
}

/// As the kubelet says it.
pub(super) fn too_long(fqdn: &str) -> String {
    let n = fqdn.len();
    format!(
        "Failed to construct FQDN from Pod hostname and cluster domain, FQDN {fqdn} is too long ({MAX_HOSTNAME} characters is the max, {n} characters requested)"
    )
}

/// Writes all three. Blocking, but only a few hundred bytes.
pub(super) fn write(pod_dir: &Path, identity: &Identity<'_>, spec: &PodSpec) -> std::io::Result<()> {
    let dir = etc_dir(pod_dir);
    std::fs::create_dir_all(&dir)?;
    let machine_hosts = if spec.host_network == Some(true) { std::fs::read_to_string("/etc/hosts").ok() } else { None };
    let texts = [
        ("hosts", hosts(identity, spec, machine_hosts.as_deref())),
        ("hostname", format!("{}\n", identity.hostname)),
        ("resolv.conf", resolv_conf(identity, spec, &dns::machine_text())),
    ];
    for (name, text) in texts {
        let path = dir.join(name);
        std::fs::write(&path, text)?;
        // Every user of a container may read them, whatever this process' umask.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
    }
    Ok(())
}

fn hosts(identity: &Identity<'_>, spec: &PodSpec, machine_hosts: Option<&str>) -> String {
    let mut text = match machine_hosts {
        Some(machine_hosts) => machine_hosts.to_owned(),
        None => {
            // Without an address of its own the pod is found on loopback.
            let own = identity.address.unwrap_or(Ipv4Addr::LOCALHOST);
            let short = identity.hostname.split('.').next().unwrap_or_default();
            let names = match fqdn(short, identity.namespace, spec) {
                Some(fqdn) => format!("{fqdn}\t{short}"),
                None => identity.hostname.to_owned(),
            };
            format!(
                "# written by kiln for this pod\n\
                 127.0.0.1\tlocalhost\n\
                 ::1\tlocalhost ip6-localhost ip6-loopback\n\
                 fe00::0\tip6-localnet\n\
                 fe00::0\tip6-mcastprefix\n\
                 fe00::1\tip6-allnodes\n\
                 fe00::2\tip6-allrouters\n\
                 {own}\t{names}\n"
            )
        }
    };
    for alias in spec.host_aliases.iter().flatten() {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        text.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    text
}

/// By dnsPolicy (K:pkg/kubelet/network/dns), extended by dnsConfig. Where nobody answers names of the cluster, ClusterFirst is Default.
fn resolv_conf(identity: &Identity<'_>, spec: &PodSpec, machine: &str) -> String {
    let is_on_host = spec.host_network == Some(true);
    let resolver = match spec.dns_policy.as_deref() {
        Some("ClusterFirst") | None if !is_on_host => identity.resolver,
        Some("ClusterFirstWithHostNet") => identity.resolver,
        _ => None,
    };
    let is_none = spec.dns_policy.as_deref() == Some("None");
    let mut conf = if is_none { ResolvConf::default() } else { ResolvConf::parse(machine) };
    if let Some(resolver) = resolver {
        conf.servers = vec![resolver.to_string()];
        let suffixes = [format!("{}.svc.{CLUSTER}", identity.namespace), format!("svc.{CLUSTER}"), CLUSTER.to_owned()];
        conf.searches.splice(..0, suffixes);
        conf.options = vec![NDOTS.to_owned()];
    } else if let Some(gateway) = identity.gateway.filter(|_| !is_on_host) {
        conf.seen_from_bridge(gateway);
    }
    if let Some(config) = &spec.dns_config {
        extend(&mut conf, config);
    }
    written(&conf)
}

/// What the pod wishes for itself comes last; of its options each replaces the one of its name.
fn extend(conf: &mut ResolvConf, config: &PodDNSConfig) {
    conf.servers.extend(config.nameservers.iter().flatten().cloned());
    conf.searches.extend(config.searches.iter().flatten().cloned());
    for option in config.options.iter().flatten() {
        let Some(name) = &option.name else { continue };
        conf.options.retain(|known| known.split(':').next() != Some(name));
        conf.options.push(match &option.value {
            Some(value) => format!("{name}:{value}"),
            None => name.clone(),
        });
    }
}

fn written(conf: &ResolvConf) -> String {
    let mut text = String::new();
    let searches = distinct(&conf.searches, MAX_SEARCHES);
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in distinct(&conf.servers, MAX_SERVERS) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !conf.options.is_empty() {
        text.push_str(&format!("options {}\n", conf.options.join(" ")));
    }
    text
}

fn distinct(words: &[String], most: usize) -> Vec<&str> {
    let mut distinct: Vec<&str> = Vec::new();
    for word in words {
        if !distinct.contains(&word.as_str()) {
            distinct.push(word);
        }
    }
    distinct.truncate(most);
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(value: Value) -> PodSpec {
        let mut value = value;
        value["containers"] = json!([]);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn host_names_are_cut_to_63_and_end_in_a_letter_or_digit() {
        let long = format!("{}-.x", "a".repeat(61));
        assert_eq!(hostname("p", &spec(json!({}))), "p");
        assert_eq!(hostname("p", &spec(json!({"hostname": "h-0"}))), "h-0");
        assert_eq!(hostname(&long, &spec(json!({}))), "a".repeat(61));
    }

    fn identity(address: Option<[u8; 4]>, resolver: Option<[u8; 4]>) -> Identity<'static> {
        Identity {
            hostname: "p",
            namespace: "n",
            address: address.map(Ipv4Addr::from),
            resolver: resolver.map(Ipv4Addr::from),
            gateway: address.map(|_| Ipv4Addr::new(10, 9, 0, 1)),
        }
    }

    #[test]
    fn hosts_has_the_pod_and_its_aliases() {
        let aliases = spec(json!({"hostAliases": [{"ip": "10.1.2.3", "hostnames": ["db", "db.local"]}]}));
        let text = hosts(&identity(Some([10, 0, 0, 9]), None), &aliases, None);
        assert!(text.contains("127.0.0.1\tlocalhost\n") && text.contains("10.0.0.9\tp\n"));
        let nowhere = identity(None, None);
        assert!(hosts(&nowhere, &aliases, None).contains("127.0.0.1\tp\n"));
        assert!(text.ends_with("10.1.2.3\tdb\tdb.local\n"));
        assert_eq!(hosts(&nowhere, &spec(json!({})), Some("1.1.1.1 x\n")), "1.1.1.1 x\n");
        let beneath = spec(json!({"subdomain": "workers"}));
        let text = hosts(&identity(Some([10, 0, 0, 9]), None), &beneath, None);
        assert!(text.ends_with("10.0.0.9\tp.workers.n.svc.cluster.local\tp\n"), "{text}");
    }

    #[test]
    fn resolv_conf_follows_the_policy() {
        let machine = "search lan\nnameserver 1.1.1.1\noptions edns0\n";
        let cluster =
            "search n.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.9.0.1\noptions ndots:5\n";
        let config = json!({"nameservers": ["9.9.9.9"], "searches": ["a", "b", "a"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]});
        let bridged = identity(Some([10, 9, 0, 2]), Some([10, 9, 0, 1]));
        for (policy, on_host, expect) in [
            (None, false, cluster),
            (Some("ClusterFirst"), false, cluster),
            (Some("ClusterFirst"), true, machine),
            (Some("ClusterFirstWithHostNet"), true, cluster),
            (Some("Default"), false, machine),
            (Some("None"), false, ""),
        ] {
            let wanted = spec(json!({"dnsPolicy": policy, "hostNetwork": on_host}));
            assert_eq!(resolv_conf(&bridged, &wanted, machine), expect, "{policy:?} {on_host}");
        }
        let local = "nameserver 127.0.0.1\nnameserver 1.1.1.1\n";
        let unanswered = identity(Some([10, 9, 0, 2]), None);
        let expect = "nameserver 10.9.0.1\nnameserver 1.1.1.1\n";
        assert_eq!(resolv_conf(&unanswered, &spec(json!({})), local), expect, "its loopback is another");
        assert_eq!(resolv_conf(&unanswered, &spec(json!({"hostNetwork": true})), local), local);
        let alone = identity(None, None);
        assert_eq!(resolv_conf(&alone, &spec(json!({})), machine), machine, "nobody answers names");
        let own = "search a b\nnameserver 9.9.9.9\noptions ndots:2 edns0\n";
        let none = spec(json!({"dnsPolicy": "None", "dnsConfig": config}));
        assert_eq!(resolv_conf(&bridged, &none, machine), own);
        let first = spec(json!({"dnsConfig": config}));
        let expect = "search n.svc.cluster.local svc.cluster.local cluster.local lan a b\n\
                      nameserver 10.9.0.1\nnameserver 9.9.9.9\noptions ndots:2 edns0\n";
        assert_eq!(resolv_conf(&bridged, &first, machine), expect);
        let default = spec(json!({"dnsPolicy": "Default", "dnsConfig": config}));
        let expect = "search lan a b\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions ndots:2 edns0\n";
        assert_eq!(resolv_conf(&alone, &default, machine), expect);
    }

    #[test]
    fn a_pod_may_be_called_by_its_whole_name() {
        let beneath = spec(json!({"subdomain": "workers"}));
        assert_eq!(fqdn("job-0", "n", &beneath).as_deref(), Some("job-0.workers.n.svc.cluster.local"));
        assert_eq!(fqdn("job-0", "n", &spec(json!({}))), None);
    }
}
