//! `kiln create job` and `kiln create cronjob`: what kubectl makes of the same words.

use serde_json::{Value, json};

use super::super::calls::{self, Refusal};
use super::super::objects::{self, kind_named};
use super::{Common, make, named};
use crate::output::{Exit, Problem};

/// A Job
#[derive(Debug, clap::Args)]
pub struct Job {
    /// Its name
    name: String,
    /// Its image
    #[arg(long, required_unless_present = "from", conflicts_with = "from")]
    image: Option<String>,
    /// Take the Job from this CronJob: cronjob/NAME
    #[arg(long, value_name = "CRONJOB")]
    from: Option<String>,
    /// Its command
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// A CronJob
#[derive(Debug, clap::Args)]
pub struct CronJob {
    /// Its name
    name: String,
    /// Its image
    #[arg(long)]
    image: String,
    /// When it runs: "30 3 * * *", "@hourly", "@every 30m"
    #[arg(long)]
    schedule: String,
    /// What happens to a container that ends: OnFailure or Never
    #[arg(long, value_name = "POLICY", default_value = "OnFailure")]
    restart: String,
    /// Its command
    #[arg(last = true)]
    command: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Job {
    pub(super) async fn run(self) -> Result<Exit, Problem> {
        let object = match (&self.from, &self.image) {
            (Some(from), _) if !self.command.is_empty() => {
                return Err(Problem::usage("cannot specify --from and command")
                    .remedy(format!("leave out the command: it is {from}'s")));
            }
            (Some(from), _) => from_cron_job(&self.name, &self.cron_job(from).await?),
            (None, image) => {
                let spec = pod_spec(&self.name, image.as_deref().unwrap_or_default(), &self.command, "Never");
                let spec = json!({ "template": { "metadata": {}, "spec": spec } });
                named("batch/v1", "Job", &self.name, json!({ "spec": spec, "status": {} }))
            }
        };
        make(object, &self.common).await
    }

    async fn cron_job(&self, from: &str) -> Result<Value, Problem> {
        let misnamed = || {
            Problem::usage(format!("--from {from:?} is not cronjob/NAME"))
                .remedy("name it like this: --from=cronjob/nightly")
        };
        let (word, name) = from.split_once('/').ok_or_else(misnamed)?;
        let kind = kind_named(word)?;
        if kind.names().kind != "CronJob" {
            return Err(misnamed());
        }
        objects::check_name(name)?;
        let session = self.common.place.connect().await?;
        calls::get(&session.client, &session.path(kind, name)?).await.map_err(Refusal::problem)
    }
}

impl CronJob {
    pub(super) fn object(&self) -> Result<Value, Problem> {
        let spec = pod_spec(&self.name, &self.image, &self.command, &self.restart);
        let job =
            json!({ "metadata": { "name": self.name }, "spec": { "template": { "metadata": {}, "spec": spec } } });
        let spec = json!({ "schedule": self.schedule, "jobTemplate": job });
        Ok(named("batch/v1", "CronJob", &self.name, json!({ "spec": spec, "status": {} })))
    }
}

fn pod_spec(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({ "name": name, "image": image, "resources": {} });
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    json!({ "containers": [container], "restartPolicy": restart })
}

/// The Job that a CronJob would start, started by hand. It is the CronJob's, and goes with it.
pub(in crate::commands) fn from_cron_job(name: &str, cron_job: &Value) -> Value {
    let template = &cron_job["spec"]["jobTemplate"];
    let mut annotations = json!({ "cronjob.kubernetes.io/instantiate": "manual" });
    if let (Some(all), Some(own)) = (annotations.as_object_mut(), template["metadata"]["annotations"].as_object()) {
        all.extend(own.clone());
    }
    let owner = json!({ "apiVersion": "batch/v1", "kind": "CronJob", "name": meta::object::name(cron_job),
        "uid": meta::object::uid(cron_job), "controller": true });
    let mut metadata = json!({ "name": name, "annotations": annotations, "ownerReferences": [owner] });
    if template["metadata"]["labels"].is_object() {
        metadata["labels"] = template["metadata"]["labels"].clone();
    }
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"], "status": {} })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_from_a_cron_job_is_its_own() {
        let cron_job = json!({ "metadata": { "name": "nightly", "uid": "u" }, "spec": { "jobTemplate": {
            "metadata": { "labels": { "a": "b" }, "annotations": { "c": "d" } }, "spec": { "backoffLimit": 1 } } } });
        let job = from_cron_job("now", &cron_job);
        assert_eq!(job["metadata"]["annotations"], json!({ "cronjob.kubernetes.io/instantiate": "manual", "c": "d" }));
        assert_eq!(job["metadata"]["labels"], json!({ "a": "b" }));
        assert_eq!(job["spec"], json!({ "backoffLimit": 1 }));
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], "u");
    }
}
