//! Exponential moving averages of parameters.

use super::AdamW;
use super::flat::Flat;
use std::collections::BTreeMap;
use tch::{Tensor, no_grad};

/// The moving averages of what an optimiser trains, by the parameters' names. They are moved into buffers as the
/// optimiser moves the parameters.
#[derive(Debug, Default)]
pub struct Average {
    averages: BTreeMap<String, Tensor>,
    /// Those of each of the optimiser's blocks, and the names in it.
    blocks: Vec<(Vec<String>, Flat)>,
}

impl Average {
    /// Averages by the names of their parameters.
    pub fn new(averages: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self { averages: averages.into_iter().collect(), blocks: Vec::new() }
    }

    /// Moves each average towards its parameter in place: `average ← decay · average + (1 − decay) · parameter`.
    ///
    /// # Panics
    /// If a parameter has no average of its shape.
    pub fn follow(&mut self, optimiser: &AdamW, decay: f64) {
        self.gather(optimiser);
        no_grad(|| {
            for ((_, averages), block) in self.blocks.iter_mut().zip(&optimiser.blocks) {
                for (first, count) in averages.chunks() {
                    let part = |flat: &Flat| flat.whole.narrow(0, first, count);
                    let _ = part(averages).lerp_(&part(&block.parameters), 1.0 - decay);
                }
            }
            for (name, parameter) in optimiser.loose() {
                let _ = self.averages[name].shallow_clone().lerp_(parameter, 1.0 - decay);
            }
        });
    }

    /// Makes the blocks those of the optimiser.
    fn gather(&mut self, optimiser: &AdamW) {
        let same = self.blocks.iter().zip(&optimiser.blocks).take_while(|((names, _), block)| *names == block.names);
        let same = same.count();
        self.blocks.truncate(same);
        for block in &optimiser.blocks[same..] {
            let averages: Vec<_> = block.names.iter().map(|name| self.averages[name].shallow_clone()).collect();
            self.blocks.push((block.names.clone(), Flat::taking(&averages)));
        }
    }
}
