//! Makes Jobs on schedule: asks `kinds::cronjob::sync` what each CronJob needs, and does that.
//!
//! ```text
//! cronjobs ─┐                    ┌─ agenda: who is due when, on the wall clock
//! jobs ─────┴─▶ queue ─▶ reconcile(key) ─▶ delete · create · record · untrack
//! ```

mod agenda;
mod work;

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::cache::{Cache, Entry};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::world::{JobEntry, World, job_of_cronjob};
use agenda::Agenda;
use futures::future::join3;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use kinds::correlate::Subject;
use kinds::cronjob::events::{CronJobEvent, Severity};
use kinds::cronjob::facts::{ChildFacts, CronJobFacts};
use kinds::cronjob::sync::{Made, Memory, sync};
use kube::Api;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// CronJobs looked at at a time. Many are due at the same minute, and the store commits in one go what waits together.
const CONCURRENCY: usize = 2_000;

const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(1);
const LAST_RETRY: SignedDuration = SignedDuration::from_mins(1);

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Item {
    CronJob(Key),
    /// A Job whose finalizer may have lost its purpose.
    Stray(Key),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::CronJob(key) => write!(f, "cronjob {key}"),
            Item::Stray(key) => write!(f, "job {key}"),
        }
    }
}

impl Entry for CronJobFacts {
    fn groups(&self, _: &Key) -> Vec<String> {
        vec![self.uid.clone()]
    }
}

struct Controller {
    context: Context,
    world: World,
    cronjobs: Cache<CronJobFacts>,
    recorder: Recorder,
    agenda: Agenda,
    /// What the last decision on each CronJob asked to remember.
    memory: Mutex<HashMap<Key, Memory>>,
}

/// Sets the controller up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let queue = Queue::default();
    let cronjobs = Cache::default();
    follow_cronjobs(&cronjobs, world, &queue);
    follow_jobs(&cronjobs, world, &queue);
    let controller = Arc::new(Controller {
        context: context.clone(),
        world: world.clone(),
        cronjobs,
        recorder: recorder.clone(),
        agenda: Agenda::new(context.clock.clone()),
        memory: Mutex::default(),
    });
    async move {
        let api = Api::<CronJob>::all(controller.context.client.clone());
        let cache = controller.cronjobs.clone().run(api, |_, cronjob| CronJobFacts::of(cronjob));
        let adder = queue.clone();
        let agenda = controller.agenda.run(|key| adder.add(Item::CronJob(key)));
        let work = async {
            controller.world.is_filled().await;
            controller.cronjobs.is_filled().await;
            queue
                .work_many(CONCURRENCY, |item, written| {
                    let controller = controller.clone();
                    async move {
                        match item {
                            Item::CronJob(key) => controller.reconcile(&key, &written).await,
                            Item::Stray(key) => controller.free_stray(&key, &written).await,
                        }
                    }
                })
                .await;
        };
        join3(cache, agenda, work).await;
    }
}

fn follow_cronjobs(cronjobs: &Cache<CronJobFacts>, world: &World, queue: &Queue<Item>) {
    let (jobs, queue) = (world.jobs.clone(), queue.clone());
    cronjobs.on_change(move |change| {
        queue.add(Item::CronJob(change.key.clone()));
        let uid = |facts: &Option<Arc<CronJobFacts>>| facts.as_ref().map(|facts| facts.uid.clone());
        let Some(gone) = uid(&change.old).filter(|old| uid(&change.new).as_ref() != Some(old)) else { return };
        for (key, job) in jobs.group(&job_of_cronjob(&gone)) {
            if job.child().is_some_and(|child| child.tracked) {
                queue.add(Item::Stray(key));
            }
        }
    });
}

fn follow_jobs(cronjobs: &Cache<CronJobFacts>, world: &World, queue: &Queue<Item>) {
    let (cronjobs, queue) = (cronjobs.clone(), queue.clone());
    world.jobs.on_change(move |change| {
        let old = change.old.as_deref().and_then(JobEntry::child);
        let new = change.new.as_deref().and_then(JobEntry::child);
        if old == new {
            return;
        }
        let mut is_awaited = false;
        for child in [&old, &new].into_iter().flatten() {
            for (key, _) in cronjobs.group(&child.cronjob) {
                is_awaited = true;
                queue.add(Item::CronJob(key));
            }
        }
        if !is_awaited && new.is_some_and(|child| child.tracked) {
            queue.add(Item::Stray(change.key.clone()));
        }
    });
}

