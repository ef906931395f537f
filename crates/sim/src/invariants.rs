//! What must hold at every moment, looked at after every change in the store, whatever crashed when.

use crate::containers;
use crate::cron::CronLedger;
use agent::runtime::fake::FakeRuntime;
use jiff::SignedDuration;
use kinds::job::indexes::Indexes;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use store::Store;

const FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// Remembers what was true, to see that it stays so.
pub struct Invariants {
    /// What the containers really did.
    runtime: FakeRuntime,
    /// By Job uid: the highest succeeded and failed seen.
    counters: HashMap<String, (i64, i64)>,
    /// By Job uid: every pod uid ever seen.
    pods: HashMap<String, HashSet<String>>,
    /// By Job uid: every pod uid ever seen Succeeded, and whether before anybody deleted it. Somebody may delete such
    /// pods; they stay counted.
    succeeded: HashMap<String, HashMap<String, bool>>,
    /// By Job uid: every pod uid seen Failed and not yet counted, before anybody deleted it.
    failed: HashMap<String, HashSet<String>>,
    /// By Job uid: the indexes that had succeeded and failed when it was last looked at.
    indexes: HashMap<String, (Indexes, Indexes)>,
    /// By Job uid: the parallelism and completions that were asked for, with when.
    asked: HashMap<String, Vec<(SignedDuration, i64, i64)>>,
    cron: CronLedger,
    /// By key: the revision and what was read at it, so that only what changed is read again.
    read: HashMap<Arc<str>, (u64, Arc<Value>)>,
}

impl Invariants {
    /// Nothing has been seen yet.
    pub fn new(runtime: FakeRuntime) -> Self {
        Self {
            runtime,
            counters: HashMap::new(),
            pods: HashMap::new(),
            succeeded: HashMap::new(),
            failed: HashMap::new(),
            indexes: HashMap::new(),
            asked: HashMap::new(),
            cron: CronLedger::default(),
            read: HashMap::new(),
        }
    }

    /// Looks at everything; returns what is wrong. Controllers may act on what was asked for up to `lag` ago.
    pub fn look_at(&mut self, store: &Store, now: SignedDuration, lag: SignedDuration) -> Vec<String> {
        let mut wrong = Vec::new();
        let (jobs, changed_jobs) = self.read(store, "/batch/jobs/");
        let (_, changed_cronjobs) = self.read(store, "/batch/cronjobs/");
        wrong.extend(self.cron.look_at(changed_jobs.iter().map(Arc::as_ref), changed_cronjobs.iter().map(Arc::as_ref)));
        let (pods, changed) = self.read(store, "/core/pods/");
        for pod in changed {
            wrong.extend(containers::check(&pod, &self.runtime));
        }
        let mut owned: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        for pod in pods {
            owned.entry(text(&pod, "/metadata/ownerReferences/0/uid").into()).or_default().push(pod);
        }
        for job in &jobs {
            let uid = text(job, "/metadata/uid");
            let own = owned.remove(uid).unwrap_or_default();
            let seen = self.pods.entry(uid.into()).or_default();
            let n_seen_before = seen.len();
            let is_new = |pod: &&Arc<Value>| !seen.contains(text(pod, "/metadata/uid"));
            let new_pods: Vec<Arc<Value>> = own.iter().filter(is_new).cloned().collect();
            let succeeded = self.succeeded.entry(uid.into()).or_default();
            let failed = self.failed.entry(uid.into()).or_default();
            for pod in &own {
                let is_untouched = pod.pointer("/metadata/deletionTimestamp").is_none() && is_tracked(pod);
                if text(pod, "/status/phase") == "Failed" && is_untouched {
                    failed.insert(text(pod, "/metadata/uid").into());
                }
                let uid = text(pod, "/metadata/uid");
                if !seen.contains(uid) {
                    seen.insert(uid.into());
                }
                if text(pod, "/status/phase") == "Succeeded" && !succeeded.contains_key(uid) {
                    // One that was already being deleted may have been counted as a failure, before it succeeded; one that
                    // had been stopped, and lost its finalizer for that, is not counted at all.
                    succeeded.insert(uid.into(), is_untouched);
                }
            }
            let n_seen = seen.len() as i64;
            let has_new_pods = n_seen_before < seen.len();
            let n_succeeded = succeeded.len() as i64;
            let n_surely = succeeded.values().filter(|is_sure| **is_sure).count() as i64;
            let name = text(job, "/metadata/name");
            let asked = self.most_asked(job, now, lag);
            let found = self.check(job, &own, has_new_pods, n_seen, (n_succeeded, n_surely), asked);
            let of_indexes = self.check_indexes(job, &own, &new_pods);
            wrong.extend(found.into_iter().chain(of_indexes).map(|what| format!("{name}: {what}")));
        }
        wrong
    }

