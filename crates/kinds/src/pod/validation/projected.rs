//! Rules for volumes that gather files from several sources.

use super::{files, volumes};
use crate::at::At;
use meta::field::FieldError;
use std::collections::BTreeSet;

const TEN_MINUTES: i64 = 600;
const LONGEST_SECONDS: i64 = 1 << 32;
const KEY_TYPES: &[&str] = &["ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"];

/// `projected` of a volume.
pub(super) fn check(projected: &At<'_>, errors: &mut Vec<FieldError>) {
    files::check_mode(&projected.field("defaultMode"), errors);
    let mut paths = Paths { seen: BTreeSet::new(), path: projected.path.clone() };
    for source in projected.field("sources").items() {
        check_source(&source, projected, &mut paths, errors);
    }
}

/// No two files may have the same path.
struct Paths<'a> {
    seen: BTreeSet<&'a str>,
    path: String,
}

impl<'a> Paths<'a> {
    /// `shown` is what Kubernetes shows as the value in question: an object's name, or the path.
    fn take(&mut self, path: &At<'a>, shown: &str, errors: &mut Vec<FieldError>) {
        if !path.text().is_empty() && !self.seen.insert(path.text()) {
            errors.push(FieldError::invalid(&self.path, shown, "conflicting duplicate paths"));
        }
    }
}

fn check_source<'a>(source: &At<'a>, projected: &At<'a>, paths: &mut Paths<'a>, errors: &mut Vec<FieldError>) {
    for kind in ["secret", "configMap"].map(|kind| source.field(kind)) {
        if !kind.is_set() {
            continue;
        }
        kind.field("name").check_required(errors);
        for item in kind.field("items").items() {
            files::check_item(&item, errors);
            paths.take(&item.field("path"), kind.field("name").text(), errors);
        }
    }
    let downward = source.field("downwardAPI");
    volumes::check_downward_items(&downward, errors);
    for path in downward.field("items").items().map(|item| item.field("path")) {
        paths.take(&path, path.text(), errors);
    }
    let token = source.field("serviceAccountToken");
    if token.is_set() {
        check_token(&token, projected, errors);
    }
    let bundle = source.field("clusterTrustBundle");
    if bundle.is_set() {
        volumes::check_trust_bundle(&bundle, errors);
        let path = bundle.field("path");
        paths.take(&path, path.text(), errors);
    }
    let certificate = source.field("podCertificate");
    if certificate.is_set() {
        certificate.field("signerName").check_required(errors);
        certificate.field("keyType").check_choice(KEY_TYPES, errors);
        for path in ["credentialBundlePath", "keyPath", "certificateChainPath"].map(|path| certificate.field(path)) {
            files::check_unreserved(&path, errors);
            paths.take(&path, path.text(), errors);
        }
    }
    let kinds = ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];
    if kinds.iter().filter(|kind| source.field(kind).is_set()).count() > 1 {
        errors.push(source.forbidden("may not specify more than 1 volume type per source"));
    }
}

fn check_token(token: &At<'_>, projected: &At<'_>, errors: &mut Vec<FieldError>) {
    let expiration = token.field("expirationSeconds");
    let seconds = expiration.int().unwrap_or(0);
    if seconds < TEN_MINUTES {
        errors.push(expiration.invalid_number("may not specify a duration less than 10 minutes"));
    }
    if LONGEST_SECONDS < seconds {
        errors.push(expiration.invalid_number("may not specify a duration larger than 2^32 seconds"));
    }
    // The path of the path is Kubernetes' own.
    let path = At { path: projected.field("path").path, ..token.field("path") };
    path.check_required(errors);
    files::check_unreserved(&path, errors);
}
