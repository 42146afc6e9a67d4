//! Many tensors as one: what is done to all alike is then one operation for all, in place of one for each.

use tch::{Device, Kind, Tensor, no_grad};

/// Values that each tensor is filled up to a multiple of: 64 bytes of float32, so that each begins as well aligned as one
/// that was allocated alone, and kernels that look at it compute the same.
const ALIGNED: i64 = 16;

/// Values that are worked on at once on a CPU, so that what is computed between stays in its cache.
const CHUNK: i64 = 1 << 17;

/// One buffer, in which tensors of one dtype on one device lie one after another, with zeros between.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) whole: Tensor,
    /// The tensors, in the shapes that they have.
    pub(super) views: Vec<Tensor>,
}

impl Flat {
    /// A buffer of zeros for tensors like these.
    pub(super) fn zeros_like(tensors: &[Tensor]) -> Self {
        let room = |t: &Tensor| (t.numel() as i64 + ALIGNED - 1) / ALIGNED * ALIGNED;
        let size = tensors.iter().map(room).sum::<i64>();
        let options = tensors.first().map_or((Kind::Float, Device::Cpu), |t| (t.kind(), t.device()));
        let whole = Tensor::zeros([size], options);
        let mut first = 0;
        let view = |t: &Tensor| {
            let view = whole.narrow(0, first, t.numel() as i64).view(t.size().as_slice());
            first += room(t);
            view
        };
        let views = tensors.iter().map(view).collect();
        Self { whole, views }
    }

    /// A buffer with copies of tensors.
    pub(super) fn copying(tensors: &[Tensor]) -> Self {
        let flat = Self::zeros_like(tensors);
        no_grad(|| flat.views.iter().zip(tensors).for_each(|(view, t)| view.shallow_clone().copy_(t)));
        flat
    }

    /// A buffer that tensors move into: whoever holds one of them now holds a view.
    pub(super) fn taking(tensors: &[Tensor]) -> Self {
        let flat = Self::copying(tensors);
        flat.views.iter().zip(tensors).for_each(|(view, t)| t.shallow_clone().set_data(view));
        flat
    }

    /// Moves in a tensor that was put elsewhere since.
    pub(super) fn take_back(&self, index: usize, tensor: &Tensor) {
        let view = &self.views[index];
        if tensor.data_ptr() != view.data_ptr() {
            no_grad(|| view.shallow_clone().copy_(tensor));
            tensor.shallow_clone().set_data(view);
        }
    }

    /// Ranges that together are the buffer: one, or on a CPU as many as fit into its cache each.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        let size = self.whole.size()[0];
        let most = if self.whole.device() == Device::Cpu { CHUNK } else { size.max(1) };
        (0..size).step_by(most as usize).map(move |first| (first, most.min(size - first)))
    }
}
