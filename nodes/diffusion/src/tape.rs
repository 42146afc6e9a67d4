//! Gradient checkpointing (arXiv 1604.06174): the parts of a network are computed without a graph and again in the
//! backward pass, so that memory holds their inputs and the graph of one part instead of the graph of all.
//!
//! libtorch's own needs a custom autograd function, which cannot be written here. So a part's outputs are leaves that
//! gather gradients g; walking back, the part is computed anew from its inputs, and Σ(y·g) is propagated through it.

use crate::DiffusionError;
use std::cell::RefCell;
use tch::{Device, Kind, Tensor, no_grad, with_grad};

/// Records the parts of forward passes, and propagates gradients back through them.
///
/// ```
/// # use hyper_flow_diffusion::Tape;
/// # use tch::{Device, Kind, Tensor};
/// let w = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let x = Tensor::ones([1, 2], (Kind::Float, Device::Cpu));
/// let tape = Tape::new();
/// let [y] = tape.run([&x], |[x]| [x.matmul(&w).silu()]);
/// tape.backward(y.square().mean(Kind::Float))?;
/// assert!(w.grad().defined());
/// # Ok::<(), hyper_flow_diffusion::DiffusionError>(())
/// ```
#[derive(Default)]
pub struct Tape<'m> {
    segments: Option<RefCell<Vec<Segment<'m>>>>,
}

/// A part that was computed without a graph.
struct Segment<'m> {
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    run: Box<Run<'m>>,
}

type Run<'m> = dyn Fn(&[Tensor]) -> Vec<Tensor> + 'm;

impl<'m> Tape<'m> {
    /// An empty tape.
    pub fn new() -> Self {
        Self { segments: Some(RefCell::default()) }
    }

    /// A tape that records nothing: every part is computed once, with its graph where there is one.
    pub fn off() -> Self {
        Self::default()
    }

    /// Computes a part of a network: `f(inputs)`. Where gradients are not asked for ([`no_grad`]) it is just that.
    ///
    /// All that needs a gradient must be among the inputs or be a trainable leaf, such as a weight; `f` must give the same
    /// each time, and must not run on this tape itself.
    pub fn run<const I: usize, const O: usize>(
        &self,
        inputs: [&Tensor; I],
        f: impl Fn([&Tensor; I]) -> [Tensor; O] + 'm,
    ) -> [Tensor; O] {
        let Some(segments) = self.segments.as_ref().filter(|_| records_graphs()) else { return f(inputs) };
        let outputs = no_grad(|| f(inputs)).map(|y| y.detach().set_requires_grad(true));
        segments.borrow_mut().push(Segment {
            inputs: inputs.iter().map(|x| x.shallow_clone()).collect(),
            outputs: outputs.iter().map(Tensor::shallow_clone).collect(),
            run: Box::new(move |inputs| f(std::array::from_fn(|i| &inputs[i])).into()),
        });
        outputs
    }

    /// How many parts have been recorded.
    pub fn len(&self) -> usize {
        self.segments.as_ref().map_or(0, |segments| segments.borrow().len())
    }

    /// Whether nothing has been recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the gradient of `loss` to that of every trainable leaf that it depends on, directly or by recorded parts.
    ///
    /// Where a part's input was itself computed with a graph, outside of any part, that graph and the loss's own are
    /// kept to the end and passed twice: better make it a part, too.
    ///
    /// # Errors
    /// [`DiffusionError::Tensor`] if there is nothing to propagate to.
    pub fn backward(self, loss: Tensor) -> Result<(), DiffusionError> {
        let segments = self.segments.map(RefCell::into_inner).unwrap_or_default();
        let mut between = segments.iter().any(Segment::has_graph_before).then(|| Between::new(&segments));
        descend(loss, between.as_mut())?;
        // The last recorded first: when its turn comes, all that depends on a part has handed down its gradient.
        for segment in segments.into_iter().rev() {
            segment.backward(between.as_mut())?;
        }
        between.map_or(Ok(()), Between::finish)
    }
}

impl Segment<'_> {
    /// Whether what comes before this part is more than other parts, weights and data.
    fn has_graph_before(&self) -> bool {
        self.inputs.iter().any(|x| x.requires_grad() && !x.is_leaf())
    }

    /// Hands the gradients of the outputs on to the inputs, and on the way to the weights.
    fn backward(self, between: Option<&mut Between>) -> Result<(), DiffusionError> {
        let gradients: Vec<_> = self.outputs.iter().map(Tensor::grad).collect();
        if !gradients.iter().any(Tensor::defined) {
            return Ok(());
        }
        let leaf = |x: &Tensor| x.detach().set_requires_grad(x.requires_grad());
        let inputs: Vec<_> = self.inputs.iter().map(leaf).collect();
        let root = with_grad(|| weighted_sum(&(self.run)(&inputs), &gradients));
        root.map_or(Ok(()), |root| root.f_backward())?;
        let gradients: Vec<_> = inputs.iter().map(Tensor::grad).collect();
        let root = with_grad(|| weighted_sum(&self.inputs, &gradients));
        root.map_or(Ok(()), |root| descend(root, between.filter(|_| self.has_graph_before())))
    }
}

/// Σ(y·g) over the tensors that have a gradient and can hand it on: a scalar whose gradient with respect to each y is g.
fn weighted_sum(tensors: &[Tensor], gradients: &[Tensor]) -> Option<Tensor> {
    let pairs = tensors.iter().zip(gradients).filter(|(y, g)| y.requires_grad() && g.defined());
    pairs.map(|(y, g)| (y * g).sum(Kind::Float)).reduce(|a, b| a + b)
}

