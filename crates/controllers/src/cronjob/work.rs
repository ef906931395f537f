//! The writes of the CronJob controller: Jobs deleted and made, the status with its accounts, finalizers.

use super::Controller;
use crate::engine::Key;
use crate::engine::apply::{Target, apart, gone_is_fine, has_cause, is_conflict, is_unsure, side_by_side, text};
use crate::engine::expectations::{Written, version};
use crate::engine::queue::BoxError;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kinds::cronjob::events;
use kinds::cronjob::facts::{ChildFacts, CronJobFacts};
use kinds::cronjob::sync::{Done, JobRef, Made, Plan, Run};
use kinds::cronjob::template::new_job;
use kinds::cronjob::{ACCOUNTED_UNTIL, SCHEDULED_BEFORE, StatusWrite, TRACKING_FINALIZER};
use kube::api::PropagationPolicy;
use kube::{Api, Error};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A patch that takes the finalizer off exactly this Job.
pub fn without_finalizer(uid: &str) -> Value {
    json!({"metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [TRACKING_FINALIZER]}})
}

impl Controller {
    fn jobs<'a>(&'a self, key: &Key, written: &'a Written) -> Target<'a> {
        Target::of::<Job>(&self.context.client, &key.namespace).seen_by(self.world.jobs.seen(), written)
    }

    /// Does the work and tells how it went; the second is what to try again for.
    pub(super) async fn work_on_jobs(
        &self,
        key: &Key,
        cronjob: &CronJobFacts,
        plan: &Plan,
        written: &Written,
    ) -> (Done, Option<String>) {
        let (left, mut trouble) = self.delete(key, cronjob, &plan.deletions, written).await;
        let Some(run) = &plan.run else { return (Done { left, made: Made::Nothing }, trouble) };
        if !plan.must_go.is_disjoint(&left) {
            return (Done { left, made: Made::Failed }, trouble);
        }
        let (made, failure) = self.create(key, cronjob, run, written).await;
        trouble = trouble.or(failure);
        (Done { left, made }, trouble)
    }

    async fn delete(
        &self,
        key: &Key,
        cronjob: &CronJobFacts,
        doomed: &[JobRef],
        written: &Written,
    ) -> (BTreeSet<String>, Option<String>) {
        let jobs = self.jobs(key, written);
        let requests = doomed.iter().map(|job| jobs.delete(&job.name, &job.uid, PropagationPolicy::Background));
        let answers = side_by_side(requests.collect()).await;
        let (mut left, mut trouble) = (BTreeSet::new(), None);
        for (job, answer) in doomed.iter().zip(answers) {
            match answer {
                Ok(()) => self.tell(cronjob, events::deleted(&job.name)),
                Err(error) => {
                    self.tell(cronjob, events::delete_failed(&text(&error)));
                    left.insert(job.uid.clone());
                    trouble = Some(text(&error));
                }
            }
        }
        (left, trouble)
    }

    async fn create(&self, key: &Key, cronjob: &CronJobFacts, run: &Run, written: &Written) -> (Made, Option<String>) {
        let (client, namespace) = (self.context.client.clone(), key.namespace.clone());
        let job = new_job(cronjob, &run.name, run.tick);
        // Apart from all else: a thousand may be due at once, and what their Jobs bring about can wait.
        let urgent = self.world.rush.begin();
        let answer = apart(async move { Target::of::<Job>(&client, &namespace).create(&job).await }).await;
        drop(urgent);
        let error = match answer {
            Ok(made) => {
                written.expect(self.world.jobs.seen(), version(made.resource_version.as_deref()));
                self.context.metrics.started(run.tick, self.context.clock.now());
                self.tell(cronjob, events::created(&run.name));
                let job = JobRef { name: run.name.clone(), uid: made.uid.unwrap_or_default() };
                return (Made::Created(job, made.resource_version), None);
            }
            // Every further creation would fail as well, and nobody has to hear of it.
            Err(Error::Api(status)) if has_cause(&status, "NamespaceTerminating") => {
                return (Made::NamespaceGoes, None);
            }
            Err(error) => error,
        };
        if matches!(&error, Error::Api(status) if status.reason == "AlreadyExists") {
            match self.own(key, cronjob, &run.name).await {
                Ok(Some(child)) => return (Made::Existed(JobRef::of(&child), child.end.is_none()), None),
                Ok(None) => {}
                Err(error) => {
                    self.tell(cronjob, events::get_failed(&text(&error)));
                    return (Made::Unsure, Some(text(&error)));
                }
            }
        }
        self.tell(cronjob, events::create_failed(&text(&error)));
        let made = if is_unsure(&error) { Made::Unsure } else { Made::Failed };
        (made, Some(text(&error)))
    }

    /// The Job of this name, if this CronJob controls it.
    async fn own(&self, key: &Key, cronjob: &CronJobFacts, name: &str) -> kube::Result<Option<ChildFacts>> {
        let found = Api::<Job>::namespaced(self.context.client.clone(), &key.namespace).get_opt(name).await?;
        let child = found.as_ref().and_then(ChildFacts::of);
        Ok(child.filter(|child| child.cronjob == cronjob.uid))
    }

    /// `false`: the CronJob has been written by somebody else, or is gone.
    pub(super) async fn write_status(
        &self,
        key: &Key,
        cronjob: &CronJobFacts,
        write: &StatusWrite,
        written: &Written,
    ) -> Result<bool, BoxError> {
        let cronjobs =
            Target::of::<CronJob>(&self.context.client, &key.namespace).seen_by(self.cronjobs.seen(), written);
        match cronjobs.replace_status(&key.name, &patch(cronjob, write)).await {
            Ok(_) => Ok(true),
            Err(Error::Api(status)) if status.code == 404 || is_conflict(&status) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the finalizers off Jobs whose instants are recorded.
    pub(super) async fn untrack(&self, key: &Key, recorded: &[JobRef], written: &Written) -> Result<(), BoxError> {
        let jobs = self.jobs(key, written);
        let requests = recorded.iter().map(|job| async {
            let patched = jobs.merge(&job.name, &without_finalizer(&job.uid)).await;
            gone_is_fine(patched).map(drop)
        });
        let answers = side_by_side(requests.collect()).await;
        answers.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(error.into()))
    }
}

/// The status and the accounts as one merge patch, which fails if anybody else has written meanwhile.
fn patch(cronjob: &CronJobFacts, write: &StatusWrite) -> Value {
    let time = |time: Option<Timestamp>| time.map(Time);
    let active = Some(&write.active).filter(|active| !active.is_empty());
    let mut metadata = json!({"uid": cronjob.uid, "resourceVersion": cronjob.resource_version});
    if let Some(until) = write.accounted_until {
        metadata["annotations"][ACCOUNTED_UNTIL] = json!(Time(until));
    }
    if let Some(former) = &write.scheduled_before {
        metadata["annotations"][SCHEDULED_BEFORE] = json!(kinds::cronjob::written(former));
    }
    json!({"metadata": metadata, "status": {
        "active": active,
        "lastScheduleTime": time(write.last_schedule),
        "lastSuccessfulTime": time(write.last_successful),
    }})
}
