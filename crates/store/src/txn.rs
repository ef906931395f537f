//! Transactions: what is asked for and what came of it.

use crate::record::Record;
use bytes::Bytes;
use std::sync::Arc;

/// The most operations, and the most conditions, of one transaction.
pub const MAX_TXN_OPS: usize = 128;
/// The most bytes of keys and values in one transaction: 1.5 MiB, as in Kubernetes' store.
pub const MAX_TXN_BYTES: usize = 3 << 19;

/// One write.
#[derive(Debug, Clone)]
pub enum Op {
    /// Creates or replaces.
    Put {
        /// Where.
        key: String,
        /// What.
        value: Bytes,
    },
    /// Deletes; an absent key is not an error.
    Delete {
        /// Where.
        key: String,
    },
}

/// Writes that happen together or not at all, under conditions. One revision for the whole transaction.
#[derive(Debug, Clone, Default)]
pub struct Txn {
    /// Key and the revision it must have; 0 means it must be absent.
    pub conditions: Vec<(String, u64)>,
    /// Each key at most once.
    pub ops: Vec<Op>,
}

impl Txn {
    pub(crate) fn n_bytes(&self) -> usize {
        let op_bytes = |op: &Op| match op {
            Op::Put { key, value } => key.len() + value.len(),
            Op::Delete { key } => key.len(),
        };
        self.ops.iter().map(op_bytes).sum()
    }

    pub(crate) fn check_size(&self) -> Result<(), CommitError> {
        let n_ops = self.ops.len().max(self.conditions.len());
        if MAX_TXN_OPS < n_ops {
            let text = format!("{n_ops} operations, at most {MAX_TXN_OPS} are allowed");
            return Err(CommitError::TooLarge(text));
        }
        let n_bytes = self.n_bytes();
        if MAX_TXN_BYTES < n_bytes {
            let text = format!("{n_bytes} bytes, at most {MAX_TXN_BYTES} are allowed");
            return Err(CommitError::TooLarge(text));
        }
        Ok(())
    }
}

/// What a durable transaction did.
#[derive(Debug)]
pub struct Committed {
    /// Revision of its writes; when it changed nothing, the revision it saw.
    pub revision: u64,
    /// The new record of each `Put`, the last record of each `Delete`, in the order of `ops` (`None`: nothing was deleted).
    pub records: Vec<Option<Arc<Record>>>,
}

/// Why a transaction did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold; `current` is what the key has.
    #[error("{key} was written meanwhile")]
    Conflict {
        /// The key of the condition.
        key: String,
        /// What the key has; `None`: it is absent.
        current: Option<Arc<Record>>,
    },
    /// The transaction exceeds 128 operations or 1.5 MiB: which of them is in the text.
    #[error("transaction too large: {0}")]
    TooLarge(String),
    /// A value that is kept sealed cannot be: why is in the text.
    #[error("{0}")]
    Unsealed(String),
    /// No space left; reads and deletes go on.
    #[error("disk is full")]
    DiskFull,
    /// The store is closed or its writer has failed.
    #[error("store is closed")]
    Closed,
}
