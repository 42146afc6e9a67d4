//! A model that is trained, and its moving average.

use std::collections::BTreeMap;

use hyper_flow_diffusion::DiffusionError;
use tch::{Device, Tensor, nn, no_grad};

/// Two models of one make: the first is trained, the second is its moving average and what a node yields.
#[derive(Debug)]
pub(crate) struct Twin<M> {
    pub(crate) model: M,
    pub(crate) average: M,
    store: nn::VarStore,
    average_store: nn::VarStore,
}

impl<M> Twin<M> {
    /// Builds the model twice; `fill` initialises the first, which the second copies.
    pub(crate) fn new(
        device: Device,
        build: impl Fn(&nn::VarStore) -> Result<M, DiffusionError>,
        fill: impl Fn(&nn::VarStore),
    ) -> Result<Self, DiffusionError> {
        let (store, mut average_store) = (nn::VarStore::new(device), nn::VarStore::new(device));
        let (model, average) = (build(&store)?, build(&average_store)?);
        fill(&store);
        average_store.freeze();
        let twin = Self { model, average, store, average_store };
        no_grad(|| {
            for ((_, mut average), (_, tensor)) in twin.averages().into_iter().zip(twin.parameters()) {
                average.copy_(&tensor);
            }
        });
        Ok(twin)
    }

    /// The trained tensors, sorted by name.
    pub(crate) fn parameters(&self) -> Vec<(String, Tensor)> {
        by_name(&self.store)
    }

    /// The averaged tensors, sorted by name.
    pub(crate) fn averages(&self) -> Vec<(String, Tensor)> {
        by_name(&self.average_store)
    }

    /// The variables of the average, to be written.
    pub(crate) fn average_store(&self) -> &nn::VarStore {
        &self.average_store
    }
}

/// The tensors of a store, sorted by name.
pub(crate) fn by_name(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    store.variables().into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}
