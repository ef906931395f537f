//! The files in a container's /etc that belong to its pod: hosts, hostname, resolv.conf.

use k8s_openapi::api::core::v1::PodSpec;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The resolver's own list of servers, for machines whose /etc/resolv.conf names only a stub that pods cannot reach.
const SYSTEMD_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";

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

/// Writes all three. Blocking, but only a few hundred bytes.
pub(super) fn write(pod_dir: &Path, hostname: &str, spec: &PodSpec, address: Option<Ipv4Addr>) -> std::io::Result<()> {
    let dir = etc_dir(pod_dir);
    std::fs::create_dir_all(&dir)?;
    let machine_hosts = if spec.host_network == Some(true) { std::fs::read_to_string("/etc/hosts").ok() } else { None };
    let texts = [
        ("hosts", hosts(hostname, spec, address, machine_hosts.as_deref())),
        ("hostname", format!("{hostname}\n")),
        ("resolv.conf", resolv_conf(spec, &machine_resolv_conf())),
    ];
    for (name, text) in texts {
        let path = dir.join(name);
        std::fs::write(&path, text)?;
        // Every user of a container may read them, whatever this process' umask.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
    }
    Ok(())
}

fn machine_resolv_conf() -> String {
    let own = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if own.contains("127.0.0.53") {
        return std::fs::read_to_string(SYSTEMD_RESOLV_CONF).unwrap_or(own);
    }
    own
}

fn hosts(hostname: &str, spec: &PodSpec, address: Option<Ipv4Addr>, machine_hosts: Option<&str>) -> String {
    let mut text = match machine_hosts {
        Some(machine_hosts) => machine_hosts.to_owned(),
        None => {
            // Without an address of its own the pod is found on loopback.
            let own = address.unwrap_or(Ipv4Addr::LOCALHOST);
            format!(
                "# written by kiln for this pod\n\
                 127.0.0.1\tlocalhost\n\
                 ::1\tlocalhost ip6-localhost ip6-loopback\n\
                 fe00::0\tip6-localnet\n\
                 fe00::0\tip6-mcastprefix\n\
                 fe00::1\tip6-allnodes\n\
                 fe00::2\tip6-allrouters\n\
                 {own}\t{hostname}\n"
            )
        }
    };
    for alias in spec.host_aliases.iter().flatten() {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        text.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    text
}

/// dnsPolicy None takes only what dnsConfig says; every other policy is the machine's configuration, extended by dnsConfig.
fn resolv_conf(spec: &PodSpec, machine: &str) -> String {
    let mut text = String::new();
    if spec.dns_policy.as_deref() != Some("None") {
        text.push_str(machine);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    }
    let Some(config) = &spec.dns_config else {
        return text;
    };
    for server in config.nameservers.iter().flatten() {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if let Some(searches) = config.searches.as_ref().filter(|list| !list.is_empty()) {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    let options: Vec<String> = config
        .options
        .iter()
        .flatten()
        .filter_map(|option| {
            let name = option.name.as_ref()?;
            Some(match &option.value {
                Some(value) => format!("{name}:{value}"),
                None => name.clone(),
            })
        })
        .collect();
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
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

    #[test]
    fn hosts_has_the_pod_and_its_aliases() {
        let aliases = spec(json!({"hostAliases": [{"ip": "10.1.2.3", "hostnames": ["db", "db.local"]}]}));
        let text = hosts("p", &aliases, Some([10, 0, 0, 9].into()), None);
        assert!(text.contains("127.0.0.1\tlocalhost\n") && text.contains("10.0.0.9\tp\n"));
        assert!(hosts("p", &aliases, None, None).contains("127.0.0.1\tp\n"));
        assert!(text.ends_with("10.1.2.3\tdb\tdb.local\n"));
        assert_eq!(hosts("p", &spec(json!({})), None, Some("1.1.1.1 x\n")), "1.1.1.1 x\n");
    }

    #[test]
    fn resolv_conf_follows_the_policy() {
        let config = json!({"nameservers": ["9.9.9.9"], "searches": ["a", "b"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]});
        let own = "nameserver 9.9.9.9\nsearch a b\noptions ndots:2 edns0\n";
        let none = spec(json!({"dnsPolicy": "None", "dnsConfig": config}));
        assert_eq!(resolv_conf(&none, "nameserver 1.1.1.1"), own);
        let first = spec(json!({"dnsConfig": config}));
        assert_eq!(resolv_conf(&first, "nameserver 1.1.1.1"), format!("nameserver 1.1.1.1\n{own}"));
    }
}
