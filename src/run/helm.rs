//! What somebody wants of a run that goes on, who watches over the files that it was made of.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hyper_flow_cache::Key;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// That this is told.
    Tell(String),
    /// That no more nodes start, for this reason. Those that run are let finish.
    Finish(String),
    /// That those that run stop too, with a checkpoint, for this reason.
    Stop(String),
}

/// The keys of the nodes that run.
type Running = Arc<Mutex<BTreeSet<Key>>>;

/// Where orders are given.
#[derive(Debug, Clone)]
pub struct Helm {
    orders: UnboundedSender<Order>,
    running: Running,
}

/// Where the run hears them.
#[derive(Debug)]
pub struct Orders {
    orders: UnboundedReceiver<Order>,
    running: Running,
}

/// Both ends.
pub fn helm() -> (Helm, Orders) {
    let (sender, orders) = unbounded_channel();
    let running = Running::default();
    (Helm { orders: sender, running: Arc::clone(&running) }, Orders { orders, running })
}

impl Helm {
    /// Gives an order. A run that is over takes none.
    pub fn give(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// The keys of the nodes that run now.
    pub fn running(&self) -> BTreeSet<Key> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Orders {
    /// The next order; never comes back if there will be none.
    pub(super) async fn next(&mut self) -> Order {
        match self.orders.recv().await {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }

    /// A node of this key runs.
    pub(super) fn begin(&self, key: Key) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    /// It runs no more.
    pub(super) fn end(&self, key: &Key) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