/// When to try again what was refused: the pauses double with the age of the instant, so that a new one begins anew.
fn retry_at(tick: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = now.duration_since(tick);
    now.checked_add(age.clamp(FIRST_RETRY, LAST_RETRY)).ok()
}

impl Controller {
    async fn reconcile(&self, key: &Key, written: &Written) -> Outcome {
        let Some(cronjob) = self.cronjobs.get(key) else {
            self.memory.lock().remove(key);
            self.agenda.set(key, None);
            return Ok(Next::WhenAdded);
        };
        let jobs = self.world.jobs.group(&job_of_cronjob(&cronjob.uid));
        let children: Vec<_> = jobs.iter().filter_map(|(_, job)| job.child()).collect();
        let children: Vec<&ChildFacts> = children.iter().map(AsRef::as_ref).collect();
        let memory = self.memory.lock().get(key).cloned().unwrap_or_default();
        let now = self.context.clock.now();
        let plan = sync(&cronjob, &children, &memory, &self.context.clock.zone(), now);
        let (done, trouble) = self.work_on_jobs(key, &cronjob, &plan, written).await;
        let failed = plan.run.as_ref().filter(|_| matches!(done.made, Made::Failed | Made::Unsure));
        if let Some(run) = failed.filter(|_| done.made == Made::Unsure) {
            self.memory.lock().entry(key.clone()).or_default().doubt(&cronjob.uid, run.clone());
        }
        let failed = failed.map(|run| run.tick);
        self.world.rush.is_over().await;
        let settlement = plan.then.settle(plan.run, done);
        if let Some(write) = &settlement.write
            && !self.write_status(key, &cronjob, write, written).await?
        {
            // Somebody else wrote the CronJob meanwhile; its event brings the key back.
            return Ok(Next::After(Duration::from_secs(1)));
        }
        self.memory.lock().insert(key.clone(), settlement.memory);
        let retry_at = failed.and_then(|tick| retry_at(tick, now));
        self.agenda.set(key, [settlement.wake_at, retry_at].into_iter().flatten().min());
        settlement.outcomes.iter().for_each(|outcome| self.context.metrics.tick(outcome));
        settlement.events.into_iter().for_each(|event| self.tell(&cronjob, event));
        self.untrack(key, &settlement.untrack, written).await?;
        match trouble {
            Some(trouble) if failed.is_some() => {
                warn!(cronjob = %key, error = trouble, "a job was not made; trying again");
                Ok(Next::WhenAdded)
            }
            Some(trouble) => Err(trouble.into()),
            None => Ok(Next::WhenAdded),
        }
    }

    /// Takes the finalizer off a Job whose CronJob is gone.
    async fn free_stray(&self, key: &Key, written: &Written) -> Outcome {
        let Some(job) = self.world.jobs.get(key) else { return Ok(Next::WhenAdded) };
        let Some(child) = job.child().filter(|child| child.tracked) else { return Ok(Next::WhenAdded) };
        if !self.cronjobs.group(&child.cronjob).is_empty() {
            return Ok(Next::WhenAdded);
        }
        let jobs = Target::of::<Job>(&self.context.client, &key.namespace).seen_by(self.world.jobs.seen(), written);
        gone_is_fine(jobs.merge(&key.name, &work::without_finalizer(&child.uid)).await)?;
        Ok(Next::WhenAdded)
    }

    fn tell(&self, cronjob: &CronJobFacts, event: CronJobEvent) {
        let about = About::new("cronjob-controller", "").subject(Subject {
            api_version: "batch/v1".into(),
            kind: "CronJob".into(),
            namespace: cronjob.namespace.clone(),
            name: cronjob.name.clone(),
            uid: cronjob.uid.clone(),
            resource_version: cronjob.resource_version.clone(),
            field_path: String::new(),
        });
        self.recorder.tell(match event.severity {
            Severity::Normal => about.normal(event.reason, event.message),
            Severity::Warning => about.warning(event.reason, event.message),
        });
    }
}
