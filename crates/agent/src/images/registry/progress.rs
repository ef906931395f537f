//! How far a pull is: written by the pull, read by whoever draws it.

use parking_lot::Mutex;

/// Shared by a pull and its watchers.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Vec<Layer>>);

#[derive(Debug, Clone, Copy)]
struct Layer {
    size: u64,
    arrived: u64,
    is_ready: bool,
}

/// Where a pull stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stand {
    /// Bytes that have come, or need not come because their layer is here.
    pub done_bytes: u64,
    /// Bytes of all layers, packed; 0 until the manifest is known.
    pub total_bytes: u64,
    /// Layers that are unpacked and verified.
    pub layers_ready: usize,
    /// Layers in all.
    pub layers: usize,
}

impl Progress {
    /// The manifest is known: so many bytes each. Begins anew, as a pull does from another mirror.
    pub(super) fn begin(&self, sizes: impl Iterator<Item = u64>) {
        *self.0.lock() = sizes.map(|size| Layer { size, arrived: 0, is_ready: false }).collect();
    }

    pub(super) fn arrived(&self, layer: usize, bytes: u64) {
        if let Some(layer) = self.0.lock().get_mut(layer) {
            layer.arrived = bytes;
        }
    }

    pub(super) fn ready(&self, layer: usize) {
        if let Some(layer) = self.0.lock().get_mut(layer) {
            layer.is_ready = true;
        }
    }

    /// Bytes that came over the network.
    pub(in crate::images) fn downloaded_bytes(&self) -> u64 {
        self.0.lock().iter().map(|layer| layer.arrived).sum()
    }

    /// Where it stands now.
    pub fn stand(&self) -> Stand {
        let layers = self.0.lock();
        Stand {
            done_bytes: layers.iter().map(|layer| if layer.is_ready { layer.size } else { layer.arrived }).sum(),
            total_bytes: layers.iter().map(|layer| layer.size).sum(),
            layers_ready: layers.iter().filter(|layer| layer.is_ready).count(),
            layers: layers.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_is_here_counts_as_done() {
        let progress = Progress::default();
        assert_eq!(progress.stand(), Stand::default());
        progress.begin([100, 50].into_iter());
        progress.arrived(0, 30);
        progress.ready(1);
        let expect = Stand { done_bytes: 80, total_bytes: 150, layers_ready: 1, layers: 2 };
        assert_eq!(progress.stand(), expect);
        assert_eq!(progress.downloaded_bytes(), 30);
        progress.arrived(7, 1);
        progress.ready(7);
    }
}
