//! The objects that a verb is to change: named by words or files, or chosen by selectors.

use kinds::{Kind, Scope};
use serde_json::Value;

use super::calls::{self, Refusal};
use super::choice::{self, Wanted};
use super::manifests::Files;
use super::objects::{self, kind_of};
use super::session::Session;
use super::writes::Failures;
use crate::output::Problem;

/// Options that choose.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selectors {
    #[command(flatten)]
    pub files: Files,
    /// Objects with these labels: a=b,c!=d,e in (f,g),!h
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "all")]
    pub selector: Option<String>,
    /// Objects with these fields: metadata.name=x,status.phase=Failed
    #[arg(long, value_name = "SELECTOR")]
    pub field_selector: Option<String>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// In all namespaces, with -l or --all
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its kind.
    pub kind: &'static dyn Kind,
    /// Its namespace, if its kind has any.
    pub namespace: Option<String>,
    /// Its name, checked.
    pub name: String,
    /// As it was found, where it had to be looked for.
    pub found: Option<Value>,
}

impl Object {
    /// Where it is.
    pub fn path(&self) -> String {
        format!("{}/{}", objects::collection(self.kind, self.namespace.as_deref()), self.name)
    }

    /// `job.batch/pi`
    pub fn title(&self) -> String {
        format!("{}/{}", objects::qualified(self.kind), self.name)
    }

    /// The object as it is now.
    pub async fn read(&self, client: &kube::Client) -> Result<Value, Problem> {
        match &self.found {
            Some(found) => Ok(found.clone()),
            None => calls::get(client, &self.path()).await.map_err(Refusal::problem),
        }
    }
}

impl Selectors {
    /// Whether a selector chooses.
    pub fn is_choosing(&self) -> bool {
        self.all || self.selector.is_some() || self.field_selector.is_some()
    }

    /// The objects that words and options mean. Those of files that cannot be meant are failures, and do not keep the verb
    /// from the others.
    pub async fn find(
        &self,
        words: &[String],
        session: &Session,
        failures: &mut Failures,
    ) -> Result<Vec<Object>, Problem> {
        if !self.files.files.is_empty() {
            let objects = self.of_files(words)?;
            return Ok(objects.iter().filter_map(|object| failures.keep(from_file(object, session))).collect());
        }
        let wanted = choice::parse(words)?;
        let mut found = Vec::new();
        for wanted in &wanted {
            found.extend(self.of_a_kind(wanted, session).await?);
        }
        Ok(found)
    }

    /// The objects of the files, those that the label selector leaves.
    fn of_files(&self, words: &[String]) -> Result<Vec<Value>, Problem> {
        let refused = |what: &str| Err(Problem::usage(what).remedy("leave one of them out"));
        if !words.is_empty() {
            return refused("objects are named either by -f or by words");
        }
        if self.field_selector.is_some() {
            return refused("-f names objects, and --field-selector chooses among those of a type");
        }
        with_labels(self.files.read()?, self.selector.as_deref())
    }

