//! What a Job's spec asks for, as far as it decides, and what that makes of a failed pod.

use crate::job::pods::{Phase, PodFacts};
use crate::job::policy::{Verdict, judge};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::{Job, JobSpec, PodFailurePolicy, SuccessPolicy};

/// The fields of the spec that decide, with their defaults.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) parallelism: i64,
    /// `None`: a work queue, done when one pod succeeded and none is active.
    pub(super) completions: Option<i64>,
    pub(super) is_indexed: bool,
    pub(super) backoff_limit: i64,
    /// backoffLimitPerIndex: how often an index may fail and be tried again.
    pub(super) limit_per_index: Option<u32>,
    pub(super) max_failed_indexes: Option<i64>,
    pub(super) success_policy: Option<&'a SuccessPolicy>,
    failure_policy: Option<&'a PodFailurePolicy>,
    /// Stands in the texts of the failure policy.
    namespace: &'a str,
    pub(super) active_deadline: Option<SignedDuration>,
    pub(super) suspended: bool,
    pub(super) restarts_in_place: bool,
    /// podReplacementPolicy Failed: a pod being deleted is neither failed nor replaced until it is terminal.
    pub(super) replaces_only_failed: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(job: &'a Job, spec: &'a JobSpec) -> Self {
        let pod = spec.template.spec.as_ref();
        Self {
            parallelism: i64::from(spec.parallelism.unwrap_or(1)),
            completions: spec.completions.map(i64::from),
            is_indexed: spec.completion_mode.as_deref() == Some("Indexed"),
            backoff_limit: i64::from(spec.backoff_limit.unwrap_or(match spec.backoff_limit_per_index {
                Some(_) => i32::MAX,
                None => 6,
            })),
            limit_per_index: spec.backoff_limit_per_index.map(|limit| u32::try_from(limit).unwrap_or(0)),
            max_failed_indexes: spec.max_failed_indexes.map(i64::from),
            success_policy: spec.success_policy.as_ref(),
            failure_policy: spec.pod_failure_policy.as_ref(),
            namespace: job.metadata.namespace.as_deref().unwrap_or_default(),
            active_deadline: spec.active_deadline_seconds.map(SignedDuration::from_secs),
            suspended: spec.suspend.unwrap_or(false),
            restarts_in_place: pod.is_some_and(|pod| pod.restart_policy.as_deref() == Some("OnFailure")),
            // The server writes this default into the object as well; without it a policy could not see how pods end.
            replaces_only_failed: match spec.pod_replacement_policy.as_deref() {
                Some(policy) => policy == "Failed",
                None => spec.pod_failure_policy.is_some(),
            },
        }
    }

    pub(super) fn counts_as_failed(&self, pod: &PodFacts) -> bool {
        // A deleted pod may never get to report a phase, so it counts as failed at once unless the user asked otherwise.
        pod.phase == Phase::Failed || (!self.replaces_only_failed && pod.deleted && pod.phase != Phase::Succeeded)
    }

    fn judged(&self, failed: &PodFacts) -> Verdict {
        judge(self.failure_policy, self.namespace, failed)
    }

    /// The failed pod does not count, by the failure policy.
    pub(super) fn is_ignored(&self, failed: &PodFacts) -> bool {
        self.judged(failed) == Verdict::Ignore
    }

    /// The pod has failed, and its index may not be tried again.
    pub(super) fn fails_index(&self, pod: &PodFacts) -> bool {
        if !self.counts_as_failed(pod) {
            return false;
        }
        match self.judged(pod) {
            Verdict::FailIndex => true,
            Verdict::Ignore => false,
            Verdict::Count | Verdict::FailJob(_) => {
                self.limit_per_index.is_some_and(|limit| limit <= pod.index_failures.counted)
            }
        }
    }

    /// The text of the first pod that the failure policy fails the whole Job for.
    pub(super) fn fails_job(&self, pods: &[&PodFacts]) -> Option<String> {
        self.failure_policy?;
        let failed = pods.iter().filter(|pod| self.counts_as_failed(pod));
        failed.into_iter().find_map(|pod| match self.judged(pod) {
            Verdict::FailJob(text) => Some(text),
            Verdict::Count | Verdict::Ignore | Verdict::FailIndex => None,
        })
    }

    pub(super) fn is_reached(&self, n_succeeded: i64) -> bool {
        match self.completions {
            Some(completions) => completions <= n_succeeded,
            None => 0 < n_succeeded,
        }
    }
}
