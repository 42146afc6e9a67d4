//! Exponential moving averages of parameters.

use tch::{Tensor, no_grad};

/// Moves each average towards its parameter in place: `average ← decay · average + (1 − decay) · parameter`.
///
/// # Panics
/// If the lists differ in length or in shapes.
pub fn update_average(averages: &mut [Tensor], parameters: &[Tensor], decay: f64) {
    assert_eq!(averages.len(), parameters.len(), "each average has one parameter");
    no_grad(|| {
        for (average, parameter) in averages.iter_mut().zip(parameters) {
            let _ = average.lerp_(parameter, 1.0 - decay);
        }
    });
}
