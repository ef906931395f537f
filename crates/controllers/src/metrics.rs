//! What the controllers count, for whoever shows it: `register` adds it to a registry.

use jiff::Timestamp;
use kinds::cronjob::outcome::Outcome;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds. Most starts take milliseconds; those after a downtime take as long as it was.
const LAGS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// The controllers' metrics. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    ticks: Family<Tick, Counter>,
    start_lag: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tick {
    /// `ran` or `skipped`.
    result: &'static str,
    /// What a skipped one was skipped for.
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { ticks: Family::default(), start_lag: Histogram::new(LAGS) }
    }
}

impl Metrics {
    /// Adds the metrics to what is shown.
    pub fn register(&self, registry: &mut Registry) {
        let ticks = "Instants at which CronJobs were due, by what became of them";
        registry.register("kiln_cron_ticks", ticks, self.ticks.clone());
        let lag = "Seconds from the instant a CronJob was due to its Job";
        registry.register("kiln_cron_start_lag_seconds", lag, self.start_lag.clone());
    }

    /// An instant got its outcome.
    pub(crate) fn tick(&self, outcome: &Outcome) {
        let (tick, n) = match outcome {
            Outcome::Ran(_) => (Tick { result: "ran", reason: "" }, 1),
            Outcome::Skipped(span, reason) => (Tick { result: "skipped", reason: reason.as_str() }, span.n),
        };
        self.ticks.get_or_create(&tick).inc_by(n);
    }

    /// The Job of an instant was made.
    pub(crate) fn started(&self, tick: Timestamp, now: Timestamp) {
        self.start_lag.observe(now.duration_since(tick).as_secs_f64());
    }
}