    /// Everything under a prefix, and those of it that are new.
    fn read(&mut self, store: &Store, prefix: &str) -> (Vec<Arc<Value>>, Vec<Arc<Value>>) {
        let (mut all, mut changed) = (Vec::new(), Vec::new());
        for record in store.range(prefix, None, 0).records {
            if let Some((revision, value)) = self.read.get(&record.key)
                && *revision == record.revision
            {
                all.push(value.clone());
                continue;
            }
            let value: Arc<Value> = Arc::new(serde_json::from_slice(&record.value).unwrap_or_default());
            self.read.insert(record.key.clone(), (record.revision, value.clone()));
            changed.push(value.clone());
            all.push(value);
        }
        (all, changed)
    }

    fn check(
        &mut self,
        job: &Value,
        pods: &[Arc<Value>],
        has_new_pods: bool,
        n_seen: i64,
        (n_succeeded_pods, n_surely): (i64, i64),
        (parallelism, completions): (i64, i64),
    ) -> Vec<String> {
        if !matches!(text(job, "/spec/managedBy"), "" | "kubernetes.io/job-controller") {
            // What becomes of it is another controller's business.
            return Vec::new();
        }
        let is_indexed = text(job, "/spec/completionMode") == "Indexed";
        // Fewer completions take what counted beyond them away (KEP-3715).
        let is_elastic = is_indexed && number(job, "/spec/completions") == number(job, "/spec/parallelism");
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        let (succeeded, failed) = (number(job, "/status/succeeded"), number(job, "/status/failed"));
        let before = self.counters.entry(text(job, "/metadata/uid").into()).or_default();
        must(is_elastic || before.0 <= succeeded, format!("succeeded fell from {} to {succeeded}", before.0));
        must(before.1 <= failed, format!("failed fell from {} to {failed}", before.1));
        *before = (succeeded, failed);

        let n_listed = |list: &str| {
            let list = job.pointer(&format!("/status/uncountedTerminatedPods/{list}"));
            list.and_then(Value::as_array).map_or(0, Vec::len) as i64
        };
        must(
            succeeded + n_listed("succeeded") <= n_succeeded_pods,
            format!("counts {succeeded}+{} successes of {n_succeeded_pods} pods", n_listed("succeeded")),
        );
        // What a failing Job believes to be running counts as failed, even if it has just succeeded.
        let n_successes = match has_condition(job, "FailureTarget") {
            true => succeeded + n_listed("succeeded"),
            false => n_surely,
        };
        must(
            failed + n_listed("failed") + n_successes <= n_seen,
            format!(
                "counts {failed}+{} failures, {n_successes} successes, but only {n_seen} pods ever were",
                n_listed("failed")
            ),
        );
        let n_active = pods.iter().filter(|pod| is_active(pod)).count() as i64;
        // Somebody may have lowered the numbers just now; then no pod may be made.
        must(
            !has_new_pods || n_active <= parallelism,
            format!("{n_active} active pods, {parallelism} wanted at a time"),
        );
        if job.pointer("/spec/completions").is_some() && has_new_pods && !is_indexed {
            must(
                n_active + n_surely <= completions,
                format!("{n_active} active and {n_surely} succeeded pods for {completions} completions"),
            );
        }
        if is_finished(job) {
            let n_tracked = pods.iter().filter(|pod| is_tracked(pod)).count();
            must(n_tracked == 0, format!("finished, but {n_tracked} pods keep their finalizer"));
            must(n_active == 0, format!("finished, but {n_active} pods are active"));
            let n_surely_failed = self.failed.get(text(job, "/metadata/uid")).map_or(0, HashSet::len) as i64;
            let counts_all = !is_elastic && job.pointer("/spec/podFailurePolicy").is_none();
            must(
                !counts_all || n_surely_failed <= failed,
                format!("finished with {failed} failures, but {n_surely_failed} pods failed"),
            );
            let is_complete = has_condition(job, "Complete");
            must(
                !is_complete || is_indexed || n_surely <= succeeded,
                format!("complete with {succeeded} successes of {n_surely} to {n_succeeded_pods} pods"),
            );
        }
        wrong
    }
}

