//! `kiln create`: objects from files, or from what the command line says of a Job, a CronJob, a ConfigMap, …

mod sources;
mod workloads;

use clap::Subcommand;
use kinds::Scope;
use serde_json::{Value, json};

use self::sources::Sources;
pub(super) use self::workloads::from_cron_job;
use super::calls::{self, Payload, Refusal};
use super::manifests::Files;
use super::objects::{self, kind_of};
use super::session::{Place, Session};
use super::writes::{DryRun, Failures, Writing};
use crate::output::{Exit, Problem};

const MANAGER: &str = "kubectl-create";

/// Make objects: from files, or by a word for their kind
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    common: Common,
}

/// Options of every form of `create`.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    writing: Writing,
    /// What the server does about unknown fields: strict, warn or ignore
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_value = "strict", default_missing_value = "strict")]
    validate: Validate,
    #[command(flatten)]
    place: Place,
}

/// What happens to unknown fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validate(&'static str);

impl std::str::FromStr for Validate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strict" | "true" => Ok(Self("Strict")),
            "warn" => Ok(Self("Warn")),
            "ignore" | "false" => Ok(Self("Ignore")),
            _ => Err("it is strict, warn or ignore".into()),
        }
    }
}

impl std::fmt::Display for Validate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_lowercase())
    }
}

impl Validate {
    /// For the query of a request.
    pub fn query(self) -> (&'static str, &'static str) {
        ("fieldValidation", self.0)
    }
}

#[derive(Debug, Subcommand)]
enum What {
    /// A Job
    Job(workloads::Job),
    /// A CronJob
    #[command(alias = "cj")]
    Cronjob(workloads::CronJob),
    /// A namespace
    #[command(alias = "ns")]
    Namespace(Plain),
    /// A service account
    #[command(alias = "sa")]
    Serviceaccount(Plain),
    /// A ConfigMap
    #[command(alias = "cm")]
    Configmap(Keyed),
    /// A Secret
    Secret(Secret),
}

/// What has a name and nothing more.
#[derive(Debug, clap::Args)]
struct Plain {
    /// Its name
    name: String,
    #[command(flatten)]
    common: Common,
}

