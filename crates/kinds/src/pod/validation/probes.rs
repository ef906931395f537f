//! Rules for probes and lifecycle hooks.

use super::{Pod, network};
use crate::at::At;
use meta::field::FieldError;
use meta::names;

/// Liveness and startup probes: one success is enough.
pub(super) fn check_liveness(probe: &At<'_>, errors: &mut Vec<FieldError>) {
    if !probe.is_set() {
        return;
    }
    check_probe(probe, errors);
    let successes = probe.field("successThreshold");
    if successes.int() != Some(1) {
        errors.push(successes.invalid_number("must be 1"));
    }
}

/// A readiness probe stops nothing, so it has no grace period.
pub(super) fn check_readiness(probe: &At<'_>, errors: &mut Vec<FieldError>) {
    if !probe.is_set() {
        return;
    }
    check_probe(probe, errors);
    let grace = probe.field("terminationGracePeriodSeconds");
    if grace.is_set() {
        errors.push(grace.invalid("must not be set for readinessProbes"));
    }
}

fn check_probe(probe: &At<'_>, errors: &mut Vec<FieldError>) {
    check_handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], None, errors);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        probe.field(field).check_not_negative(errors);
    }
    let grace = probe.field("terminationGracePeriodSeconds");
    if grace.int().is_some_and(|seconds| seconds <= 0) {
        errors.push(grace.invalid("must be greater than 0"));
    }
}

/// `lifecycle` of a container: what happens after its start and before its end.
pub(super) fn check_lifecycle(lifecycle: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    for hook in ["postStart", "preStop"].map(|hook| lifecycle.field(hook)) {
        if hook.is_set() {
            check_handler(&hook, &["exec", "httpGet", "tcpSocket", "sleep"], pod.grace_seconds(), errors);
        }
    }
    let signal = lifecycle.field("stopSignal");
    if !signal.is_set() {
        return;
    }
    match pod.os() {
        "" => errors.push(signal.forbidden("may not be set for containers with empty `spec.os.name`")),
        "windows" => signal.check_among(&["SIGKILL", "SIGTERM"], errors),
        _ => signal.check_among(LINUX_SIGNALS, errors),
    }
}

/// Exactly one handler, and that one sound.
fn check_handler(handler: &At<'_>, kinds: &[&str], grace_seconds: Option<i64>, errors: &mut Vec<FieldError>) {
    let mut n_handlers = 0;
    for kind in kinds {
        let action = handler.field(kind);
        if !action.is_set() {
            continue;
        }
        n_handlers += 1;
        if n_handlers > 1 {
            errors.push(action.forbidden("may not specify more than 1 handler type"));
            continue;
        }
        match *kind {
            "exec" if action.field("command").len() == 0 => errors.push(action.field("command").required("")),
            "httpGet" => check_http(&action, errors),
            "tcpSocket" => network::check_port_or_name(&action.field("port"), errors),
            "grpc" => network::check_port(&action.field("port"), errors),
            "sleep" => check_sleep(&action, grace_seconds, errors),
            _ => {}
        }
    }
    if n_handlers == 0 {
        errors.push(handler.required("must specify a handler type"));
    }
}

fn check_http(get: &At<'_>, errors: &mut Vec<FieldError>) {
    get.field("path").check_required(errors);
    network::check_port_or_name(&get.field("port"), errors);
    if !["HTTP", "HTTPS"].contains(&get.field("scheme").text()) {
        errors.push(get.field("scheme").not_supported(&["HTTP", "HTTPS"]));
    }
    let headers = get.field("httpHeaders");
    for header in headers.items() {
        let name = header.field("name").text();
        let wrong = names::http_header_errors(name);
        errors.extend(wrong.iter().map(|detail| FieldError::invalid(&headers.path, name, detail)));
    }
}

fn check_sleep(sleep: &At<'_>, grace_seconds: Option<i64>, errors: &mut Vec<FieldError>) {
    let seconds = sleep.field("seconds").int().unwrap_or(0);
    let Some(grace_seconds) = grace_seconds else { return };
    if seconds < 0 || grace_seconds < seconds {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})");
        errors.push(FieldError::invalid(&sleep.path, seconds, &detail));
    }
}

/// Every signal that a container may be stopped with (K:pkg/apis/core/validation, sorted).
const LINUX_SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMAX-1",
    "SIGRTMAX-10",
    "SIGRTMAX-11",
    "SIGRTMAX-12",
    "SIGRTMAX-13",
    "SIGRTMAX-14",
    "SIGRTMAX-2",
    "SIGRTMAX-3",
    "SIGRTMAX-4",
    "SIGRTMAX-5",
    "SIGRTMAX-6",
    "SIGRTMAX-7",
    "SIGRTMAX-8",
    "SIGRTMAX-9",
    "SIGRTMIN",
    "SIGRTMIN+1",
    "SIGRTMIN+10",
    "SIGRTMIN+11",
    "SIGRTMIN+12",
    "SIGRTMIN+13",
    "SIGRTMIN+14",
    "SIGRTMIN+15",
    "SIGRTMIN+2",
    "SIGRTMIN+3",
    "SIGRTMIN+4",
    "SIGRTMIN+5",
    "SIGRTMIN+6",
    "SIGRTMIN+7",
    "SIGRTMIN+8",
    "SIGRTMIN+9",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];
