//! The large tables of a plan, held by who may take the time to give them back.

use super::{Device, DevicePool, EmccSession, Plan, User, index, lookup};
use emcc_policies::route::RouteBook;
use emcc_policies::search_space::DialPlan;
use std::sync::Arc;

/// The tables of a plan that plans share and that are slow to drop.
#[derive(Debug)]
pub struct Kept {
    dial_plan: Arc<DialPlan>,
    routes: Arc<RouteBook>,
    device_pools: Arc<[DevicePool]>,
    devices: Arc<[Device]>,
    users: Arc<[User]>,
    sessions: Arc<[EmccSession]>,
    names: Arc<lookup::NameTables>,
    indexes: Arc<index::Indexes>,
}

impl Kept {
    /// Whether nobody else holds any of it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let counts = [
            Arc::strong_count(&self.dial_plan),
            Arc::strong_count(&self.routes),
            Arc::strong_count(&self.device_pools),
            Arc::strong_count(&self.devices),
            Arc::strong_count(&self.users),
            Arc::strong_count(&self.sessions),
            Arc::strong_count(&self.names),
            Arc::strong_count(&self.indexes),
        ];
        counts.iter().all(|count| *count == 1)
    }
}

impl Plan {
    /// Holds its large tables beyond its end.
    #[must_use]
    pub fn keep(&self) -> Kept {
        Kept {
            dial_plan: Arc::clone(&self.dial_plan),
            routes: Arc::clone(&self.routes),
            device_pools: Arc::clone(&self.device_pools),
            devices: Arc::clone(&self.devices),
            users: Arc::clone(&self.users),
            sessions: Arc::clone(&self.sessions),
            names: Arc::clone(&self.names),
            indexes: Arc::clone(&self.indexes),
        }
    }
}
