//! Whom a verb talks to, and about which namespace.

use kinds::{Kind, Scope};

use super::completion;
use super::connect::{self, Target};
use super::objects;
use crate::output::Problem;

/// `-n`, and which server.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Namespace
    #[arg(short, long, value_name = "NAME", add = completion::of_namespaces())]
    pub namespace: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// A server, and the namespace that is meant where none is named.
pub struct Session {
    /// The server's.
    pub client: kube::Client,
    /// Checked for use in a path.
    pub namespace: String,
    /// Whether the command line names it: then objects of another one are a mistake.
    pub is_explicit: bool,
}

impl Place {
    /// For verbs that mean something else by `-n`.
    pub fn of(namespace: Option<String>, target: Target) -> Self {
        Self { namespace, target }
    }

    /// Finds the server.
    pub async fn connect(&self) -> Result<Session, Problem> {
        if let Some(namespace) = &self.namespace {
            objects::check_namespace(namespace)?;
        }
        let client = connect::running(&self.target).await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        objects::check_namespace(&namespace)?;
        Ok(Session { client, namespace, is_explicit: self.namespace.is_some() })
    }
}

impl Session {
    /// Where a kind's objects are: in the namespace, where the kind has any.
    pub fn collection(&self, kind: &dyn Kind) -> String {
        objects::collection(kind, Some(&self.namespace))
    }

    /// Where an object is. Its name is checked.
    pub fn path(&self, kind: &dyn Kind, name: &str) -> Result<String, Problem> {
        objects::check_name(name)?;
        Ok(format!("{}/{name}", self.collection(kind)))
    }

    /// The namespace of an object that a file holds.
    pub fn namespace_of(&self, kind: &dyn Kind, object: &serde_json::Value) -> Result<Option<String>, Problem> {
        if kind.names().scope == Scope::Cluster {
            return Ok(None);
        }
        match object["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty()) {
            None => Ok(Some(self.namespace.clone())),
            Some(own) if self.is_explicit && own != self.namespace => Err(Problem::usage(format!(
                "the namespace from the provided object {own:?} does not match the namespace {:?}",
                self.namespace
            ))
            .remedy(format!("say --namespace={own}, or leave it out"))),
            Some(own) => {
                objects::check_namespace(own)?;
                Ok(Some(own.to_owned()))
            }
        }
    }
}
