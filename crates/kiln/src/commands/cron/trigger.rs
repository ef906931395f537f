//! `kiln cron trigger`: a CronJob's Job, now; what `kubectl create job --from` makes, perhaps with other arguments or environment.

use serde_json::{Value, json};

use super::super::calls::{self, Payload, Refusal};
use super::super::completion;
use super::super::create::from_cron_job;
use super::super::objects;
use super::super::run::{pairs, see_through};
use super::super::session::Place;
use super::super::writes::Writing;
use crate::output::{Exit, Problem};

/// The longest part of a generated name that is not generated.
const LONGEST_BASE: usize = 57;

/// Run a CronJob's Job now
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The CronJob: NAME or cronjob/NAME
    #[arg(value_name = "NAME", add = completion::of_cron_jobs())]
    name: String,
    /// Name of the Job [default: NAME-manual- and five letters]
    #[arg(long = "name", value_name = "JOB")]
    job: Option<String>,
    /// Environment variable for its containers, NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The container that arguments after -- are for, and --env; needed for the arguments if there are several
    #[arg(short, long, value_name = "CONTAINER")]
    container: Option<String>,
    /// Show its output and wait for its end; exits with its code
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    place: Place,
    /// Arguments instead of the container's own `args`; its `command` stays
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// Makes the Job.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let name = super::name_of(&arguments.name)?;
    let env = pairs(&arguments.env)?;
    if let Some(job) = &arguments.job {
        objects::check_name(job)?;
    }
    let session = arguments.place.connect().await?;
    let cronjob = super::read(&session, name).await?;
    let mut job = from_cron_job("", &cronjob);
    match &arguments.job {
        Some(job_name) => job["metadata"]["name"] = json!(job_name),
        None => job["metadata"]["generateName"] = json!(format!("{}-", base(name))),
    }
    override_template(
        &mut job["spec"]["template"]["spec"],
        &env,
        &arguments.arguments,
        arguments.container.as_deref(),
    )?;
    if arguments.writing.dry_run == super::super::writes::DryRun::Client {
        arguments.writing.telling().done(job, "created")?;
        return Ok(Exit::Success);
    }
    let kind = objects::kind_named("job")?;
    let manager = arguments.writing.manager("kiln-cron");
    let query = [("fieldManager", manager), ("fieldValidation", "Strict"), arguments.writing.dry_run.query()];
    let path = calls::path(&session.collection(kind), &query);
    let body = job.to_string();
    let payload = Payload { content_type: calls::JSON, body: body.as_bytes() };
    let made = calls::json(&session.client, "POST", &path, calls::JSON, payload).await.map_err(Refusal::problem)?;
    let is_real = arguments.writing.dry_run == super::super::writes::DryRun::No;
    if arguments.wait && is_real {
        eprintln!("{} created", objects::title(&made));
        return see_through(&session.client, &made).await;
    }
    arguments.writing.telling().done(made, "created")?;
    Ok(Exit::Success)
}

/// `nightly-manual`, short enough for what is appended.
fn base(cronjob: &str) -> String {
    const SUFFIX: &str = "-manual";
    let room = LONGEST_BASE - SUFFIX.len();
    let cut: String = cronjob.chars().take(room).collect();
    format!("{}{SUFFIX}", cut.trim_end_matches(['-', '.']))
}

/// Puts environment and arguments into a pod's spec.
fn override_template(
    spec: &mut Value,
    env: &[(String, String)],
    arguments: &[String],
    only: Option<&str>,
) -> Result<(), Problem> {
    let names: Vec<String> = ["containers", "initContainers"]
        .iter()
        .flat_map(|list| spec[*list].as_array().into_iter().flatten())
        .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    let n_containers = spec["containers"].as_array().map_or(0, Vec::len);
    let choose = || format!("choose one with -c: {}", names.join(", "));
    if let Some(only) = only.filter(|only| !names.iter().any(|name| name == only)) {
        return Err(Problem::usage(format!("there is no container {only:?} in the CronJob's pods")).remedy(choose()));
    }
    if !arguments.is_empty() && only.is_none() && n_containers != 1 {
        let problem = Problem::usage(format!("the arguments after -- could be for any of {n_containers} containers"));
        return Err(problem.remedy(choose()));
    }
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            let is_meant = only.is_none_or(|only| container["name"] == only);
            if is_meant {
                override_env(container, env);
            }
            if is_meant && !arguments.is_empty() && (only.is_some() || list == "containers") {
                container["args"] = json!(arguments);
            }
        }
    }
    Ok(())
}

