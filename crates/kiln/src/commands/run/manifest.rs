//! What `kiln run` is to run: the documents of a file, or a Job made from an image and a command.

use std::path::Path;

use serde_json::{Value, json};

use crate::commands::manifests;
use crate::commands::objects::kind_of;
use crate::output::Problem;

/// A Job and what it needs beside it.
#[derive(Debug, PartialEq)]
pub struct Manifest {
    /// The Job, as written.
    pub job: Value,
    /// ConfigMaps, Secrets, …: made before the Job, in the file's order.
    pub others: Vec<Value>,
}

/// What `--image` and its companions say.
#[derive(Debug, Default)]
pub struct FromImage {
    /// The image.
    pub image: String,
    /// The command and its arguments; empty runs the image's own.
    pub command: Vec<String>,
    /// `K=V` pairs.
    pub env: Vec<String>,
    /// The Job's name.
    pub name: Option<String>,
    /// Retries; 0 unless asked for.
    pub backoff_limit: Option<u32>,
}

/// Reads a YAML or JSON file (`-` is standard input) that holds one Job and whatever it needs.
pub fn read(path: &Path) -> Result<Manifest, Problem> {
    parse(&manifests::text(path)?, &path.display().to_string())
}

/// Parses a manifest; `source` names it in errors.
pub fn parse(text: &str, source: &str) -> Result<Manifest, Problem> {
    let objects = manifests::documents(text, source)?.into_iter();
    let (jobs, others): (Vec<Value>, Vec<Value>) = objects.partition(|object| object["kind"] == "Job");
    let count = jobs.len();
    if count == 0 {
        return Err(Problem::usage(format!("{source} holds no Job"))
            .remedy("give a manifest with `kind: Job`, e.g. examples/pi-job.yaml, or use --image"));
    }
    let Ok([job]) = <[Value; 1]>::try_from(jobs) else {
        return Err(Problem::usage(format!("{source} holds {count} Jobs, and `kiln run` runs one"))
            .remedy("split the file, or start a server (kiln up) and apply it with kubectl"));
    };
    if let Some(stranger) = others.iter().find(|object| kind_of(object).is_none()) {
        let (version, kind) =
            (stranger["apiVersion"].as_str().unwrap_or("?"), stranger["kind"].as_str().unwrap_or("?"));
        return Err(Problem::usage(format!("{source} holds a {kind} ({version}), which kiln does not serve")));
    }
    Ok(Manifest { job, others })
}

/// The names and values of `--env`.
pub fn pairs(env: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let pair = |pair: &String| match pair.split_once('=').filter(|(name, _)| !name.is_empty()) {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Problem::usage(format!("--env {pair:?} is not of the form NAME=VALUE"))
            .remedy("write it like this: --env DAY=2026-01-31")),
    };
    env.iter().map(pair).collect()
}

/// Makes a Job from an image and a command.
pub fn from_image(given: &FromImage) -> Result<Manifest, Problem> {
    let env = pairs(&given.env)?;
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let base = given.image.rsplit('/').next().unwrap_or("job");
    let base = base.split([':', '@']).next().unwrap_or("job").to_lowercase();
    let metadata = match &given.name {
        Some(name) => json!({ "name": name }),
        None => json!({ "generateName": format!("{base}-") }),
    };
    let mut container = json!({ "name": "main", "image": given.image });
    if !env.is_empty() {
        container["env"] = Value::Array(env);
    }
    if !given.command.is_empty() {
        container["command"] = json!(given.command);
    }
    let spec = json!({
        "backoffLimit": given.backoff_limit.unwrap_or(0),
        "template": { "spec": { "restartPolicy": "Never", "containers": [container] } },
    });
    let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec });
    Ok(Manifest { job, others: Vec::new() })
}

/// Puts `--name`, `--env` and `--backoff-limit` into a Job that came from a file.
pub fn overlay(job: &mut Value, given: &FromImage) -> Result<(), Problem> {
    if let Some(name) = &given.name {
        job["metadata"]["name"] = json!(name);
    }
    if let Some(limit) = given.backoff_limit {
        match &mut job["spec"] {
            spec @ Value::Null => *spec = json!({ "backoffLimit": limit }),
            Value::Object(spec) => drop(spec.insert("backoffLimit".into(), json!(limit))),
            // The server says what is wrong with it.
            _ => {}
        }
    }
    let extra = from_image(&FromImage { image: "x".into(), env: given.env.clone(), ..FromImage::default() })?;
    let extra = extra.job["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let containers = job.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    let containers = containers.into_iter().flatten().filter_map(Value::as_object_mut);
    for container in containers.filter(|_| !extra.is_empty()) {
        let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
        env.retain(|old| extra.iter().all(|new| new["name"] != old["name"]));
        env.extend(extra.iter().cloned());
        container.insert("env".into(), Value::Array(env));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_a_config_map_beside_its_job() {
        let text = "kind: ConfigMap\napiVersion: v1\ndata: {a: b}\n---\nkind: Job\napiVersion: batch/v1\n";
        let manifest = parse(text, "x.yaml").unwrap();
        assert_eq!(manifest.job["apiVersion"], "batch/v1");
        assert_eq!(manifest.others.len(), 1);
    }

    #[test]
    fn two_jobs_are_refused_with_the_way_out() {
        let problem = parse("kind: Job\n---\nkind: Job\n", "x.yaml").unwrap_err();
        assert_eq!(problem.what, "x.yaml holds 2 Jobs, and `kiln run` runs one");
        assert_eq!(problem.exit.code(), 2);
    }

    #[test]
    fn a_file_without_a_job_is_refused() {
        assert_eq!(parse("kind: Pod\napiVersion: v1\n", "x.yaml").unwrap_err().what, "x.yaml holds no Job");
    }

    #[test]
    fn modes_with_a_leading_zero_are_octal_as_kubectl_reads_them() {
        let manifest = parse("kind: Job\nmode: 0755\n", "x.yaml").unwrap();
        assert_eq!(manifest.job["mode"], 493);
    }

    #[test]
    fn an_image_and_a_command_make_a_job_that_does_not_retry() {
        let given = FromImage {
            image: "docker.io/library/busybox:1.35".into(),
            command: vec!["ls".into()],
            ..FromImage::default()
        };
        let job = from_image(&given).unwrap().job;
        assert_eq!(job["metadata"]["generateName"], "busybox-");
        assert_eq!(job["spec"]["backoffLimit"], 0);
        assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["command"], json!(["ls"]));
    }

    #[test]
    fn odd_jobs_are_left_to_the_server() {
        let given = FromImage { env: vec!["X=1".into()], backoff_limit: Some(2), ..FromImage::default() };
        for text in
            ["spec: x", "spec: []", "spec: {template: []}", "spec: {template: {spec: {containers: [1, x]}}}", "a: b"]
        {
            let mut job = parse(&format!("kind: Job\n{text}"), "x.yaml").unwrap().job;
            overlay(&mut job, &given).unwrap();
        }
    }

    #[test]
    fn env_from_the_command_line_replaces_the_files() {
        let text = "kind: Job\nspec: {template: {spec: {containers: [{name: a, env: [{name: X, value: old}, {name: Z, value: z}]}]}}}";
        let mut job = parse(text, "x.yaml").unwrap().job;
        overlay(&mut job, &FromImage { env: vec!["X=new".into()], ..FromImage::default() }).unwrap();
        let env = &job["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*env, json!([{"name": "Z", "value": "z"}, {"name": "X", "value": "new"}]));
        assert!(overlay(&mut job, &FromImage { env: vec!["=1".into()], ..FromImage::default() }).is_err());
    }
}
