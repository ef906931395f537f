//! The objects that a verb is to change: named by words or files, or chosen by selectors.

use kinds::{Kind, Scope};
use serde_json::Value;

use super::calls::{self, Refusal};
use super::choice::{self, Wanted};
use super::manifests::Files;
use super::objects::{self, kind_of};
use super::session::Session;
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

    /// The objects that words and options mean.
    pub async fn find(&self, words: &[String], session: &Session) -> Result<Vec<Object>, Problem> {
        if !self.files.files.is_empty() {
            if !words.is_empty() {
                return Err(
                    Problem::usage("objects are named either by -f or by words").remedy("leave one of them out")
                );
            }
            let objects = self.files.read()?;
            return objects.iter().map(|object| from_file(object, session)).collect();
        }
        let wanted = choice::parse(words)?;
        let mut found = Vec::new();
        for wanted in &wanted {
            found.extend(self.of_a_kind(wanted, session).await?);
        }
        Ok(found)
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
        let items = objects::items(kind, answer).into_iter().map(|item| Object {
            kind,
            namespace: is_namespaced.then(|| meta::object::namespace(&item).to_owned()),
            name: meta::object::name(&item).to_owned(),
            found: Some(item),
        });
        Ok(items.collect())
    }
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
