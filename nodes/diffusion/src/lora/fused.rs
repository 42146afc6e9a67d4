//! Adapters that are added to a module's weight for one pass, where that takes fewer products than their own outputs do: in
//! small layers that see much.

use super::adapters::Acting;
use tch::Tensor;

/// Whether a module of this weight, with adapters, is cheaper by the sum of the weights. `positions` is how many rows it
/// multiplies. Dropout acts on an adapter's input, and in 16 bits the sum would round the adapter away.
///
/// Decided by what is trained, not by whether a graph is recorded: a part of a network that is computed again does the same.
pub(super) fn is_cheaper(layers: &[Acting<'_>], weight: &Tensor, positions: impl Fn() -> i64) -> bool {
    let fits = |acting: &Acting<'_>| acting.dropout.is_none() && acting.layer.down.kind() == weight.kind();
    if layers.is_empty() || !layers.iter().all(fits) {
        return false;
    }
    let (n, values, out) = (positions(), weight.numel() as i64, weight.size()[0]);
    let (inner, trained) = (values / out, layers.iter().any(|acting| acting.layer.down.requires_grad()));
    let rank: i64 = layers.iter().map(|acting| acting.layer.rank()).sum();
    if !trained {
        return rank * values <= n * rank * (inner + out);
    }
    // Forward, and twice as much backward. Beside that a sum has the gradient of the whole weight.
    let (apart, together) = (3 * n * rank * (inner + out), 3 * rank * values + n * values);
    // What the graph holds until the backward pass: the sum in place of what is between down and up.
    together <= apart && values <= 2 * n * rank
}

/// The weight of a module with what adapters add to it.
pub(super) fn weight(layers: &[Acting<'_>], weight: &Tensor) -> Tensor {
    let add = |sum: Tensor, acting: &Acting<'_>| {
        let (down, up) = (acting.layer.down.flatten(1, -1), acting.layer.up.flatten(1, -1));
        // Scaled where it is smaller.
        let scale = acting.weight * acting.layer.scale();
        if up.numel() < down.numel() { sum.addmm(&(up * scale), &down) } else { sum.addmm(&up, &(down * scale)) }
    };
    layers.iter().fold(weight.flatten(1, -1), add).reshape(weight.size())
}
