//! `kiln auth`: what one may do, and who one is.

use serde_json::{Value, json};

use super::calls::{self, JSON, Payload, Refusal};
use super::objects;
use super::session::{Place, Session};
use crate::output::{self, Exit, Problem, tabs};

/// Say what one may do
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say whether one may do something: yes or no, and exit code 1 for no
    CanI(CanI),
    /// Say whom the server takes one for
    Whoami(Whoami),
}

#[derive(Debug, clap::Args)]
struct CanI {
    /// VERB TYPE, VERB TYPE/NAME, VERB TYPE NAME or VERB /PATH: create jobs, get pods/x, get pods --subresource=log, get /healthz
    #[arg(value_name = "WHAT", required_unless_present = "list", num_args = 2..=3, conflicts_with = "list")]
    what: Vec<String>,
    /// All that one may do in the namespace
    #[arg(long)]
    list: bool,
    /// A part of objects: log, status, exec
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only the exit code
    #[arg(short, long)]
    quiet: bool,
    /// No headings
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Whoami {
    #[command(flatten)]
    place: Place,
}

/// Asks and answers.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    match arguments.what {
        What::CanI(arguments) => can_i(arguments).await,
        What::Whoami(arguments) => whoami(&arguments.place.connect().await?).await,
    }
}

async fn review(session: &Session, group: &str, plural: &str, kind: &str, spec: Value) -> Result<Value, Problem> {
    let body = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec}).to_string();
    let payload = Payload { content_type: JSON, body: body.as_bytes() };
    let path = format!("/apis/{group}/v1/{plural}");
    let mut answer = calls::json(&session.client, "POST", &path, JSON, payload).await.map_err(Refusal::problem)?;
    Ok(answer["status"].take())
}

const AUTHORIZATION: &str = "authorization.k8s.io";

