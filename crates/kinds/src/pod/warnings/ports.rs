//! Ports that containers define more than once.

use crate::at::At;

/// A port as far as two of them can collide.
struct Port<'a> {
    at: At<'a>,
    key: (i64, &'a str),
    host_ip: &'a str,
    host_port: i64,
}

/// Texts for the ports of these containers, which share one network.
pub(super) fn overlaps(containers: &[At<'_>]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut seen: Vec<Port<'_>> = Vec::new();
    for at in containers.iter().flat_map(|container| container.field("ports").items()) {
        let number = |field: &str| at.field(field).int().unwrap_or(0);
        let port = Port {
            key: (number("containerPort"), at.field("protocol").text()),
            host_ip: at.field("hostIP").text(),
            host_port: number("hostPort"),
            at: at.clone(),
        };
        if !port.host_ip.is_empty() && port.host_port == 0 {
            warnings.push(format!("{}: hostIP set without hostPort: {}", at.path, go_text(&at)));
        }
        for other in seen.iter().filter(|other| other.key == port.key) {
            if let Some(kind) = port.overlap(other) {
                warnings.push(format!("{}: {kind} port definition with {}", at.path, other.at.path));
            }
        }
        seen.push(port);
    }
    warnings
}

impl Port<'_> {
    fn overlap(&self, other: &Self) -> Option<&'static str> {
        if (self.host_ip, self.host_port) == (other.host_ip, other.host_port) {
            return Some("duplicate");
        }
        if self.host_port == 0 || other.host_port == 0 {
            return Some("overlapping");
        }
        let is_open_once = self.host_ip.is_empty() != other.host_ip.is_empty();
        (self.host_port == other.host_port && is_open_once).then_some("dangerously ambiguous")
    }
}

/// As Go prints the struct.
fn go_text(port: &At<'_>) -> String {
    format!(
        "{{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
        port.field("name").text(),
        port.field("hostPort").int().unwrap_or(0),
        port.field("containerPort").int().unwrap_or(0),
        port.field("protocol").text(),
        port.field("hostIP").text()
    )
}
