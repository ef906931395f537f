//! Rules for ports, names and name servers.

use super::Pod;
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
/// What the C library's resolver is sure to read.
const MOST_NAME_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const SEARCHES_BYTES: usize = 2048;

/// `ports` of a container.
pub(super) fn check_ports(ports: &At<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for port in ports.items() {
        let name = port.field("name");
        if !name.text().is_empty() {
            let wrong = names::port_name_errors(name.text());
            match wrong.is_empty() {
                true => super::check_unique(&name, &mut seen, errors),
                false => errors.extend(wrong.iter().map(|detail| name.invalid(detail))),
            }
        }
        let number = port.field("containerPort");
        match number.int().unwrap_or(0) {
            0 => errors.push(number.required("")),
            _ => check_port(&number, errors),
        }
        if port.field("hostPort").int().unwrap_or(0) != 0 {
            check_port(&port.field("hostPort"), errors);
        }
        port.field("protocol").check_choice(PROTOCOLS, errors);
    }
}

pub(super) fn check_port(port: &At<'_>, errors: &mut Vec<FieldError>) {
    if port.int().is_none_or(|number| !(1..=65535).contains(&number)) {
        errors.push(port.invalid_number("must be between 1 and 65535, inclusive"));
    }
}

/// A port by number or by name.
pub(super) fn check_port_or_name(port: &At<'_>, errors: &mut Vec<FieldError>) {
    match port.value {
        Value::String(_) => port.check_rule(names::port_name_errors, errors),
        _ => check_port(port, errors),
    }
}

/// No two of these containers may want the same port of the machine.
pub(super) fn check_host_port_conflicts<'a>(containers: impl Iterator<Item = At<'a>>, errors: &mut Vec<FieldError>) {
    let mut taken = BTreeSet::new();
    for port in containers.flat_map(|container| container.field("ports").items()) {
        let number = port.field("hostPort").int().unwrap_or(0);
        if number == 0 {
            continue;
        }
        let wanted = format!("{}/{}/{number}", port.field("protocol").text(), port.field("hostIP").text());
        if taken.contains(&wanted) {
            errors.push(FieldError::duplicate(port.field("hostPort").path, wanted));
        } else {
            taken.insert(wanted);
        }
    }
}

/// On the host's network, a container's port is the host's. Templates may leave it out.
pub(super) fn check_host_ports(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    if !pod.spec.field("hostNetwork").is_true() {
        return;
    }
    for port in pod.spec.field("containers").items().flat_map(|container| container.field("ports").items()) {
        let (host, own) = (port.field("hostPort"), port.field("containerPort"));
        let (host_number, number) = (host.int().unwrap_or(0), own.int().unwrap_or(0));
        if host_number != number && !(pod.is_template() && host_number == 0) {
            errors.push(host.invalid_number("must match `containerPort` when `hostNetwork` is true"));
        }
    }
}

/// `dnsConfig`, with which `dnsPolicy` None has to say everything.
pub(super) fn check_dns(config: &At<'_>, policy: &str, errors: &mut Vec<FieldError>) {
    let (servers, searches) = (config.field("nameservers"), config.field("searches"));
    if policy == "None" && !config.is_set() {
        errors.push(config.required("must provide `dnsConfig` when `dnsPolicy` is None"));
        return;
    }
    if policy == "None" && servers.len() == 0 {
        errors.push(servers.required("must provide at least one DNS nameserver when `dnsPolicy` is None"));
        return;
    }
    if MOST_NAME_SERVERS < servers.len() {
        errors.push(servers.invalid(&format!("must not have more than {MOST_NAME_SERVERS} nameservers")));
    }
    servers.items().for_each(|server| check_ip(&server, errors));
    if MOST_SEARCHES < searches.len() {
        errors.push(searches.invalid(&format!("must not have more than {MOST_SEARCHES} search paths")));
    }
    let n_bytes = searches.items().map(|search| search.text().len() + 1).sum::<usize>().saturating_sub(1);
    if SEARCHES_BYTES < n_bytes {
        errors.push(searches.invalid(&format!(
            "must not have more than {SEARCHES_BYTES} characters (including spaces) in the search list"
        )));
    }
    for search in searches.items().filter(|search| search.text() != ".") {
        let name = search.text().strip_suffix('.').unwrap_or(search.text());
        let wrong = names::dns_subdomain_with_underscore_errors(name);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&search.path, name, detail)));
    }
    for option in config.field("options").items() {
        if option.field("name").text().is_empty() {
            errors.push(option.required("must not be empty"));
        }
    }
}

/// Lines for the containers' /etc/hosts.
pub(super) fn check_host_aliases(aliases: &At<'_>, errors: &mut Vec<FieldError>) {
    for alias in aliases.items() {
        check_ip(&alias.field("ip"), errors);
        for name in alias.field("hostnames").items() {
            name.check_rule(names::dns_subdomain_errors, errors);
        }
    }
}

pub(super) fn check_ip(ip: &At<'_>, errors: &mut Vec<FieldError>) {
    if ip.text().parse::<IpAddr>().is_err() {
        errors.push(ip.invalid_text("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"));
    }
}