async fn can_i(arguments: CanI) -> Result<Exit, Problem> {
    let session = arguments.place.connect().await?;
    if arguments.list {
        let spec = json!({"namespace": session.namespace});
        let rules = review(&session, AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview", spec).await?;
        output::print(&rules_text(&rules, !arguments.no_headers))?;
        return Ok(Exit::Success);
    }
    let namespace = if arguments.all_namespaces { "" } else { &session.namespace };
    let spec = attributes(&arguments.what, arguments.subresource.as_deref(), namespace)?;
    let status = review(&session, AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview", spec).await?;
    let is_allowed = status["allowed"] == true;
    if !arguments.quiet {
        output::print(&answer(&status, is_allowed))?;
    }
    Ok(if is_allowed { Exit::Success } else { Exit::Failed })
}

/// `yes`, `no`, or `no - REASON`.
fn answer(status: &Value, is_allowed: bool) -> String {
    if is_allowed {
        return "yes\n".to_owned();
    }
    let reasons = ["reason", "evaluationError"].map(|field| status[field].as_str().unwrap_or_default());
    let reasons = reasons.into_iter().filter(|reason| !reason.is_empty()).map(|reason| format!(" - {reason}"));
    format!("no{}\n", reasons.collect::<String>())
}

/// The spec of a SelfSubjectAccessReview.
fn attributes(what: &[String], subresource: Option<&str>, namespace: &str) -> Result<Value, Problem> {
    let [verb, target, name @ ..] = what else {
        return Err(Problem::usage(
            "you must specify two or three arguments: verb, resource, and optional resourceName",
        )
        .remedy("e.g. kiln auth can-i create jobs"));
    };
    if target.starts_with('/') {
        return Ok(json!({"nonResourceAttributes": {"path": target, "verb": verb}}));
    }
    let (word, in_word) = target.split_once('/').map_or((target.as_str(), None), |(word, name)| (word, Some(name)));
    let name = name.first().map(String::as_str).or(in_word).unwrap_or_default();
    let (group, resource) = match word {
        "*" => ("*".to_owned(), "*".to_owned()),
        // What kiln does not know (`images.kiln.dev`) may be asked of too.
        _ => match objects::kind_named(word) {
            Ok(kind) => (kind.names().group.to_owned(), kind.names().plural.to_owned()),
            Err(unknown) => match word.split_once('.') {
                Some((resource, group)) => (group.to_owned(), resource.to_owned()),
                None => return Err(unknown),
            },
        },
    };
    let mut attributes = json!({"namespace": namespace, "verb": verb, "group": group, "resource": resource});
    for (field, value) in [("subresource", subresource.unwrap_or_default()), ("name", name)] {
        if !value.is_empty() {
            attributes[field] = value.into();
        }
    }
    Ok(json!({"resourceAttributes": attributes}))
}

/// One resource or path, and what may be done with it.
#[derive(Debug, Clone, PartialEq)]
struct Grant {
    verbs: Vec<String>,
    /// Group, resource and perhaps a name.
    resource: Option<(String, String, Option<String>)>,
    path: Option<String>,
}

impl Grant {
    /// kubectl sorts by how Go writes a rule.
    fn key(&self) -> String {
        let (group, resource, name) = self.resource.clone().unwrap_or_default();
        let (verbs, name, path) =
            (self.verbs.join(" "), name.unwrap_or_default(), self.path.clone().unwrap_or_default());
        format!("{verbs}],APIGroups:[{group}],Resources:[{resource}],ResourceNames:[{name}],NonResourceURLs:[{path}]")
    }

    fn row(&self) -> String {
        let resource = match &self.resource {
            Some((group, resource, _)) if group.is_empty() => resource.clone(),
            Some((group, resource, _)) => format!("{resource}.{group}"),
            None => String::new(),
        };
        let name = self.resource.as_ref().and_then(|(_, _, name)| name.as_deref()).unwrap_or_default();
        let path = self.path.as_deref().unwrap_or_default();
        format!("{resource}\t[{path}]\t[{name}]\t[{}]\n", self.verbs.join(" "))
    }
}

/// What the rules grant, one by one; the verbs of a resource together (K:pkg/registry/rbac/validation/policy_compact.go).
fn grants(rules: &Value) -> Vec<Grant> {
    let list = |rule: &Value, field: &str| -> Vec<String> {
        let texts = rule[field].as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let mut grants: Vec<Grant> = Vec::new();
    for rule in rules["resourceRules"].as_array().into_iter().flatten() {
        let names = list(rule, "resourceNames").into_iter().map(Some);
        let names: Vec<Option<String>> = if names.len() == 0 { vec![None] } else { names.collect() };
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for name in &names {
                    let of = Some((group.clone(), resource.clone(), name.clone()));
                    let new: Vec<String> = list(rule, "verbs");
                    match grants.iter_mut().find(|grant| grant.resource == of) {
                        Some(grant) => grant
                            .verbs
                            .extend(new.into_iter().filter(|verb| !grant.verbs.contains(verb)).collect::<Vec<_>>()),
                        None => grants.push(Grant { verbs: new, resource: of, path: None }),
                    }
                }
            }
        }
    }
    for rule in rules["nonResourceRules"].as_array().into_iter().flatten() {
        for path in list(rule, "nonResourceURLs") {
            let each = list(rule, "verbs").into_iter();
            grants.extend(each.map(|verb| Grant { verbs: vec![verb], resource: None, path: Some(path.clone()) }));
        }
    }
    grants.sort_by_key(Grant::key);
    grants
}

fn rules_text(rules: &Value, has_headings: bool) -> String {
    let headings = if has_headings { "Resources\tNon-Resource URLs\tResource Names\tVerbs\n" } else { "" };
    let rows: String = grants(rules).iter().map(Grant::row).collect();
    tabs::align(&format!("{headings}{rows}"), tabs::TABLE)
}

async fn whoami(session: &Session) -> Result<Exit, Problem> {
    let review = review(session, "authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", json!({})).await?;
    let user = &review["userInfo"];
    let mut text = "ATTRIBUTE\tVALUE\n".to_owned();
    for (label, field) in [("Username", "username"), ("UID", "uid")] {
        if let Some(value) = user[field].as_str().filter(|value| !value.is_empty()) {
            text.push_str(&format!("{label}\t{value}\n"));
        }
    }
    let groups: Vec<&str> = user["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !groups.is_empty() {
        text.push_str(&format!("Groups\t[{}]\n", groups.join(" ")));
    }
    for (key, values) in user["extra"].as_object().into_iter().flatten() {
        let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        text.push_str(&format!("Extra: {key}\t[{}]\n", values.join(" ")));
    }
    output::print(&tabs::align(&text, tabs::TABLE))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_as_kubectl_reads_it() {
        let asked = |line: &str, subresource| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            attributes(&words, subresource, "n")
        };
        let of = |group: &str, resource: &str| json!({"namespace": "n", "verb": "get", "group": group, "resource": resource});
        assert_eq!(asked("get jobs", None).unwrap(), json!({"resourceAttributes": of("batch", "jobs")}));
        let mut log = of("", "pods");
        log["subresource"] = "log".into();
        log["name"] = "x".into();
        assert_eq!(asked("get pods/x", Some("log")).unwrap(), json!({"resourceAttributes": log}));
        assert_eq!(asked("get po x", Some("log")).unwrap(), json!({"resourceAttributes": log}));
        assert_eq!(
            asked("get images.kiln.dev", None).unwrap(),
            json!({"resourceAttributes": of("kiln.dev", "images")})
        );
        assert_eq!(asked("get *", None).unwrap(), json!({"resourceAttributes": of("*", "*")}));
        assert_eq!(
            asked("get /healthz", None).unwrap(),
            json!({"nonResourceAttributes": {"path": "/healthz", "verb": "get"}})
        );
        assert!(asked("get jibs", None).unwrap_err().what.contains("doesn't have a resource type"));
        assert!(asked("get", None).unwrap_err().what.contains("two or three arguments"));
    }

    #[test]
    fn answers_say_why() {
        assert_eq!(answer(&json!({"reason": "a rule"}), true), "yes\n");
        assert_eq!(answer(&json!({"reason": "no rule"}), false), "no - no rule\n");
    }
}