impl Invariants {
    /// The largest parallelism and completions that a controller may go by.
    fn most_asked(&mut self, job: &Value, now: SignedDuration, lag: SignedDuration) -> (i64, i64) {
        let asked = self.asked.entry(text(job, "/metadata/uid").into()).or_default();
        let (parallelism, completions) = (number(job, "/spec/parallelism"), number(job, "/spec/completions"));
        if asked.last().is_none_or(|(_, was, were)| (*was, *were) != (parallelism, completions)) {
            asked.push((now, parallelism, completions));
        }
        // What was asked for held until the next was.
        let since = asked.iter().rposition(|(at, ..)| *at <= now - lag).unwrap_or(0);
        let lately = &asked[since..];
        let most = |number: fn(&(SignedDuration, i64, i64)) -> i64| lately.iter().map(number).max().unwrap_or(0);
        (most(|asked| asked.1), most(|asked| asked.2))
    }

    /// What holds of the indexes of an Indexed Job.
    fn check_indexes(&mut self, job: &Value, pods: &[Arc<Value>], new_pods: &[Arc<Value>]) -> Vec<String> {
        if text(job, "/spec/completionMode") != "Indexed" {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let read = |field: &str| Indexes::read(text(job, field), u32::MAX);
        let (succeeded, failed) = (read("/status/completedIndexes"), read("/status/failedIndexes"));
        if 0 < succeeded.n_common(&failed) {
            wrong.push(format!("indexes {succeeded} succeeded and {failed} failed"));
        }
        let completions = number(job, "/spec/completions");
        // One that may be made smaller has its indexes taken away a little later.
        if completions != number(job, "/spec/parallelism") {
            let within = |field: &str| Indexes::read(text(job, field), u32::try_from(completions).unwrap_or(0));
            if within("/status/completedIndexes") != succeeded || within("/status/failedIndexes") != failed {
                wrong.push(format!("indexes {succeeded} and {failed} of {completions}"));
            }
        }
        let (had_succeeded, had_failed) = self.indexes.remove(text(job, "/metadata/uid")).unwrap_or_default();
        for pod in new_pods {
            let Some(index) = index_of(pod) else {
                wrong.push(format!("pod {} has no index", text(pod, "/metadata/name")));
                continue;
            };
            if had_succeeded.contains(index) || had_failed.contains(index) {
                wrong.push(format!("a new pod for index {index} of {had_succeeded} succeeded and {had_failed} failed"));
            }
            let at_index = pods.iter().filter(|pod| is_active(pod) && index_of(pod) == Some(index)).count();
            if 1 < at_index {
                wrong.push(format!("{at_index} active pods for index {index}"));
            }
        }
        let n_succeeded = number(job, "/status/succeeded");
        if n_succeeded != succeeded.len() as i64 {
            wrong.push(format!("counts {n_succeeded} successes, but names {succeeded}"));
        }
        self.indexes.insert(text(job, "/metadata/uid").into(), (succeeded, failed));
        wrong
    }
}

fn is_tracked(pod: &Value) -> bool {
    pod["metadata"]["finalizers"].to_string().contains(FINALIZER)
}

fn index_of(pod: &Value) -> Option<u32> {
    pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].as_str()?.parse().ok()
}

fn is_active(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Complete or Failed.
pub fn is_finished(job: &Value) -> bool {
    has_condition(job, "Complete") || has_condition(job, "Failed")
}

fn has_condition(job: &Value, kind: &str) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Every stored object under a prefix.
pub fn objects(store: &Store, prefix: &str) -> Vec<Value> {
    let records = store.range(prefix, None, 0).records;
    records.iter().filter_map(|record| serde_json::from_slice(&record.value).ok()).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}
