//! How large the change of a LoRA is: ‖ΔW‖ of ΔW = alpha/rank · B·A, from its halves alone.

/// ‖B·A‖² by Frobenius, of B (out × rank) and A (rank × in), rows first: the trace of (BᵀB)(AAᵀ), so that no matrix is larger
/// than rank × rank.
pub(super) fn square(down: &[f32], up: &[f32], rank: usize) -> f64 {
    let rows: Vec<&[f32]> = down.chunks_exact(down.len() / rank).collect();
    let columns: Vec<Vec<f32>> = (0..rank).map(|i| up.iter().skip(i).step_by(rank).copied().collect()).collect();
    let product = |i: usize, j: usize| dot(&columns[i], &columns[j]) * dot(rows[i], rows[j]);
    let twice = |i: usize| 2.0 * (0..i).map(|j| product(i, j)).sum::<f64>();
    (0..rank).map(|i| product(i, i) + twice(i)).sum::<f64>().max(0.0)
}

/// In lanes, each of which stays exact enough.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0f64; LANES];
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest = a.1.iter().zip(b.1).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_norm_of_the_product() {
        let (rank, inputs, outputs) = (3, 11, 9);
        let numbers = |n: usize, by: f32| (0..n).map(|i| ((i as f32 * by).sin() * 2.0).fract()).collect::<Vec<_>>();
        let (down, up) = (numbers(rank * inputs, 0.7), numbers(outputs * rank, 1.3));
        let at = |i: usize, j: usize| -> f64 {
            (0..rank).map(|r| f64::from(up[i * rank + r]) * f64::from(down[r * inputs + j])).sum()
        };
        let direct: f64 =
            (0..outputs).flat_map(|i| (0..inputs).map(move |j| (i, j))).map(|(i, j)| at(i, j).powi(2)).sum();
        assert!((square(&down, &up, rank) - direct).abs() < 1e-9 * direct);
        assert_eq!(square(&[0.0; 6], &[1.0; 4], 2), 0.0);
    }
}
