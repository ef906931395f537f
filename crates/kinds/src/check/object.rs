//! One manifest as a server would see it: decoded, completed, and judged by its kind.

use super::{Finding, Manifest, Severity, fields, identity, pods};
use crate::at::At;
use crate::kind::{Kind, Scope};
use crate::schema::{self, Strictness, TypeRef};
use meta::field::{FieldError, Reason, quote};
use serde_json::Value;

/// An object of a known kind.
#[derive(Debug)]
pub(super) struct Object<'m> {
    pub manifest: &'m Manifest,
    pub kind: &'static dyn Kind,
    /// Its namespace; empty for what lives in none.
    pub namespace: String,
    /// What was written, with misspelt fields spelt right and without defaults.
    pub written: Value,
}

impl Object<'_> {
    pub fn name(&self) -> &str {
        meta::object::name(&self.written)
    }

    pub fn warning(&self, field: &str, what: impl AsRef<str>) -> Finding {
        let what = if field.is_empty() { what.as_ref().to_owned() } else { format!("{field}: {}", what.as_ref()) };
        finding(self.manifest, Severity::Warning, field, &what)
    }
}

/// An error about a manifest; `what` names the field itself.
pub(super) fn error(manifest: &Manifest, field: &str, what: &str) -> Finding {
    finding(manifest, Severity::Error, field, what)
}

fn finding(manifest: &Manifest, severity: Severity, field: &str, what: &str) -> Finding {
    Finding {
        file: manifest.file.clone(),
        document: manifest.document,
        line: manifest.lines.of(field),
        object: identity::title(&manifest.object),
        field: field.to_owned(),
        severity,
        what: what.to_owned(),
        cause: None,
        remedy: None,
    }
}

/// Reads a manifest, and tells what a server would refuse. `None` if nobody knows what it is.
pub(super) fn read<'m>(manifest: &'m Manifest, namespace: &str, findings: &mut Vec<Finding>) -> Option<Object<'m>> {
    for path in &manifest.repeated {
        let what = format!("duplicate field {path:?}");
        findings.push(error(manifest, path, &what).because("only the last one holds").remedy("keep one of them"));
    }
    let kind = identity::of(manifest, findings)?;
    let ty = schema::lookup(kind.type_name())?;
    let meant = fields::meant(&manifest.object, ty);
    findings.extend(meant.unknown.iter().map(|unknown| unknown_field(manifest, unknown)));
    let mut written = meant.object;
    let n_before = findings.len();
    types(manifest, &mut written, ty, findings);
    let is_typed = findings.len() == n_before;
    let namespace = match (kind.names().scope, meta::object::namespace(&written)) {
        (Scope::Cluster, _) => String::new(),
        (Scope::Namespaced, "") => namespace.to_owned(),
        (Scope::Namespaced, own) => own.to_owned(),
    };
    let object = Object { manifest, kind, namespace, written };
    if is_typed && kind.as_review().is_none() {
        judge(&object, findings);
    }
    Some(object)
}

fn unknown_field(manifest: &Manifest, unknown: &fields::Unknown) -> Finding {
    let finding = error(manifest, &unknown.path, &format!("unknown field {:?}", unknown.path));
    match &unknown.meant {
        fields::Meant::Misspelt(name) => finding.remedy(format!("did you mean {name:?}?")),
        fields::Meant::Elsewhere(path) => {
            finding.because("it stands in the wrong place").remedy(format!("write it as {path}"))
        }
        fields::Meant::Nothing(known) => finding.remedy(format!("here may stand {known}")),
    }
}

/// No object has as many values of a wrong type that somebody would like to read of them.
const MAX_MISFITS: usize = 20;

/// Every value of a wrong type; what is left is what can be looked at further.
fn types(manifest: &Manifest, written: &mut Value, ty: TypeRef, findings: &mut Vec<Finding>) {
    for _ in 0..MAX_MISFITS {
        let wrong = match schema::check(written.clone(), ty, Strictness::Ignore) {
            Ok(decoded) => {
                *written = decoded.object;
                return;
            }
            Err(wrong) => wrong,
        };
        let way = fields::misfit(written, ty);
        findings.push(wrong_type(manifest, &wrong, way.as_deref().map(fields::path_of)));
        let Some(way) = way else { return };
        fields::remove(written, &way);
    }
}

/// `json: cannot unmarshal string into Go struct field JobSpec.spec.completions of type int32`.
fn wrong_type(manifest: &Manifest, wrong: &str, path: Option<String>) -> Finding {
    let place = wrong.split_once("Go struct field ").and_then(|(_, rest)| rest.split_once(" of type "));
    let Some((place, expected)) = place else { return error(manifest, &path.unwrap_or_default(), wrong) };
    let path = path.unwrap_or_else(|| place.split_once('.').map_or(String::new(), |(_, path)| path.to_owned()));
    let found = wrong.strip_prefix("json: cannot unmarshal ").unwrap_or_default();
    let is_scalar = |word: &str| found.starts_with(word);
    let remedy = match expected {
        "string" if is_scalar("number") || is_scalar("bool") => {
            "write it between quotes, as \"1\" or \"true\": it has to be text"
        }
        "int32" | "int64" if is_scalar("string") => "write a whole number, without quotes",
        "bool" => "write true or false, without quotes",
        _ if expected.starts_with("[]") => {
            "write a list: each item on a line of its own after \"- \", or [\"a\", \"b\"]"
        }
        _ if expected.starts_with("map[") => "write a map: lines of KEY: VALUE",
        _ if expected.starts_with("v1.") => "write fields beneath it",
        _ => "",
    };
    let finding = error(manifest, &path, wrong);
    if remedy.is_empty() { finding } else { finding.remedy(remedy) }
}

