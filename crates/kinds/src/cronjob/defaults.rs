//! What a CronJob means where it says nothing (K:pkg/apis/batch/v1/defaults.go). Its Jobs get their own defaults when
//! they are made.

use crate::at::set_default;
use crate::pod::defaults::default_template;
use serde_json::Value;

/// Fills in defaults. Idempotent.
pub(super) fn default(cronjob: &mut Value) {
    let Some(spec) = cronjob.get_mut("spec") else { return };
    set_default(spec, "concurrencyPolicy", "Allow");
    set_default(spec, "suspend", false);
    set_default(spec, "successfulJobsHistoryLimit", 3);
    set_default(spec, "failedJobsHistoryLimit", 1);
    let Some(job_template) = spec.get_mut("jobTemplate") else { return };
    if job_template["metadata"]["creationTimestamp"].is_null()
        && let Some(Value::Object(metadata)) = job_template.get_mut("metadata")
    {
        metadata.shift_remove("creationTimestamp");
    }
    if let Some(template) = job_template.get_mut("spec").and_then(|spec| spec.get_mut("template")) {
        default_template(template);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_job_template_gets_a_pods_defaults_but_not_a_jobs() {
        let mut cronjob = json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"metadata": {"creationTimestamp": null},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}}});
        default(&mut cronjob);
        let spec = &cronjob["spec"];
        assert_eq!(spec["concurrencyPolicy"], "Allow");
        assert_eq!(spec["suspend"], false);
        assert_eq!(spec["successfulJobsHistoryLimit"], 3);
        assert_eq!(spec["failedJobsHistoryLimit"], 1);
        assert_eq!(spec["jobTemplate"]["metadata"], json!({}));
        let job_spec = &spec["jobTemplate"]["spec"];
        assert!(job_spec["backoffLimit"].is_null());
        assert_eq!(job_spec["template"]["spec"]["dnsPolicy"], "ClusterFirst");
        let once = cronjob.clone();
        default(&mut cronjob);
        assert_eq!(cronjob, once, "defaulting twice changes nothing");
    }
}
