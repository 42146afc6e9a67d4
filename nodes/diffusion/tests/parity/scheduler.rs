//! Schedules, grids and samplers against what tests/parity/scheduler.py saw in diffusers.

use crate::support::{assert_within, fixtures, input};
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::schedulers::*;
use hyper_flow_diffusion::weights::read_tensors;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, Tensor};

/// Of the largest value: float32 on both sides, coefficients rounded at other places.
const TOLERANCE: f64 = 1e-5;
const SHAPE: [i64; 4] = [2, 1, 4, 4];

fn reference() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("scheduler.safetensors"), Kind::Float, Device::Cpu).unwrap()
}

fn sd(prediction_type: PredictionType) -> SchedulerConfig {
    SchedulerConfig { set_alpha_to_one: true, ..SchedulerConfig::stable_diffusion(prediction_type) }
}

fn schedule(prediction_type: PredictionType) -> NoiseSchedule {
    NoiseSchedule::new(&sd(prediction_type)).unwrap()
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_within(TOLERANCE, what, ours, theirs);
}

#[test]
fn cumulative_alphas_are_equal_to_the_bit() {
    let reference = reference();
    let base = SchedulerConfig { clip_sample: false, ..SchedulerConfig::default() };
    let configs = [
        ("sd", sd(PredictionType::Epsilon)),
        ("linear", base.clone()),
        ("cosine", SchedulerConfig { beta_schedule: BetaSchedule::SquaredcosCapV2, ..base }),
        ("zero_snr", SchedulerConfig { rescale_betas_zero_snr: true, ..sd(PredictionType::VPrediction) }),
    ];
    for (name, config) in configs {
        let ours: Vec<_> = NoiseSchedule::new(&config).unwrap().alphas_cumprod().iter().map(|&a| a as f32).collect();
        let theirs = Vec::<f32>::try_from(&reference[&format!("alphas_cumprod.{name}")]).unwrap();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn every_grid_is_that_of_diffusers() {
    let text = std::fs::read_to_string(fixtures().join("scheduler.json")).unwrap();
    let grids: BTreeMap<String, BTreeMap<usize, Vec<f64>>> = serde_json::from_str(&text).unwrap();
    use TimestepSpacing::*;
    let ddim = |spacing, offset| Sampler::Ddim { spacing, offset };
    let euler = |spacing, offset| Sampler::Euler { spacing, offset };
    let samplers = BTreeMap::from([
        ("ddim_leading", ddim(Leading, 0)),
        ("ddim_leading_offset_1", ddim(Leading, 1)),
        ("ddim_trailing", ddim(Trailing, 0)),
        ("ddim_linspace", ddim(Linspace, 0)),
        ("euler_leading_offset_1", euler(Leading, 1)),
        ("euler_trailing", euler(Trailing, 0)),
        ("euler_linspace", euler(Linspace, 0)),
        ("tcd", Sampler::Tcd { eta: 0.0 }),
        ("lcm", Sampler::Lcm),
    ]);
    assert_eq!(grids.keys().map(String::as_str).collect::<Vec<_>>(), samplers.keys().copied().collect::<Vec<_>>());
    for (name, counts) in &grids {
        for (&steps, theirs) in counts {
            let ours = samplers[name.as_str()].timesteps(1000, steps).unwrap();
            // The spurious −1 that diffusers' float error appends (see `timesteps`).
            let spurious = theirs.len() == steps + 1 && theirs[steps] == -1.0;
            assert_eq!(ours, theirs[..theirs.len() - usize::from(spurious)], "{name} {steps}");
        }
    }
}

#[test]
fn the_grids_of_method_md() {
    let whole = |sampler: Sampler, steps| -> Vec<i64> {
        sampler.timesteps(1000, steps).unwrap().into_iter().map(|t| t as i64).collect()
    };
    let rows: [(usize, &[i64], &[i64]); 4] = [
        (1, &[999], &[999]),
        (2, &[999, 499], &[999, 499]),
        (4, &[999, 749, 499, 249], &[999, 759, 499, 259]),
        (8, &[999, 874, 749, 624, 499, 374, 249, 124], &[999, 879, 759, 639, 499, 379, 259, 139]),
    ];
    for (steps, trailing, tcd) in rows {
        assert_eq!(whole(Sampler::DDIM_TRAILING, steps), trailing);
        assert_eq!(whole(Sampler::Tcd { eta: 1.0 }, steps), tcd);
    }
}

#[test]
fn step_counts_that_a_grid_cannot_give_are_refused() {
    let refused = |sampler: Sampler, steps| sampler.timesteps(1000, steps).unwrap_err().to_string();
    assert_eq!(refused(Sampler::Lcm, 51), "steps: 51 is not in 1..=50 points of the distillation grid");
    assert_eq!(refused(Sampler::DDIM_TRAILING, 0), "steps: 0 is not in 1..=1000 training timesteps");
    assert_eq!(refused(Sampler::EULER_TRAILING, 1001), "steps: 1001 is not in 1..=1000 training timesteps");
    let leading = Sampler::Ddim { spacing: TimestepSpacing::Leading, offset: 1 };
    assert!(refused(leading, 1000).starts_with("steps_offset: 1 moves"));
    assert!(Sampler::Tcd { eta: 1.5 }.plan(&schedule(PredictionType::Epsilon), 4).is_err());
}

fn ten_steps(sampler: Sampler, schedule: &NoiseSchedule) -> Tensor {
    let plan = sampler.plan(schedule, 10).unwrap();
    let mut x = plan.start(&input("start", &SHAPE));
    // The reference takes noises in turn, whichever step asks.
    let mut noises = (0..).map(|i| input(&format!("noise.{i}"), &SHAPE));
    let states: Vec<_> = (0..plan.len())
        .map(|i| {
            let noise = plan.needs_noise(i).then(|| noises.next().unwrap());
            x = plan.step(i, &input(&format!("output.{i}"), &SHAPE), &x, noise.as_ref());
            x.shallow_clone()
        })
        .collect();
    Tensor::stack(&states, 0)
}

#[test]
fn ten_steps_of_every_sampler() {
    let reference = reference();
    let mut seen = 0;
    let mut check = |name: String, sampler, config: &SchedulerConfig| {
        let theirs = reference.get(&name).unwrap_or_else(|| panic!("no {name}"));
        assert_close(&name, &ten_steps(sampler, &NoiseSchedule::new(config).unwrap()), theirs);
        seen += 1;
    };
    for (kind, prediction) in [
        ("epsilon", PredictionType::Epsilon),
        ("v_prediction", PredictionType::VPrediction),
        ("sample", PredictionType::Sample),
    ] {
        let config = sd(prediction);
        for (name, spacing) in [
            ("leading", TimestepSpacing::Leading),
            ("trailing", TimestepSpacing::Trailing),
            ("linspace", TimestepSpacing::Linspace),
        ] {
            for (one, set_alpha_to_one) in [("False", false), ("True", true)] {
                let config = SchedulerConfig { set_alpha_to_one, ..config.clone() };
                check(format!("ddim.{kind}.{name}.{one}"), Sampler::Ddim { spacing, offset: 1 }, &config);
            }
            check(format!("euler.{kind}.{name}"), Sampler::Euler { spacing, offset: 1 }, &config);
        }
        for eta in [0.0, 0.3, 1.0] {
            check(format!("tcd.{kind}.{eta:.1}"), Sampler::Tcd { eta }, &config);
        }
        check(format!("lcm.{kind}"), Sampler::Lcm, &config);
    }
    let zero = SchedulerConfig { rescale_betas_zero_snr: true, ..sd(PredictionType::VPrediction) };
    check("zero_snr.ddim".into(), Sampler::DDIM_TRAILING, &zero);
    check("zero_snr.euler".into(), Sampler::EULER_TRAILING, &zero);
    let others = reference.keys().filter(|k| k.starts_with("alphas") || *k == "add_noise" || *k == "velocity").count();
    assert_eq!(seen + others, reference.len());
}

#[test]
fn noise_and_velocity_take_a_timestep_per_sample() {
    let (reference, schedule) = (reference(), schedule(PredictionType::VPrediction));
    let (x, noise) = (input("x0", &[4, 2, 3, 3]), input("noise", &[4, 2, 3, 3]));
    let t = Tensor::from_slice(&[0i64, 1, 500, 999]);
    assert_close("add_noise", &schedule.add_noise(&x, &noise, &t), &reference["add_noise"]);
    assert_close("velocity", &schedule.velocity(&x, &noise, &t), &reference["velocity"]);
    let row = schedule.add_noise(&x.narrow(0, 2, 1), &noise.narrow(0, 2, 1), 500);
    assert_eq!(row, schedule.add_noise(&x, &noise, &t).narrow(0, 2, 1));
}

#[test]
fn a_perfect_model_is_inverted_and_jumps_along_the_trajectory() {
    let (x0, noise) = (input("x0", &SHAPE).to_kind(Kind::Double), input("noise", &SHAPE).to_kind(Kind::Double));
    for kind in [PredictionType::Epsilon, PredictionType::VPrediction, PredictionType::Sample] {
        let schedule = schedule(kind);
        let t = Tensor::from_slice(&[3i64, 999]);
        let x_t = schedule.add_noise(&x0, &noise, &t);
        let output = schedule.target(&x0, &noise, &t);
        let prediction = schedule.prediction(&output, &x_t, &t);
        let near = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) < 1e-12;
        assert!(near(&prediction.x0, &x0) && near(&prediction.eps, &noise), "{kind:?}");
        let s = Tensor::from_slice(&[900i64, 0]);
        assert!(near(&schedule.jump(&output, &x_t, &t, &s), &schedule.add_noise(&x0, &noise, &s)), "{kind:?}");
        // −1 is the end of the trajectory, which with `set_alpha_to_one` is x0.
        assert!(near(&schedule.jump(&output, &x_t, &t, -1), &x0), "{kind:?}");
    }
}

#[test]
fn a_jump_to_where_one_is_changes_nothing() {
    let schedule = schedule(PredictionType::Epsilon);
    let (x, t) = (input("start", &SHAPE), Tensor::from_slice(&[999i64, 500]));
    let output = input("output.0", &SHAPE).set_requires_grad(true);
    assert_eq!(schedule.jump(&output, &x, 700, 700), x);
    let x_s = schedule.jump(&output, &x, &t, &Tensor::from_slice(&[999i64, 499]));
    assert_eq!(x_s.get(0), x.get(0));
    assert_ne!(x_s.get(1), x.get(1));
    x_s.sum(Kind::Float).backward();
    assert_eq!(output.grad().get(0).abs().max().double_value(&[]), 0.0);
    assert!(output.grad().get(1).abs().min().double_value(&[]) > 0.0);
}

#[test]
fn the_ends_of_the_schedule_are_told_apart() {
    let config = SchedulerConfig::stable_diffusion(PredictionType::Epsilon);
    let [own, one] = [false, true]
        .map(|set_alpha_to_one| NoiseSchedule::new(&SchedulerConfig { set_alpha_to_one, ..config.clone() }).unwrap());
    assert_eq!(own.alpha_cumprod(-1), own.alpha_cumprod(0));
    assert!((own.alpha_cumprod(0) - 0.99915).abs() < 1e-6);
    assert_eq!(one.alpha_cumprod(-1), 1.0);
    assert_eq!(one.train_timesteps(), 1000);
}

#[test]
fn renoising_gives_the_marginal_of_the_noisier_timestep() {
    let schedule = schedule(PredictionType::Epsilon);
    let n = [200_000i64];
    let draw = |purpose: &str| Rng::at(1, purpose, 0).randn(&n, (Kind::Double, Device::Cpu));
    let x_s = schedule.add_noise(&(draw("x") * 0.0 + 2.0), &draw("eps"), 300);
    let x_t = schedule.renoise(&x_s, &draw("z"), 300, 700);
    let alpha = schedule.alpha_cumprod(700);
    let (mean, variance) = (x_t.mean(Kind::Double).double_value(&[]), x_t.var(true).double_value(&[]));
    assert!((mean - 2.0 * alpha.sqrt()).abs() < 0.012, "{mean}");
    assert!((variance / (1.0 - alpha) - 1.0).abs() < 0.017, "{variance}");
    assert_eq!(schedule.renoise(&x_s, &draw("z"), 300, 300), x_s);
}

#[test]
fn half_precision_samples_keep_their_kind_and_are_computed_in_float() {
    let schedule = schedule(PredictionType::Epsilon);
    let [x, output] = ["start", "output.0"].map(|name| input(name, &SHAPE).to_kind(Kind::BFloat16));
    let t = Tensor::from_slice(&[999i64, 500]);
    let half = schedule.jump(&output, &x, &t, 20);
    let full = schedule.jump(&output.to_kind(Kind::Float), &x.to_kind(Kind::Float), &t, 20);
    assert_eq!(half.kind(), Kind::BFloat16);
    assert_eq!(half, full.to_kind(Kind::BFloat16));
}

#[test]
fn config_files_round_trip_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = SchedulerConfig { trained_betas: Some(vec![0.1; 1000]), ..sd(PredictionType::VPrediction) };
    config.write(folder.path()).unwrap();
    assert_eq!(SchedulerConfig::read(folder.path()).unwrap(), config);

    let file = folder.path().join("scheduler_config.json");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        SchedulerConfig::read(folder.path())
    };
    // As Stable Diffusion 1.5 ships it.
    let pndm = r#"{"_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "beta_start": 0.00085, "num_train_timesteps": 1000, "skip_prk_steps": true, "trained_betas": null}"#;
    let config = read(pndm).unwrap();
    assert_eq!((config.clip_sample, config.set_alpha_to_one, config.beta_start), (false, false, 0.00085));
    let message = |text| read(text).unwrap_err().to_string();
    assert!(message(r#"{"_class_name": "DDIMScheduler"}"#).contains("clip_sample and thresholding must be false"));
    assert!(message(r#"{"clip_sample": false, "prediction_type": "flow"}"#).contains("unknown variant `flow`"));
    assert!(message(r#"{"clip_sample": false, "rescale_betas_zero_snr": true}"#).contains("use v_prediction"));
    assert!(message("[").contains("scheduler_config.json: EOF"));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(SchedulerConfig::read(folder.path()), Err(DiffusionError::Io { .. })));

    let betas = SchedulerConfig { trained_betas: Some(vec![0.1; 3]), ..sd(PredictionType::Epsilon) };
    assert!(NoiseSchedule::new(&betas).unwrap_err().to_string().contains("[3] trained_betas for 1000 timesteps"));
}

#[test]
fn segments_that_cannot_be_are_refused() {
    let refused = |n, k| SegmentGrid::new(1000, n, k).unwrap_err().to_string();
    assert_eq!(refused(50, 0), "segments: 0 is not in 1..=50 solver steps");
    assert_eq!(refused(4, 8), "segments: 8 is not in 1..=4 solver steps");
    assert!(refused(1000, 8).contains("points 0 and 1 both lie at 0"));
    assert!(refused(700, 8).contains("too many for 1000 timesteps"));
}

#[test]
fn boundaries_are_what_samplers_visit() {
    let samplers: [(usize, &[Sampler]); 3] = [
        (50, &[Sampler::Tcd { eta: 0.0 }]),
        (40, &[Sampler::DDIM_TRAILING]),
        (200, &[Sampler::Tcd { eta: 0.0 }, Sampler::DDIM_TRAILING]),
    ];
    for (n, samplers) in samplers {
        for sampler in samplers {
            for k in [8, 4, 2, 1] {
                let grid = SegmentGrid::new(1000, n, k).unwrap();
                let visited = sampler.timesteps(1000, k).unwrap();
                // A k-step sampler stops where segments of the k-segment grid start, or inside the finer grid of N = 200.
                let points: BTreeSet<_> = grid.points().iter().copied().collect();
                assert!(visited.iter().all(|&t| points.contains(&(t as i64))), "{n} {k} {sampler:?}");
                if n != 200 {
                    let stops: Vec<_> = visited[1..].iter().rev().map(|&t| t as i64).collect();
                    assert_eq!(grid.boundaries()[1..], stops, "{n} {k}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_segment_has_a_target(n in 1usize..=500, k in 1usize..=500) {
        prop_assume!(k <= n);
        let grid = SegmentGrid::new(1000, n, k).unwrap();
        prop_assert!(grid.points().windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!((grid.points()[0], grid.points()[n]), (0, 999));
        let boundaries: Vec<_> = (0..k).map(|j| (j * n).div_ceil(k)).collect();
        for step in 1..=n {
            let start = grid.segment_start(step);
            // Not empty, a boundary, and the last one at or below the solver step's end.
            prop_assert!(start < step && boundaries.contains(&start));
            prop_assert!(boundaries.iter().all(|&b| b <= start || b > step - 1));
        }
        prop_assert_eq!(grid.boundaries().len(), k);
    }

    #[test]
    fn draws_lie_in_their_segment(n in 1usize..=200, k in 1usize..=8, seed: u64) {
        prop_assume!(k <= n);
        let grid = SegmentGrid::new(1000, n, k).unwrap();
        let draw = grid.draw(&mut Rng::at(seed, "timesteps", 0), 16, grid.solver_steps(), Device::Cpu);
        let [start, previous, end] =
            [&draw.start, &draw.previous, &draw.end].map(|t| Vec::<i64>::try_from(t).unwrap());
        for ((start, previous), end) in start.into_iter().zip(previous).zip(end) {
            let step = grid.points().binary_search(&start).unwrap();
            prop_assert_eq!(grid.points()[step - 1], previous);
            prop_assert!(grid.points()[grid.segment_start(step)] <= end && end <= previous);
        }
    }
}

#[test]
fn draws_reach_every_step_and_both_ends_of_a_segment() {
    let grid = SegmentGrid::new(1000, 6, 2).unwrap();
    let draw = grid.draw(&mut Rng::at(1, "timesteps", 0), 500, grid.solver_steps(), Device::Cpu);
    let [start, previous, end] = [&draw.start, &draw.previous, &draw.end].map(|t| Vec::<i64>::try_from(t).unwrap());
    assert_eq!(start.iter().collect::<BTreeSet<_>>().len(), 6);
    assert!(end.iter().zip(&previous).any(|(e, p)| e == p) && end.iter().zip(&previous).any(|(e, p)| e < p));
    assert_eq!(draw.end.min().int64_value(&[]), 0);
}