/// What the kind says of the object, once it is complete as on a server.
fn judge(object: &Object<'_>, findings: &mut Vec<Finding>) {
    let Object { manifest, kind, .. } = object;
    let mut whole = object.written.clone();
    complete(&mut whole, *kind, &object.namespace);
    let mut errors = kind.validate(&whole);
    if meta::object::name(&whole).is_empty() && errors.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    }
    let is_well = errors.is_empty();
    for wrong in errors.into_iter().filter(|wrong| !is_consequence(object, wrong)) {
        let mut finding = error(manifest, &wrong.field, &wrong.to_string());
        if let Some(cause) = of_container(object, &wrong) {
            finding = finding.because(cause);
        }
        findings.push(match remedy(&wrong) {
            Some(remedy) => finding.remedy(remedy),
            None => finding,
        });
    }
    // A server that refuses an object does not warn of it as well.
    for warning in is_well.then(|| kind.warnings(&whole)).into_iter().flatten() {
        let field = warning.split_once(": ").map_or("", |(field, _)| field);
        let field = if field.contains(' ') { "" } else { field };
        findings.push(finding(manifest, Severity::Warning, field, &warning));
    }
}

/// A pod without a restart policy, one of whose containers has one.
fn of_container(object: &Object<'_>, wrong: &FieldError) -> Option<String> {
    let is_it = wrong.reason == Reason::Required && wrong.field.ends_with("template.spec.restartPolicy");
    let containers = pods::of(object).filter(|_| is_it)?.containers();
    let own = containers.map(|container| container.at.field("restartPolicy")).find(At::is_set)?;
    Some(format!("{} is about this container alone", own.path))
}

/// Whether it only follows from another mistake: a volume that is wrong does not count as one that could be mounted.
fn is_consequence(object: &Object<'_>, wrong: &FieldError) -> bool {
    let is_mount = wrong.reason == Reason::NotFound && wrong.field.contains(".volumeMounts[");
    let volumes = pods::of(object).map(|pod| pod.spec.field("volumes"));
    let mut names = volumes.iter().flat_map(At::items).map(|volume| quote(volume.field("name").text()));
    is_mount && names.any(|name| wrong.body.ends_with(&name))
}

/// What a server says of a new object by itself.
fn complete(object: &mut Value, kind: &dyn Kind, namespace: &str) {
    kind.default(object);
    let name = meta::object::name(object).to_owned();
    let prefix = meta::object::text(object, "generateName").to_owned();
    let fields = meta::object::metadata(object);
    if name.is_empty() && !prefix.is_empty() {
        fields.insert("name".into(), format!("{prefix}xxxxx").into());
    }
    match kind.names().scope {
        Scope::Namespaced => fields.insert("namespace".into(), namespace.into()),
        Scope::Cluster => fields.shift_remove("namespace"),
    };
    fields.insert("uid".into(), "00000000-0000-4000-8000-000000000000".into());
    fields.insert("creationTimestamp".into(), "1970-01-01T00:00:00Z".into());
    kind.prepare_create(object);
    kind.default(object);
}

/// What to do about a mistake whose text does not say it.
fn remedy(wrong: &FieldError) -> Option<String> {
    let last = wrong.field.rsplit('.').next().unwrap_or_default();
    let text = match last {
        "schedule" if wrong.body.contains("above maximum (6)") => "days of the week are 0, Sunday, to 6, or SUN to SAT",
        "schedule" => {
            "write five fields: minute hour day-of-month month day-of-week, e.g. \"30 3 * * 1-5\"; or @daily, @every 90m"
        }
        "timeZone" => "use a name of the IANA database, e.g. Europe/Berlin or Etc/UTC; capital letters matter",
        "restartPolicy" if wrong.field.contains("template.") => {
            "write restartPolicy: Never (a failed container ends its pod, the Job makes another) or OnFailure (it is \
             restarted in its pod), beside containers"
        }
        "defaultMode" | "mode" => "modes are octal: write 0755 in YAML, which is 493 in JSON",
        "image" if wrong.reason == Reason::Required => "name an image, e.g. image: busybox:1.36",
        _ if wrong.reason == Reason::Required => return Some(format!("add {}", wrong.field)),
        _ if wrong.reason == Reason::NotFound && wrong.field.contains("volumeMounts") => {
            "add a volume of this name under volumes, beside containers"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