/// Where a variable stands matters to those after it that name it: one that is there keeps its place.
fn override_env(container: &mut Value, env: &[(String, String)]) {
    if env.is_empty() {
        return;
    }
    let mut variables = container["env"].as_array().cloned().unwrap_or_default();
    for (name, value) in env {
        let new = json!({"name": name, "value": value});
        // Of several of one name the last counts.
        match variables.iter_mut().rfind(|old| old["name"] == json!(name)) {
            Some(old) => *old = new,
            None => variables.push(new),
        }
    }
    container["env"] = Value::Array(variables);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({
            "initContainers": [{"name": "prepare"}],
            "containers": [{"name": "main", "command": ["tool"], "args": ["--all"],
                "env": [{"name": "A", "valueFrom": {"fieldRef": {}}}, {"name": "B", "value": "$(A)"}]}],
        })
    }

    fn overridden(mut spec: Value, env: &[&str], arguments: &[&str], only: Option<&str>) -> Result<Value, String> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let env = pairs(&owned(env)).map_err(|problem| problem.render())?;
        override_template(&mut spec, &env, &owned(arguments), only).map_err(|problem| problem.render())?;
        Ok(spec)
    }

    #[test]
    fn environment_goes_to_every_container_and_keeps_its_place() {
        let spec = overridden(pod(), &["A=1", "C=x=y"], &[], None).unwrap();
        let value = |name, value| json!({"name": name, "value": value});
        assert_eq!(spec["containers"][0]["env"], json!([value("A", "1"), value("B", "$(A)"), value("C", "x=y")]));
        assert_eq!(spec["initContainers"][0]["env"], json!([value("A", "1"), value("C", "x=y")]));
        let only = overridden(pod(), &["A=1"], &[], Some("prepare")).unwrap();
        assert_eq!(only["containers"], pod()["containers"]);
    }

    #[test]
    fn arguments_take_the_place_of_the_containers_own() {
        let spec = overridden(pod(), &[], &["--only", "orders"], None).unwrap();
        assert_eq!(spec["containers"][0]["args"], json!(["--only", "orders"]));
        assert_eq!(spec["containers"][0]["command"], json!(["tool"]));
        assert_eq!(spec["initContainers"][0], json!({"name": "prepare"}));
        assert_eq!(overridden(pod(), &[], &[], None).unwrap(), pod());
    }

    #[test]
    fn what_could_be_meant_for_several_is_asked_back() {
        let mut two = pod();
        two["containers"].as_array_mut().unwrap().push(json!({"name": "side"}));
        let error = overridden(two.clone(), &[], &["x"], None).unwrap_err();
        assert!(error.contains("any of 2 containers") && error.contains("-c: main, side, prepare"), "{error}");
        assert_eq!(overridden(two.clone(), &[], &["x"], Some("side")).unwrap()["containers"][1]["args"], json!(["x"]));
        assert!(overridden(two, &[], &[], Some("man")).unwrap_err().contains("no container \"man\""));
        assert!(overridden(pod(), &["A"], &[], None).unwrap_err().contains("--env"));
    }

    #[test]
    fn generated_names_are_not_too_long() {
        assert_eq!(base("nightly"), "nightly-manual");
        assert_eq!(base(&"x".repeat(52)).len(), 57);
        assert_eq!(base(&format!("{}-abc", "x".repeat(49))), format!("{}-manual", "x".repeat(49)));
    }
}
