//! The machine's own resolvers, which know what is beyond the cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The resolver's own list of servers, for machines whose /etc/resolv.conf names only a stub on loopback.
const SYSTEMD_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";
/// More than these nobody asks (resolv.conf(5) MAXNS).
pub const MAX_SERVERS: usize = 3;

/// What a resolv.conf says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// In the order they are asked.
    pub servers: Vec<String>,
    /// The last such line counts.
    pub searches: Vec<String>,
    /// All of them.
    pub options: Vec<String>,
}

impl ResolvConf {
    /// This machine's, for itself: stubs on loopback know which names to ask where. Blocking, but a small file.
    pub fn of_machine() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    /// Servers on loopback are found at `gateway` by those who have a loopback of their own.
    pub fn seen_from_bridge(&mut self, gateway: Ipv4Addr) {
        for server in &mut self.servers {
            if server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
                *server = gateway.to_string();
            }
        }
    }

    /// Reads the lines that are known.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => conf.servers.extend(words.next()),
                // As the kubelet has it: a root that is searched first breaks musl.
                Some("search" | "domain") => {
                    let suffixes = words.map(|suffix| suffix.trim_end_matches('.').to_owned());
                    conf.searches = suffixes.filter(|suffix| !suffix.is_empty()).collect();
                }
                Some("options") => conf.options.extend(words),
                _ => {}
            }
        }
        conf
    }

    /// Whom to ask. `own` is where this process answers itself.
    pub fn upstreams(&self, own: IpAddr) -> Vec<SocketAddr> {
        let addresses = self.servers.iter().filter_map(|server| server.parse::<IpAddr>().ok());
        addresses.filter(|address| *address != own).take(MAX_SERVERS).map(|address| (address, 53).into()).collect()
    }
}

/// The text of a resolv.conf for pods: this machine's, or what its stub asks. Blocking.
pub fn machine_text() -> String {
    let own = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if own.contains("127.0.0.53") && Path::new(SYSTEMD_RESOLV_CONF).exists() {
        return std::fs::read_to_string(SYSTEMD_RESOLV_CONF).unwrap_or(own);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_ask_is_left_out() {
        let text = "# comment\nnameserver 10.192.0.1\nnameserver\nnameserver fe80::1%eth0\nnameserver 1.1.1.1\n\
                    nameserver ::1\nsearch a\nsearch b . c.\noptions ndots:2\noptions edns0\n";
        let conf = ResolvConf::parse(text);
        assert_eq!((conf.searches.join(" "), conf.options.join(" ")), ("b c".into(), "ndots:2 edns0".into()));
        let expect: Vec<SocketAddr> = vec!["1.1.1.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()];
        assert_eq!(conf.upstreams([10, 192, 0, 1].into()), expect);
        assert_eq!(ResolvConf::parse("nonsense\n\u{0}").upstreams([1, 1, 1, 1].into()), []);
    }
}
