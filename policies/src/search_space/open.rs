//! Whether a partition can be reached at an hour, asked from outside.

use super::{DialPlan, PartitionId};
use crate::moment::Civil;

impl DialPlan {
    /// Whether a partition can be reached at `at` (D-4); one of another plan always.
    #[must_use]
    pub fn is_open(&self, partition: PartitionId, at: Civil) -> bool {
        self.hours.get(partition.0 as usize).and_then(Option::as_deref).is_none_or(|hours| hours.open(at))
    }
}