    async fn of_a_kind(&self, wanted: &Wanted, session: &Session) -> Result<Vec<Object>, Problem> {
        let kind = wanted.kind;
        let is_namespaced = kind.names().scope == Scope::Namespaced;
        let namespace = (is_namespaced && !self.all_namespaces).then(|| session.namespace.clone());
        match (wanted.names.is_empty(), self.is_choosing()) {
            (false, true) => {
                return Err(Problem::usage("name cannot be provided when a selector is specified")
                    .remedy("leave out the names, or the selector"));
            }
            (false, false) if self.all_namespaces => {
                return Err(Problem::usage("a resource cannot be retrieved by name across all namespaces")
                    .remedy("name its namespace with -n"));
            }
            (false, false) => {
                let object =
                    |name: &String| Object { kind, namespace: namespace.clone(), name: name.clone(), found: None };
                return Ok(wanted.names.iter().map(object).collect());
            }
            (true, false) => {
                return Err(Problem::usage("resource(s) were provided, but no name was specified")
                    .remedy(format!("name the {}, or give -l SELECTOR or --all", kind.names().plural)));
            }
            (true, true) => {}
        }
        let text = |selector: &Option<String>| selector.clone().unwrap_or_default();
        let (labels, fields) = (text(&self.selector), text(&self.field_selector));
        let query = [("labelSelector", labels.as_str()), ("fieldSelector", fields.as_str())];
        let path = calls::path(&objects::collection(kind, namespace.as_deref()), &query);
        let answer = calls::get(&session.client, &path).await.map_err(Refusal::problem)?;
        let items = objects::items(kind, answer)?.into_iter().map(|item| Object {
            kind,
            namespace: is_namespaced.then(|| meta::object::namespace(&item).to_owned()),
            name: meta::object::name(&item).to_owned(),
            found: Some(item),
        });
        Ok(items.collect())
    }
}

/// Those with these labels, as kubectl chooses among the objects of files.
pub fn with_labels(mut objects: Vec<Value>, selector: Option<&str>) -> Result<Vec<Value>, Problem> {
    let Some(selector) = selector else { return Ok(objects) };
    let parsed = meta::selector::LabelSelector::parse(selector).map_err(|cause| {
        Problem::usage(format!("{selector:?} is not a label selector"))
            .because(cause)
            .remedy("write one like this: -l a=b,c!=d")
    })?;
    objects.retain(|object| {
        let labels = &object["metadata"]["labels"];
        parsed.matches(|key| labels.get(key).and_then(Value::as_str))
    });
    Ok(objects)
}

/// An object of a file, by its name.
pub fn from_file(object: &Value, session: &Session) -> Result<Object, Problem> {
    let kind = kind_of(object).ok_or_else(|| objects::not_served(object))?;
    let name = meta::object::name(object).to_owned();
    if name.is_empty() {
        return Err(Problem::failed("resource name may not be empty"));
    }
    objects::check_name(&name)?;
    Ok(Object { kind, namespace: session.namespace_of(kind, object)?, name, found: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str =
        "kind: A\nmetadata: {labels: {app: a}}\n---\nkind: B\nmetadata: {labels: {app: b, n: '1'}}\n---\nkind: C\n";

    fn of(selector: Selectors, words: &[String]) -> Result<Vec<String>, u8> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.yaml");
        std::fs::write(&file, TWO).unwrap();
        let files = Files { files: vec![file], recursive: false };
        let found = Selectors { files, ..selector }.of_files(words).map_err(|problem| problem.exit.code())?;
        Ok(found.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn selectors_choose_among_the_objects_of_a_file() {
        for (selector, expect) in [
            (None, Ok(&["A", "B", "C"][..])),
            (Some("app=a"), Ok(&["A"])),
            (Some("app!=a"), Ok(&["B", "C"])),
            (Some("app in (a,b),n"), Ok(&["B"])),
            (Some("app=none"), Ok(&[])),
            (Some("app in ("), Err(2)),
        ] {
            let chosen = of(Selectors { selector: selector.map(str::to_owned), ..Selectors::default() }, &[]);
            let expect = expect.map(|kinds| kinds.iter().map(|kind| (*kind).to_owned()).collect());
            assert_eq!(chosen, expect, "{selector:?}");
        }
    }

    #[test]
    fn what_a_file_names_is_not_named_otherwise_too() {
        // kubectl takes --all for all of the file's.
        assert_eq!(of(Selectors { all: true, ..Selectors::default() }, &[]).map(|all| all.len()), Ok(3));
        let fields = Some("metadata.name=x".to_owned());
        assert_eq!(of(Selectors { field_selector: fields, ..Selectors::default() }, &[]), Err(2));
        assert_eq!(of(Selectors::default(), &["jobs".into()]), Err(2));
    }
}