/// What has keys and values.
#[derive(Debug, clap::Args)]
struct Keyed {
    /// Its name
    name: String,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Secret {
    #[command(subcommand)]
    what: SecretKind,
}

#[derive(Debug, Subcommand)]
enum SecretKind {
    /// Of keys and values
    Generic {
        /// Its type
        #[arg(long = "type", value_name = "TYPE")]
        secret_type: Option<String>,
        #[command(flatten)]
        keyed: Keyed,
    },
    /// A certificate and its key
    Tls {
        /// Its name
        name: String,
        /// The certificate, PEM
        #[arg(long, value_name = "FILE")]
        cert: std::path::PathBuf,
        /// Its key, PEM
        #[arg(long, value_name = "FILE")]
        key: std::path::PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A registry's credentials, for imagePullSecrets
    DockerRegistry {
        /// Its name
        name: String,
        /// The registry
        #[arg(long, value_name = "SERVER", default_value = "https://index.docker.io/v1/")]
        docker_server: String,
        /// The user
        #[arg(long, value_name = "NAME")]
        docker_username: String,
        /// The password
        #[arg(long, value_name = "PASSWORD")]
        docker_password: String,
        /// The user's address
        #[arg(long, value_name = "ADDRESS")]
        docker_email: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Makes them, one after the other; what fails does not keep the others from being made.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let Some(what) = arguments.what else {
        return from_files(&arguments.files, &arguments.common).await;
    };
    match what {
        What::Job(job) => job.run().await,
        What::Cronjob(cron_job) => {
            let object = cron_job.object()?;
            make(object, &cron_job.common).await
        }
        What::Namespace(plain) => {
            make(named("v1", "Namespace", &plain.name, json!({ "spec": {}, "status": {} })), &plain.common).await
        }
        What::Serviceaccount(plain) => make(named("v1", "ServiceAccount", &plain.name, json!({})), &plain.common).await,
        What::Configmap(keyed) => {
            let object = named("v1", "ConfigMap", &keyed.name, keyed.sources.config_map()?);
            make(object, &keyed.common).await
        }
        What::Secret(secret) => secret.what.run().await,
    }
}

impl SecretKind {
    async fn run(self) -> Result<Exit, Problem> {
        match self {
            SecretKind::Generic { secret_type, keyed } => {
                let secret = sources::secret(&keyed.sources.values()?, secret_type.as_deref())?;
                make(named("v1", "Secret", &keyed.name, secret), &keyed.common).await
            }
            SecretKind::Tls { name, cert, key, common } => {
                let values = [("tls.crt", &cert), ("tls.key", &key)]
                    .map(|(key, path)| Ok((key.to_owned(), sources::read(path)?)));
                let values = values.into_iter().collect::<Result<Vec<_>, Problem>>()?;
                make(named("v1", "Secret", &name, sources::secret(&values, Some("kubernetes.io/tls"))?), &common).await
            }
            SecretKind::DockerRegistry {
                name,
                docker_server,
                docker_username,
                docker_password,
                docker_email,
                common,
            } => {
                let config =
                    sources::docker_config(&docker_server, &docker_username, &docker_password, docker_email.as_deref());
                let values = [(".dockerconfigjson".to_owned(), config.into_bytes())];
                let secret = sources::secret(&values, Some("kubernetes.io/dockerconfigjson"))?;
                make(named("v1", "Secret", &name, secret), &common).await
            }
        }
    }
}

/// An object with a name, and what else it has.
fn named(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
    if let (Value::Object(object), Value::Object(rest)) = (&mut object, rest) {
        object.extend(rest);
    }
    object
}

/// Makes an object that the command line describes.
async fn make(mut object: Value, common: &Common) -> Result<Exit, Problem> {
    let is_namespaced = kind_of(&object).is_some_and(|kind| kind.names().scope == Scope::Namespaced);
    if let (true, Some(namespace)) = (is_namespaced, &common.place.namespace) {
        objects::check_namespace(namespace)?;
        object["metadata"]["namespace"] = json!(namespace);
    }
    let mut telling = common.writing.telling();
    if common.writing.dry_run == DryRun::Client {
        telling.done(object, "created")?;
        return Ok(Exit::Success);
    }
    let session = common.place.connect().await?;
    telling.done(send(&object, common, &session).await?, "created")?;
    Ok(Exit::Success)
}

async fn from_files(files: &Files, common: &Common) -> Result<Exit, Problem> {
    if files.files.is_empty() {
        return Err(Problem::usage("what is to be made?").remedy(
            "name files with -f, or say it: kiln create job|cronjob|namespace|serviceaccount|configmap|secret",
        ));
    }
    let objects = files.read()?;
    let session = common.place.connect().await?;
    let mut telling = common.writing.telling();
    let mut failures = Failures::default();
    for object in objects {
        let made = match common.writing.dry_run {
            DryRun::Client => placed(object, &session),
            DryRun::No | DryRun::Server => send(&object, common, &session).await,
        };
        if let Some(made) = failures.keep(made) {
            telling.done(made, "created")?;
        }
    }
    failures.end()
}

/// The object, with the namespace that it would come into.
fn placed(mut object: Value, session: &Session) -> Result<Value, Problem> {
    let kind = kind_of(&object).ok_or_else(|| objects::not_served(&object))?;
    if let Some(namespace) = session.namespace_of(kind, &object)? {
        object["metadata"]["namespace"] = json!(namespace);
    }
    Ok(object)
}

async fn send(object: &Value, common: &Common, session: &Session) -> Result<Value, Problem> {
    let kind = kind_of(object).ok_or_else(|| objects::not_served(object))?;
    let namespace = session.namespace_of(kind, object)?;
    let manager = ("fieldManager", common.writing.manager(MANAGER));
    let query = [manager, common.validate.query(), common.writing.dry_run.query()];
    let path = calls::path(&objects::collection(kind, namespace.as_deref()), &query);
    let body = object.to_string();
    let payload = Payload { content_type: calls::JSON, body: body.as_bytes() };
    calls::json(&session.client, "POST", &path, calls::JSON, payload).await.map_err(Refusal::problem)
}
