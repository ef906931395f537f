//! Rules for what only Windows knows. No node here runs it, but what is stored here should be right elsewhere.

use super::Pod;
use crate::at::At;
use meta::field::FieldError;
use meta::names;

const SPEC_KIB: usize = 64;
const DOMAIN_CHARS: usize = 256;
const USER_CHARS: usize = 104;

/// `windowsOptions` of a pod or container.
pub(super) fn check(options: &At<'_>, errors: &mut Vec<FieldError>) {
    if !options.is_set() {
        return;
    }
    let name = options.field("gmsaCredentialSpecName");
    if name.is_set() {
        name.check_rule(names::dns_subdomain_errors, errors);
    }
    let spec = options.field("gmsaCredentialSpec");
    if spec.is_set() && spec.text().is_empty() {
        errors.push(spec.invalid("gmsaCredentialSpec cannot be an empty string"));
    } else if SPEC_KIB * 1024 < spec.text().len() {
        errors.push(spec.invalid(&format!("gmsaCredentialSpec size must be under {SPEC_KIB} KiB")));
    }
    let user = options.field("runAsUserName");
    if user.is_set() {
        let wrong = user_errors(user.text());
        errors.extend(wrong.iter().map(|detail| user.invalid(&format!("runAsUserName{detail}"))));
    }
}

/// What is wrong with `[DOMAIN\]USER`.
fn user_errors(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec![" cannot be an empty string".to_owned()];
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return vec![" cannot contain control characters".to_owned()];
    }
    let (domain, user) = match name.split('\\').collect::<Vec<_>>().as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec![" cannot contain more than one backslash".to_owned()],
    };
    let mut errors = Vec::new();
    let mut refuse = |is_wrong: bool, detail: String| {
        if is_wrong {
            errors.push(detail);
        }
    };
    let domain_chars = domain.map_or(0, str::len);
    refuse(DOMAIN_CHARS <= domain_chars, format!("'s Domain length must be under {DOMAIN_CHARS} characters"));
    refuse(
        domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)),
        "'s Domain doesn't match the NetBios nor the DNS format".to_owned(),
    );
    refuse(user.is_empty(), "'s User cannot be empty".to_owned());
    refuse(USER_CHARS < user.len(), format!("'s User length must not be longer than {USER_CHARS} characters"));
    let is_bare = !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' '));
    refuse(is_bare, "'s User cannot contain only periods or spaces".to_owned());
    refuse(
        user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)),
        "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]".to_owned(),
    );
    errors
}

fn is_net_bios(domain: &str) -> bool {
    let n_chars = domain.chars().count();
    (1..=15).contains(&n_chars) && !domain.starts_with('.') && !domain.contains(|c| "\\/:*?\"<>|".contains(c))
}

fn is_dns(domain: &str) -> bool {
    domain.split('.').all(|label| names::dns_label_errors(&label.to_lowercase()).is_empty())
}

/// Containers that are the host's processes: all of a pod, on its network.
pub(super) fn check_host_process(pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    const PATH: [&str; 3] = ["securityContext", "windowsOptions", "hostProcess"];
    let of_pod = pod.spec.fields(&PATH);
    let (mut n_containers, mut n_host) = (0, 0);
    for container in pod.all_containers() {
        let own = container.fields(&PATH);
        n_containers += 1;
        if of_pod.is_set() && own.is_set() && of_pod.value != own.value {
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {}", of_pod.is_true());
            errors.push(own.invalid(&detail));
        }
        let is_host = own.is_true() || !own.is_set() && of_pod.is_true();
        n_host += usize::from(is_host);
    }
    if n_host == 0 {
        return;
    }
    if n_host != n_containers {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(FieldError::invalid(&pod.spec.path, "", detail));
    }
    if !pod.spec.field("hostNetwork").is_true() {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(FieldError::invalid(pod.spec.field("hostNetwork").path, false, detail));
    }
}
