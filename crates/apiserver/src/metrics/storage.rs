//! How many objects there are, by resource.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::collections::BTreeMap;
use std::fmt::Error;

/// Counts when asked.
pub(super) struct Objects(pub store::Store);

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Objects")
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        // Kinds that share a storage are one resource here.
        let mut counts = BTreeMap::new();
        for kind in kinds::KINDS.iter().filter(|kind| kind.names().verbs.contains(&"list")) {
            let (group, plural) = kind.storage();
            let resource = meta::status::GroupResource { group, resource: plural }.to_string();
            counts.entry(resource).or_insert_with(|| self.0.count(&crate::storage::resource_prefix(*kind)));
        }
        let mut family = encoder.encode_descriptor(
            "apiserver_storage_objects",
            "Number of stored objects at the time of last check split by kind",
            None,
            MetricType::Gauge,
        )?;
        for (resource, n) in counts {
            let labels = [("resource", resource.as_str())];
            ConstGauge::new(i64::try_from(n).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
