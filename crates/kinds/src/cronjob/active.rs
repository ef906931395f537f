//! The list of Jobs that run, `status.active`, and what is told of Jobs that leave it or should be in it.

use crate::cronjob::events::{self, CronJobEvent};
use crate::cronjob::facts::{ChildFacts, CronJobFacts};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use std::collections::{BTreeSet, HashMap};

/// The list as it should be.
pub(super) struct Active {
    /// status.active
    pub list: Vec<ObjectReference>,
    /// status.lastSuccessfulTime
    pub last_successful: Option<Timestamp>,
    /// What to tell.
    pub events: Vec<CronJobEvent>,
    /// Uids of running Jobs that are not in the list.
    pub unexpected: BTreeSet<String>,
}

impl Active {
    /// Looks every Job up in the list and every entry of the list among the Jobs. `told` holds the uids of unexpected Jobs
    /// that have been told of before; `expected` is one that is about to be put into the list.
    pub fn review(
        cronjob: &CronJobFacts,
        children: &[&ChildFacts],
        expected: Option<&ChildFacts>,
        told: &BTreeSet<String>,
    ) -> Self {
        let mut review = Self {
            list: Vec::new(),
            last_successful: cronjob.last_successful,
            events: Vec::new(),
            unexpected: BTreeSet::new(),
        };
        let by_uid: HashMap<&str, &ChildFacts> = children.iter().map(|child| (&*child.uid, *child)).collect();
        for entry in &cronjob.active {
            let name = entry.name.as_deref().unwrap_or_default();
            let child = entry.uid.as_deref().and_then(|uid| by_uid.get(uid));
            match child.map(|child| child.end) {
                Some(None) => review.list.push(entry.clone()),
                Some(Some(end)) => review.events.push(events::saw_completed(name, end.as_str())),
                None => review.events.push(events::missing(name)),
            }
        }
        let listed: BTreeSet<&str> = cronjob.active.iter().filter_map(|entry| entry.uid.as_deref()).collect();
        for child in children {
            if let Some(at) = child.completed_at.filter(|_| child.end == Some(super::facts::End::Complete)) {
                review.last_successful = review.last_successful.max(Some(at));
            }
            let is_expected = expected.is_some_and(|expected| expected.uid == child.uid);
            if child.end.is_some() || child.deleted || is_expected || listed.contains(&*child.uid) {
                continue;
            }
            if !told.contains(&child.uid) {
                review.events.push(events::unexpected(&child.name));
            }
            review.unexpected.insert(child.uid.clone());
        }
        review
    }
}
