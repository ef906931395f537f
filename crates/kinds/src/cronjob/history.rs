//! Which ended Jobs are too many for the history limits.

use crate::cronjob::facts::{ChildFacts, CronJobFacts, End};
use crate::cronjob::sync::JobRef;

/// The oldest ended Jobs beyond the limits, oldest first. Those that are going already count, but need no second word.
pub(super) fn surplus(cronjob: &CronJobFacts, children: &[&ChildFacts]) -> Vec<JobRef> {
    let mut surplus = oldest_beyond(cronjob.successful_limit, End::Complete, children);
    surplus.extend(oldest_beyond(cronjob.failed_limit, End::Failed, children));
    surplus
}

fn oldest_beyond(limit: Option<i32>, end: End, children: &[&ChildFacts]) -> Vec<JobRef> {
    let Some(limit) = limit else { return Vec::new() };
    let mut ended: Vec<&&ChildFacts> = children.iter().filter(|child| child.end == Some(end)).collect();
    let n_surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    if n_surplus == 0 {
        return Vec::new();
    }
    // Those that never started count as the newest (K:pkg/controller/cronjob/utils.go byJobStartTime).
    ended.sort_by_key(|child| (child.started_at.is_none(), child.started_at, &child.name));
    let surplus = ended.into_iter().take(n_surplus).filter(|child| !child.deleted);
    surplus.map(|child| JobRef::of(child)).collect()
}
