//! The indexes of an Indexed Job: which have succeeded, which have failed, which need a pod
//! (KEP-2214, KEP-3850; K:pkg/controller/job/{indexed_job_utils,backoff_utils,success_policy}.go).

use crate::job::backoff;
use crate::job::indexes::Indexes;
use crate::job::pods::{IndexFailures, Phase, PodFacts, deletion_order};
use crate::job::template::NewPod;
use crate::job::wanted::Wanted;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::JobStatus;
use std::collections::HashMap;

/// What is known of a Job's indexes.
#[derive(Debug)]
pub(super) struct Indexed<'a> {
    completions: u32,
    /// `status.completedIndexes`, without what lies beyond the completions.
    pub(super) counted: Indexes,
    /// With those whose pods have succeeded since.
    pub(super) succeeded: Indexes,
    /// Only with backoffLimitPerIndex.
    pub(super) failed: Option<Indexes>,
    /// With backoffLimitPerIndex, the newest failed pod of each index that waits for a replacement. It keeps its finalizer
    /// until the replacement carries its number of failures on, so that no restart forgets it.
    held: HashMap<u32, &'a PodFacts>,
}

impl<'a> Indexed<'a> {
    pub(super) fn of(wanted: &Wanted<'_>, completions: u32, status: Option<&JobStatus>, pods: &[&'a PodFacts]) -> Self {
        let read = |text: Option<&String>| Indexes::read(text.map_or("", String::as_str), completions);
        let counted = read(status.and_then(|status| status.completed_indexes.as_ref()));
        let valid = |pod: &PodFacts| pod.index.filter(|index| *index < completions);
        let tracked = || pods.iter().filter(|pod| pod.tracked);
        let succeeded =
            counted.with(tracked().filter(|pod| pod.phase == Phase::Succeeded).filter_map(|pod| valid(pod)));
        let failed = wanted.limit_per_index.map(|_| {
            let now_failed = tracked().filter(|pod| wanted.fails_index(pod));
            let known = read(status.and_then(|status| status.failed_indexes.as_ref()));
            known.with(now_failed.filter_map(|pod| valid(pod)).filter(|index| !succeeded.contains(*index)))
        });
        let mut indexed = Self { completions, counted, succeeded, failed, held: HashMap::new() };
        if indexed.failed.is_some() {
            indexed.hold(pods, wanted);
        }
        indexed
    }

    fn hold(&mut self, pods: &[&'a PodFacts], wanted: &Wanted<'_>) {
        let active = Indexes::default().with(pods.iter().filter(|pod| pod.is_active()).filter_map(|pod| pod.index));
        for pod in pods.iter().filter(|pod| pod.tracked && wanted.counts_as_failed(pod)) {
            let Some(index) = pod.index.filter(|index| *index < self.completions) else { continue };
            if self.is_finished(index) || active.contains(index) {
                continue;
            }
            let order = |pod: &PodFacts| (pod.index_failures.all(), pod.finished_at);
            let held = self.held.entry(index).or_insert(pod);
            if order(held) <= order(pod) {
                *held = pod;
            }
        }
    }

    fn is_finished(&self, index: u32) -> bool {
        self.succeeded.contains(index) || self.failed.as_ref().is_some_and(|failed| failed.contains(index))
    }

    pub(super) fn n_succeeded(&self) -> i64 {
        self.succeeded.len() as i64
    }

    pub(super) fn n_failed(&self) -> i64 {
        self.failed.as_ref().map_or(0, Indexes::len) as i64
    }

    /// Every index has ended, not all of them well.
    pub(super) fn have_ended_badly(&self) -> bool {
        0 < self.n_failed() && i64::from(self.completions) <= self.n_failed() + self.n_succeeded()
    }

    /// The pod's index, unless it has none that counts.
    pub(super) fn valid(&self, pod: &PodFacts) -> Option<u32> {
        pod.index.filter(|index| *index < self.completions)
    }

    /// The pod's finalizer has to wait for the replacement.
    pub(super) fn holds(&self, pod: &PodFacts) -> bool {
        pod.index.and_then(|index| self.held.get(&index)).is_some_and(|held| held.uid == pod.uid)
    }

    /// Which of the active pods go when at least `n` have to: first those that no index needs, then the least advanced.
    pub(super) fn surplus(&self, active: Vec<&'a PodFacts>, n: usize) -> Vec<&'a PodFacts> {
        let mut sorted = active;
        // Within an index the most advanced comes last, and stays.
        sorted.sort_by(|a, b| a.index.cmp(&b.index).then_with(|| deletion_order(a, b)));
        let (mut surplus, mut left) = (Vec::new(), Vec::new());
        for (position, pod) in sorted.iter().enumerate() {
            let is_last = sorted.get(position + 1).is_none_or(|next| next.index != pod.index);
            match self.valid(pod) {
                Some(_) if is_last => left.push(*pod),
                _ => surplus.push(*pod),
            }
        }
        if surplus.len() < n {
            left.sort_by(|a, b| deletion_order(a, b));
            surplus.extend(left.into_iter().take(n - surplus.len()));
        }
        surplus
    }

    /// The lowest indexes that need a pod and may have one now, at most `n`, and when the next of the others may.
    pub(super) fn next(
        &self,
        n: usize,
        wanted: &Wanted<'_>,
        pods: &[&PodFacts],
        now: Timestamp,
    ) -> (Vec<NewPod>, Option<Timestamp>) {
        let is_held = |pod: &PodFacts| pod.is_active() || (wanted.replaces_only_failed && pod.is_terminating());
        let busy = pods.iter().filter(|pod| is_held(pod)).filter_map(|pod| pod.index);
        let mut taken = self.succeeded.with(busy);
        if let Some(failed) = &self.failed {
            taken = taken.union(failed);
        }
        let (mut ready, mut wait) = (Vec::new(), None);
        for index in taken.missing(self.completions).take(n) {
            let replaced = self.held.get(&index).copied();
            match replaced.and_then(backoff::of_index).filter(|until| now < *until) {
                Some(until) => wait = Some(wait.map_or(until, |first: Timestamp| first.min(until))),
                None => ready.push(NewPod { index: Some(index), failures: self.carried_on(replaced, wanted) }),
            }
        }
        (ready, wait)
    }

    fn carried_on(&self, replaced: Option<&PodFacts>, wanted: &Wanted<'_>) -> Option<IndexFailures> {
        self.failed.as_ref()?;
        let Some(replaced) = replaced else {
            return Some(IndexFailures::default());
        };
        let IndexFailures { counted, ignored } = replaced.index_failures;
        Some(match wanted.is_ignored(replaced) {
            true => IndexFailures { counted, ignored: ignored.saturating_add(1) },
            false => IndexFailures { counted: counted.saturating_add(1), ignored },
        })
    }

    /// The first rule of the success policy that is met.
    pub(super) fn met_rule(&self, wanted: &Wanted<'_>) -> Option<usize> {
        if self.succeeded.is_empty() {
            return None;
        }
        wanted.success_policy?.rules.iter().position(|rule| {
            let n_wanted = rule.succeeded_count.map(|n| usize::try_from(n).unwrap_or(0));
            match &rule.succeeded_indexes {
                Some(text) => {
                    // Of indexes that completions no longer reach the rule says nothing.
                    let wanted = Indexes::read(text, self.completions);
                    let n_done = wanted.n_common(&self.succeeded);
                    let is_enough = n_done == wanted.len() || n_wanted.is_some_and(|n| n <= n_done);
                    !wanted.is_empty() && is_enough
                }
                None => n_wanted.is_some_and(|n| n <= self.succeeded.len()),
            }
        })
    }
}
