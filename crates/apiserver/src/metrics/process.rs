//! The process' own numbers, as Prometheus' client libraries name them. Read from /proc when asked for.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt::Error;

/// USER_HZ: the unit of times in /proc, the same on every machine kiln runs on.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;

#[derive(Debug)]
pub(super) struct Process;

/// `/proc/self/stat` as far as it is of use.
struct Stat {
    cpu_seconds: f64,
    started_seconds_after_boot: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the command's name in parentheses, which may hold anything.
        let fields: Vec<f64> =
            text.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
        // proc(5) counts from 1; the list begins with field 3.
        let field = |n: usize| fields.get(n - 3).copied();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            started_seconds_after_boot: field(22)? / TICKS_PER_SECOND,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * PAGE_BYTES,
        })
    }
}

fn boot_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn max_open_files() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            Some(value) => {
                ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
            }
            None => Ok(()),
        };
        let stat = std::fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text));
        let stat = stat.as_ref();
        let open = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        #[expect(clippy::cast_precision_loss, reason = "a count of files")]
        let open = open.map(|n| n as f64);
        gauge("process_open_fds", "Number of open file descriptors", open)?;
        gauge("process_max_fds", "Maximum number of open file descriptors", max_open_files())?;
        gauge("process_resident_memory_bytes", "Resident memory size in bytes", stat.map(|stat| stat.resident_bytes))?;
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes", stat.map(|stat| stat.virtual_bytes))?;
        let started = stat.and_then(|stat| Some(boot_time()? + stat.started_seconds_after_boot));
        gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds", started)?;
        if let Some(stat) = stat {
            let help = "Total user and system CPU time spent in seconds";
            ConstCounter::new(stat.cpu_seconds).encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_be_called_anything() {
        let rest = (4..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let stat = Stat::parse(&format!("7 (a) 1 ) b) S {rest}")).unwrap();
        assert_eq!((stat.cpu_seconds, stat.started_seconds_after_boot), (0.29, 0.22));
        assert_eq!((stat.virtual_bytes, stat.resident_bytes), (23.0, 24.0 * PAGE_BYTES));
        assert!(Stat::parse("").is_none());
    }
}
