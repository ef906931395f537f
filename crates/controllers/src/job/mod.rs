//! Runs Jobs: asks `kinds::job::sync` what each needs, and does that.

mod work;

use crate::Context;
use crate::engine::Key;
use crate::engine::apply::{Target, gone_is_fine};
use crate::engine::expectations::Written;
use crate::engine::queue::{Next, Outcome, Queue};
use crate::events::{About, Recorder};
use crate::world::{JobEntry, World, controlled_by, job_of_uid, live_in, loose_in, unsettled_of};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kinds::correlate::Subject;
use kinds::job::backoff::Backoff;
use kinds::job::claim::claim;
use kinds::job::events::{JobEvent, Severity};
use kinds::job::pods::PodFacts;
use kinds::job::sync::{Decision, sync};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Item {
    Job(Key),
    /// A pod whose tracking finalizer may have lost its purpose.
    Stray(Key),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Job(key) => write!(f, "job {key}"),
            Item::Stray(key) => write!(f, "pod {key}"),
        }
    }
}

struct Controller {
    context: Context,
    world: World,
    recorder: Recorder,
    /// What the last decision on each unfinished Job asked to remember, with the Job's uid.
    memory: Mutex<HashMap<Key, (String, Backoff)>>,
    /// Jobs whose settled pods have changed their labels, and may have to be released.
    relabelled: Relabelled,
}

type Relabelled = Arc<Mutex<HashSet<Key>>>;

/// Sets the controller up (to be done before the world runs) and returns what runs it.
pub fn start(context: &Context, world: &World, recorder: &Recorder) -> impl Future<Output = ()> + use<> {
    let queue = Queue::default();
    let relabelled = Relabelled::default();
    follow_jobs(world, &queue);
    follow_pods(world, &queue, &relabelled);
    let controller = Arc::new(Controller {
        context: context.clone(),
        world: world.clone(),
        recorder: recorder.clone(),
        memory: Mutex::default(),
        relabelled,
    });
    async move {
        controller.world.is_filled().await;
        queue
            .work(|item, written| {
                let controller = controller.clone();
                async move {
                    match item {
                        Item::Job(key) => controller.reconcile(&key, &written).await,
                        Item::Stray(key) => controller.free_stray(&key, &written).await,
                    }
                }
            })
            .await;
    }
}

fn follow_jobs(world: &World, queue: &Queue<Item>) {
    let (pods, queue) = (world.pods.clone(), queue.clone());
    world.jobs.on_change(move |change| {
        queue.add(Item::Job(change.key.clone()));
        let ended = match (&change.old, &change.new) {
            (Some(old), None) => old,
            (_, Some(new)) if !new.awaits_pods() => new,
            _ => return,
        };
        for (pod, entry) in pods.group(&unsettled_of(ended.uid())) {
            if entry.facts.tracked {
                queue.add(Item::Stray(pod));
            }
        }
    });
}

fn follow_pods(world: &World, queue: &Queue<Item>, relabelled: &Relabelled) {
    let (jobs, queue, relabelled) = (world.jobs.clone(), queue.clone(), relabelled.clone());
    world.pods.on_change(move |change| {
        let is_relabelled = match (&change.old, &change.new) {
            (Some(old), Some(new)) => new.facts.is_settled() && old.facts.labels != new.facts.labels,
            _ => false,
        };
        for pod in [&change.old, &change.new].into_iter().flatten() {
            // One that nobody controls may be adopted by any Job of its namespace.
            let concerned = match &pod.facts.controller_uid {
                Some(uid) => jobs.group(&job_of_uid(uid)),
                None => jobs.group(&live_in(&change.key.namespace)),
            };
            let is_controlled = pod.facts.controller_uid.is_some();
            let mut is_awaited = false;
            for (key, job) in concerned {
                is_awaited |= is_controlled && job.awaits_pods();
                if job.live().is_some() {
                    if is_relabelled {
                        relabelled.lock().insert(key.clone());
                    }
                    queue.add(Item::Job(key));
                }
            }
            if pod.facts.tracked && !is_awaited {
                queue.add(Item::Stray(change.key.clone()));
            }
        }
    });
}

