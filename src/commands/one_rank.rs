//! A LoRA as every program reads it alike: one rank and one alpha in all modules.
//!
//! A module whose smaller side is below the rank has a rank and an alpha of its own, and diffusers (0.42) gives the attention
//! layers of a kohya file the alpha that most modules have.

use std::collections::{BTreeMap, BTreeSet};

use hyper_flow_cache::{Digest, Store, StoreError};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// The files of a LoRA artifact that are exported in another form than the store has them in, by their paths.
pub(super) fn of_artifact(store: &Store, artifact: &Digest) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let tree = store.tree(artifact)?;
    let loras = tree.entries().iter().map(|entry| &entry.path).filter(|path| path.ends_with(".safetensors"));
    let mut changed = BTreeMap::new();
    for path in loras {
        if let Some(bytes) = one_rank(&store.read(artifact, path)?) {
            changed.insert(path.clone(), bytes);
        }
    }
    Ok(changed)
}

/// A kohya file with the highest rank in all modules, lower ones filled up with zeros, and the same scale everywhere, by which
/// the upper halves of those that had another are multiplied. `None` if it is so already, or is no file that the kinds here
/// write (all of fp32, each module with both halves and an alpha).
fn one_rank(file: &[u8]) -> Option<Vec<u8>> {
    let tensors = SafeTensors::deserialize(file).ok()?;
    let names: BTreeSet<&str> = tensors.iter().filter_map(|(key, _)| key.split('.').next()).collect();
    let modules: Vec<Module> = names.into_iter().map(|name| Module::read(&tensors, name)).collect::<Option<_>>()?;
    let first = modules.first()?;
    if 3 * modules.len() != tensors.len() || modules.iter().all(|m| (m.rank, m.alpha) == (first.rank, first.alpha)) {
        return None;
    }
    let rank = modules.iter().map(|module| module.rank).max()?;
    let scale = modules.iter().find(|module| module.rank == rank)?.scale();
    if scale == 0.0 || !scale.is_finite() {
        return None;
    }
    let written: Vec<Tensor> = modules.iter().flat_map(|module| module.write(rank, scale)).collect();
    let views =
        written.iter().map(|t| TensorView::new(Dtype::F32, t.shape.clone(), &t.bytes).map(|view| (&t.name, view)));
    safetensors::serialize(views.collect::<Result<Vec<_>, _>>().ok()?, None).ok()
}

/// A tensor of fp32 to be written.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The adapter of one module: ΔW = alpha/rank · up · down.
struct Module {
    name: String,
    rank: usize,
    alpha: f32,
    /// (rank, …) and (out, rank, …).
    shapes: [Vec<usize>; 2],
    down: Vec<f32>,
    up: Vec<f32>,
}

impl Module {
    fn read(tensors: &SafeTensors<'_>, name: &str) -> Option<Self> {
        let part =
            |part: &str| tensors.tensor(&format!("{name}.{part}")).ok().filter(|view| view.dtype() == Dtype::F32);
        let (down, up) = (part("lora_down.weight")?, part("lora_up.weight")?);
        let rank = *down.shape().first()?;
        let alpha = numbers(part("alpha")?.data());
        let point = up.shape().get(1) == Some(&rank) && up.shape()[2..].iter().all(|&side| side == 1);
        let fits = rank > 0 && point && alpha.len() == 1;
        let shapes = [down.shape().to_vec(), up.shape().to_vec()];
        let (down, up) = (numbers(down.data()), numbers(up.data()));
        fits.then(|| Self { name: name.to_owned(), rank, alpha: alpha[0], shapes, down, up })
    }

    fn scale(&self) -> f64 {
        f64::from(self.alpha) / self.rank as f64
    }

    /// The same ΔW at another rank and scale.
    fn write(&self, rank: usize, scale: f64) -> [Tensor; 3] {
        let ratio = (self.scale() / scale) as f32;
        let scaled = |x: &f32| if ratio == 1.0 { *x } else { x * ratio };
        let mut down = self.down.clone();
        down.resize(self.down.len() / self.rank * rank, 0.0);
        let zeros = vec![0.0; rank - self.rank];
        let up: Vec<f32> =
            self.up.chunks(self.rank).flat_map(|row| row.iter().map(scaled).chain(zeros.iter().copied())).collect();
        let [mut down_shape, mut up_shape] = self.shapes.clone();
        (down_shape[0], up_shape[1]) = (rank, rank);
        let tensor = |part: &str, shape: Vec<usize>, numbers: &[f32]| {
            let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            Tensor { name: format!("{}.{part}", self.name), shape, bytes }
        };
        [
            tensor("lora_down.weight", down_shape, &down),
            tensor("lora_up.weight", up_shape, &up),
            tensor("alpha", Vec::new(), &[(scale * rank as f64) as f32]),
        ]
    }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of modules with a rank and an alpha each, on weights of 2×3.
    fn file(modules: &[(&str, usize, f32)]) -> Vec<u8> {
        let tensor = |name: String, shape: Vec<usize>, numbers: Vec<f32>| Tensor {
            name,
            shape,
            bytes: numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        let counted = |n: usize| (1..=n).map(|x| x as f32).collect();
        let tensors: Vec<Tensor> = modules
            .iter()
            .flat_map(|&(name, rank, alpha)| {
                [
                    tensor(format!("{name}.lora_down.weight"), vec![rank, 3], counted(3 * rank)),
                    tensor(format!("{name}.lora_up.weight"), vec![2, rank], counted(2 * rank)),
                    tensor(format!("{name}.alpha"), Vec::new(), vec![alpha]),
                ]
            })
            .collect();
        let views = tensors.iter().map(|t| (&t.name, TensorView::new(Dtype::F32, t.shape.clone(), &t.bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn read(bytes: &[u8], name: &str) -> Module {
        Module::read(&SafeTensors::deserialize(bytes).unwrap(), name).unwrap()
    }

    /// ΔW, (2, 3).
    fn delta(m: &Module) -> Vec<f64> {
        let at =
            |i: usize, j: usize| (0..m.rank).map(|r| f64::from(m.up[i * m.rank + r] * m.down[r * 3 + j])).sum::<f64>();
        (0..6).map(|k| at(k / 3, k % 3) * m.scale()).collect()
    }

    #[test]
    fn clipped_ranks_and_other_alphas_become_one_and_add_the_same() {
        let before = file(&[("a", 4, 8.0), ("b", 2, 4.0), ("c", 1, 0.5)]);
        let after = one_rank(&before).unwrap();
        for name in ["a", "b", "c"] {
            let (before, after) = (read(&before, name), read(&after, name));
            assert_eq!((after.rank, after.alpha), (4, 8.0), "{name}");
            assert_eq!((&after.shapes[0][..], &after.shapes[1][..]), (&[4, 3][..], &[2, 4][..]));
            assert_eq!(delta(&after), delta(&before), "{name}");
        }
        assert_eq!(one_rank(&after), None);
    }

    #[test]
    fn what_is_so_already_or_of_another_form_stays() {
        assert_eq!(one_rank(&file(&[("a", 2, 1.0), ("b", 2, 1.0)])), None);
        assert_eq!(one_rank(b"one\n"), None);
        assert_eq!(one_rank(&file(&[])), None);
    }
}