/// The graphs between parts. Several ways down lead through them and each would free them, so the first time only what
/// reaches the parts before is computed, and at the end all ways are gone together.
struct Between {
    /// The outputs of all parts.
    outputs: Vec<Tensor>,
    roots: Vec<Tensor>,
}

impl Between {
    fn new(segments: &[Segment<'_>]) -> Self {
        let outputs = segments.iter().flat_map(|segment| &segment.outputs).map(Tensor::shallow_clone).collect();
        Self { outputs, roots: Vec::new() }
    }

    /// Adds the gradients of a scalar to those of the outputs of parts.
    fn descend(&mut self, root: Tensor) -> Result<(), DiffusionError> {
        let gradients = Tensor::f_run_backward(&[&root], &self.outputs, true, false)?;
        self.roots.push(root);
        let root = weighted_sum(&self.outputs, &gradients);
        Ok(root.map_or(Ok(()), |root| root.f_backward())?)
    }

    /// Adds the gradients of all scalars to those of every other leaf.
    fn finish(self) -> Result<(), DiffusionError> {
        Ok(self.roots.into_iter().sum::<Tensor>().f_backward()?)
    }
}

/// Adds the gradients of a scalar to those of the leaves under it.
fn descend(root: Tensor, between: Option<&mut Between>) -> Result<(), DiffusionError> {
    match between {
        Some(between) => between.descend(root),
        None => Ok(root.f_backward()?),
    }
}

/// Whether operations of this thread record graphs. The library has no question for it, so one is tried.
fn records_graphs() -> bool {
    let leaf = Tensor::zeros([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    leaf.neg().requires_grad()
}

impl std::fmt::Debug for Tape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape").field("on", &self.segments.is_some()).field("segments", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    struct Leaves {
        x: Tensor,
        w: Tensor,
        v: Tensor,
    }

    impl Leaves {
        fn new() -> Self {
            let leaf = |name: &str, shape: &[i64]| {
                Rng::at(0, name, 0).randn(shape, (Kind::Double, Device::Cpu)).set_requires_grad(true)
            };
            Self { x: leaf("x", &[3, 4]), w: leaf("w", &[4, 4]), v: leaf("v", &[4, 4]) }
        }

        /// Parts of several inputs and outputs, tensors that feed several parts and the loss, an output that nothing
        /// takes, operations between parts, and inputs that depend on what came before.
        fn loss<'m>(&'m self, tape: &Tape<'m>) -> Tensor {
            let outer = self.x.tanh() * 1.5;
            let [a, b, _] = tape.run([&outer], |[x]| [x.matmul(&self.w).tanh(), x.sigmoid(), x * 3.0]);
            let between = (&a * &b).sin();
            let [c] = tape.run([&between, &outer, &between], |[p, x, q]| [(p * q + x).matmul(&self.v).tanh()]);
            let [d, e] = tape.run([&c, &a], |[c, a]| [c.matmul(&self.w) * a, c.shallow_clone()]);
            (d * e + &between * &outer + b).square().sum(Kind::Double)
        }

        fn gradients(&self) -> [Tensor; 3] {
            [&self.x, &self.w, &self.v].map(|leaf| leaf.grad())
        }
    }

    #[test]
    fn gradients_are_those_of_the_plain_pass() {
        let (plain, recomputed) = (Leaves::new(), Leaves::new());
        Tape::off().backward(plain.loss(&Tape::off())).unwrap();
        let tape = Tape::new();
        let loss = recomputed.loss(&tape);
        assert_eq!(tape.len(), 3);
        tape.backward(loss).unwrap();
        for (ours, theirs) in recomputed.gradients().iter().zip(plain.gradients()) {
            let difference = (ours - &theirs).abs().max() / theirs.abs().max();
            assert!(difference.double_value(&[]) < 1e-14, "{difference}");
        }
    }

    #[test]
    fn without_gradients_nothing_is_recorded() {
        let (leaves, tape) = (Leaves::new(), Tape::new());
        let loss = no_grad(|| leaves.loss(&tape));
        assert!(tape.is_empty() && !loss.requires_grad());
        assert!(loss == leaves.loss(&Tape::off()));
    }

    #[test]
    fn a_part_that_the_loss_does_not_depend_on_is_not_computed_again() {
        let (leaves, runs, tape) = (Leaves::new(), std::cell::Cell::new(0), Tape::new());
        let counted = |x: &Tensor| {
            runs.set(runs.get() + 1);
            [x.square()]
        };
        let [used] = tape.run([&leaves.x], |[x]| counted(x));
        let [_] = tape.run([&leaves.x], |[x]| counted(x));
        tape.backward(used.sum(Kind::Double)).unwrap();
        assert_eq!(runs.get(), 3);
    }

    #[test]
    fn a_product_that_overflows_in_half_precision_keeps_its_gradients() {
        let x = Tensor::full([4096], 200.0, (Kind::Half, Device::Cpu)).set_requires_grad(true);
        let tape = Tape::new();
        let [y] = tape.run([&x], |[x]| [x * 2.0]);
        tape.backward((y.to_kind(Kind::Float) * 300.0).sum(Kind::Float)).unwrap();
        let gradient = x.grad();
        assert_eq!([gradient.min(), gradient.max()].map(|t| t.double_value(&[])), [600.0; 2]);
    }
}