impl Controller {
    async fn reconcile(&self, key: &Key, written: &Written) -> Outcome {
        self.world.rush.is_over().await;
        let entry = self.world.jobs.get(key);
        let Some(job) = entry.as_deref().and_then(JobEntry::live) else {
            self.memory.lock().remove(key);
            self.relabelled.lock().remove(key);
            return Ok(Next::WhenAdded);
        };
        let uid = job.metadata.uid.as_deref().unwrap_or_default();
        let memory = self.memory.lock().get(key).filter(|(of, _)| of == uid).map(|(_, backoff)| *backoff);
        // What is settled decides nothing: a Job of ten thousand pods costs what has changed, not what it has done.
        let is_relabelled = self.relabelled.lock().remove(key);
        let owned = match memory.is_none() || is_relabelled {
            true => self.world.pods.members(&controlled_by(uid)),
            false => self.world.pods.members(&unsettled_of(uid)),
        };
        let loose = self.world.pods.members(&loose_in(&key.namespace));
        let own: Vec<&PodFacts> = owned.iter().map(|pod| &pod.facts).collect();
        let mut candidates = own.clone();
        candidates.extend(loose.iter().map(|pod| &pod.facts));
        let claims = claim(job, &candidates);
        if !claims.is_empty() {
            // Looked at as a whole until nothing is left to claim.
            self.relabelled.lock().insert(key.clone());
            return self.apply_claims(key, job, claims, written).await;
        }
        let now = self.context.clock.now();
        let plan = match sync(job, &own, memory, now) {
            Decision::LeaveAlone => return Ok(Next::WhenAdded),
            Decision::Refuse(event) => {
                self.tell(job, event);
                return Ok(Next::WhenAdded);
            }
            Decision::Act(plan) => plan,
        };
        let (done, trouble) = self.work_on_pods(key, job, plan.work, &owned, written).await;
        let settlement = plan.then.settle(done);
        if let Some(status) = settlement.status
            && !self.write_status(key, job, &status, written).await?
        {
            // Somebody else wrote the Job meanwhile; its event brings the key back.
            return Ok(Next::After(Duration::from_secs(1)));
        }
        self.memory.lock().insert(key.clone(), (uid.into(), settlement.backoff));
        settlement.events.into_iter().for_each(|event| self.tell(job, event));
        self.untrack(key, &settlement.untrack, written).await?;
        if let Some(trouble) = trouble {
            return Err(trouble.into());
        }
        Ok(match settlement.wake_at {
            Some(at) => Next::After(at.duration_since(now).try_into().unwrap_or(Duration::ZERO)),
            None => Next::WhenAdded,
        })
    }

    /// Takes the finalizer off a pod that no Job will count.
    async fn free_stray(&self, key: &Key, written: &Written) -> Outcome {
        let Some(pod) = self.world.pods.get(key) else { return Ok(Next::WhenAdded) };
        let jobs = pod.facts.controller_uid.as_deref().map(|uid| self.world.jobs.group(&job_of_uid(uid)));
        let is_awaited = jobs.into_iter().flatten().any(|(_, job)| job.awaits_pods());
        if !pod.facts.tracked || is_awaited {
            return Ok(Next::WhenAdded);
        }
        let pods = Target::of::<Pod>(&self.context.client, &key.namespace).seen_by(self.world.pods.seen(), written);
        gone_is_fine(pods.merge(&key.name, &work::without_finalizer(&pod.facts.uid)).await)?;
        Ok(Next::WhenAdded)
    }

    fn tell(&self, job: &Job, event: JobEvent) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let about = About::new("job-controller", "").subject(Subject {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: text(&job.metadata.namespace),
            name: text(&job.metadata.name),
            uid: text(&job.metadata.uid),
            resource_version: text(&job.metadata.resource_version),
            field_path: String::new(),
        });
        self.recorder.tell(match event.severity {
            Severity::Normal => about.normal(&event.reason, event.message),
            Severity::Warning => about.warning(&event.reason, event.message),
        });
    }
}
