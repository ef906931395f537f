//! Rules for files and paths in volumes.

use crate::at::At;
use meta::field::FieldError;

const WRONG_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// KeyToPath items: a key that becomes a file.
pub(super) fn check_item(item: &At<'_>, errors: &mut Vec<FieldError>) {
    item.field("key").check_required(errors);
    check_path_and_mode(item, errors);
}

/// `path` and `mode` of an item.
pub(super) fn check_path_and_mode(item: &At<'_>, errors: &mut Vec<FieldError>) {
    item.field("path").check_required(errors);
    check_unreserved(&item.field("path"), errors);
    check_mode(&item.field("mode"), errors);
}

pub(super) fn check_mode(mode: &At<'_>, errors: &mut Vec<FieldError>) {
    if mode.int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        errors.push(mode.invalid(WRONG_MODE));
    }
}

/// A path that stays below where it starts, and away from the names that updates use.
pub(super) fn check_unreserved(path: &At<'_>, errors: &mut Vec<FieldError>) {
    check_descending(path, errors);
    if path.text().starts_with("..") && !path.text().starts_with("../") {
        errors.push(path.invalid_text("must not start with '..'"));
    }
}

/// A path that stays below where it starts.
pub(super) fn check_descending(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if path.text().starts_with('/') {
        errors.push(path.invalid_text("must be a relative path"));
    }
    check_no_backsteps(path, errors);
}

pub(super) fn check_no_backsteps(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if has_backsteps(path.text()) {
        errors.push(path.invalid_text("must not contain '..'"));
    }
}

pub(super) fn has_backsteps(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
