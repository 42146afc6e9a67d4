//! Schedules, grids and samplers against what tests/parity/scheduler.py saw in diffusers.

use crate::support::{assert_within, fixtures, input};
use flate2::read::GzDecoder;
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::schedulers::*;
use hyper_flow_diffusion::weights::read_tensors;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use tch::{Device, Kind, Tensor};

/// Of the largest value: float32 on both sides, coefficients rounded at other places.
const TOLERANCE: f64 = 1e-5;
const SHAPE: [i64; 4] = [2, 1, 4, 4];

fn reference() -> BTreeMap<String, Tensor> {
    read_tensors(&fixtures().join("scheduler.safetensors"), Kind::Float, Device::Cpu).unwrap()
}

/// What the fixture in JSON says.
#[derive(Deserialize)]
struct Described {
    grids: BTreeMap<String, BTreeMap<usize, Vec<f64>>>,
    classes: BTreeMap<String, Map<String, Value>>,
    published: BTreeMap<String, Value>,
}

fn described() -> Described {
    let file = File::open(fixtures().join("scheduler.json.gz")).unwrap();
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
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

/// The noise schedules of the fixture. A v-prediction is what all of them can serve.
fn schedules() -> [(&'static str, NoiseSchedule); 4] {
    let base = SchedulerConfig { clip_sample: false, ..SchedulerConfig::default() };
    let configs = [
        ("sd", sd(PredictionType::VPrediction)),
        ("linear", base.clone()),
        ("cosine", SchedulerConfig { beta_schedule: BetaSchedule::SquaredcosCapV2, ..base }),
        ("zero_snr", SchedulerConfig { rescale_betas_zero_snr: true, ..sd(PredictionType::VPrediction) }),
    ];
    configs.map(|(name, config)| (name, NoiseSchedule::new(&config).unwrap()))
}

#[test]
fn cumulative_alphas_are_equal_to_the_bit() {
    let reference = reference();
    for (name, schedule) in schedules() {
        let ours: Vec<_> = schedule.alphas_cumprod().iter().map(|&a| a as f32).collect();
        let theirs = Vec::<f32>::try_from(&reference[&format!("alphas_cumprod.{name}")]).unwrap();
        let apart = ours.iter().zip(&theirs).map(|(a, b)| a.to_bits().abs_diff(b.to_bits())).max();
        // The reference's square roots are those of a CPU, some of which are not rounded right.
        assert_eq!(apart, Some(if name == "zero_snr" { 2 } else { 0 }), "{name}: units in the last place");
    }
}

/// The same on every CPU: nothing of them is computed by libtorch.
#[test]
fn cumulative_alphas_are_pinned() {
    let digest = |schedule: &NoiseSchedule| {
        let bits = schedule.alphas_cumprod().iter().flat_map(|&alpha| (alpha as f32).to_bits().to_le_bytes());
        bits.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    };
    let ours = schedules().map(|(_, schedule)| digest(&schedule));
    assert_eq!(ours, [0x552e_fb73_1a32_0022, 0x5b0a_d40d_73df_8aec, 0x6d74_34fd_fe96_5e9e, 0x167a_edc3_222c_828a]);
}

#[test]
fn every_grid_is_that_of_diffusers() {
    let grids = described().grids;
    use TimestepSpacing::*;
    let ddim = |spacing, offset| Sampler::Ddim { spacing, offset };
    let euler = |spacing, offset| Sampler::Euler { spacing, offset };
    let samplers = BTreeMap::from([
        ("ddim_leading", ddim(Leading, 0)),
        ("ddim_leading_offset_1", ddim(Leading, 1)),
        ("ddim_trailing", ddim(Trailing, 0)),
        ("ddim_linspace", ddim(Linspace, 0)),
        ("euler_leading", euler(Leading, 0)),
        ("euler_leading_offset_1", euler(Leading, 1)),
        ("euler_trailing", euler(Trailing, 0)),
        ("euler_linspace", euler(Linspace, 0)),
        ("tcd", Sampler::Tcd { eta: 0.0 }),
        ("lcm", Sampler::Lcm),
    ]);
    assert_eq!(grids.keys().map(String::as_str).collect::<Vec<_>>(), samplers.keys().copied().collect::<Vec<_>>());
    for (name, counts) in &grids {
        assert!((1..=50).all(|steps| counts.contains_key(&steps)));
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

/// The states after each of ten steps, and what the model is given before each.
fn ten_steps(sampler: Sampler, schedule: &NoiseSchedule) -> [Tensor; 2] {
    let plan = sampler.plan(schedule, 10).unwrap();
    let mut x = plan.start(&input("start", &SHAPE));
    // The reference takes noises in turn, whichever step asks.
    let mut noises = (0..).map(|i| input(&format!("noise.{i}"), &SHAPE));
    let (states, inputs): (Vec<_>, Vec<_>) = (0..plan.len())
        .map(|i| {
            let input_of_model = plan.model_input(&x, i);
            let noise = plan.needs_noise(i).then(|| noises.next().unwrap());
            x = plan.step(i, &input(&format!("output.{i}"), &SHAPE), &x, noise.as_ref());
            (x.shallow_clone(), input_of_model)
        })
        .unzip();
    [Tensor::stack(&states, 0), Tensor::stack(&inputs, 0)]
}

#[test]
fn ten_steps_of_every_sampler() {
    let reference = reference();
    let mut seen = 0;
    let mut check = |name: String, sampler, config: &SchedulerConfig| {
        let [states, inputs] = ten_steps(sampler, &NoiseSchedule::new(config).unwrap());
        let theirs = reference.get(&name).unwrap_or_else(|| panic!("no {name}"));
        assert_close(&name, &states, theirs);
        seen += 1;
        if let Some(theirs) = reference.get(&format!("{name}.inputs")) {
            assert_close(&name, &inputs, theirs);
            seen += 1;
        }
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
    for (kind, prediction) in [("v_prediction", PredictionType::VPrediction), ("sample", PredictionType::Sample)] {
        let zero = SchedulerConfig { rescale_betas_zero_snr: true, ..sd(prediction) };
        for (name, sampler) in [
            ("ddim", Sampler::DDIM_TRAILING),
            ("euler", Sampler::EULER_TRAILING),
            ("tcd", Sampler::Tcd { eta: 0.3 }),
            ("lcm", Sampler::Lcm),
        ] {
            check(format!("zero_snr.{kind}.{name}"), sampler, &zero);
        }
    }
    let others = ["alphas_cumprod.", "add_noise.", "velocity."];
    let others = reference.keys().filter(|key| others.iter().any(|other| key.starts_with(other))).count();
    assert_eq!(seen + others, reference.len());
}

#[test]
fn noise_and_velocity_take_a_timestep_per_sample() {
    let reference = reference();
    let (x, noise) = (input("x0", &[4, 2, 3, 3]), input("noise", &[4, 2, 3, 3]));
    let t = Tensor::from_slice(&[0i64, 1, 500, 999]);
    for (name, schedule) in schedules() {
        let noised = schedule.add_noise(&x, &noise, &t);
        assert_close(name, &noised, &reference[&format!("add_noise.{name}")]);
        assert_close(name, &schedule.velocity(&x, &noise, &t), &reference[&format!("velocity.{name}")]);
        let row = schedule.add_noise(&x.narrow(0, 2, 1), &noise.narrow(0, 2, 1), 500);
        assert_eq!(row, noised.narrow(0, 2, 1));
    }
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
    let message = |text| read(text).unwrap_err().to_string();
    assert!(message(r#"{"_class_name": "DDIMScheduler"}"#).contains("clip_sample and thresholding must be false"));
    assert!(message(r#"{"clip_sample": false, "prediction_type": "flow"}"#).contains("unknown variant `flow`"));
    assert!(
        message(r#"{"clip_sample": false, "rescale_betas_zero_snr": true}"#)
            .contains("set \"prediction_type\": \"v_prediction\"")
    );
    assert!(message("{").contains("scheduler_config.json: EOF"));
    for class in ["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "CogVideoXDDIMScheduler"] {
        let text = format!(r#"{{"_class_name": "{class}", "clip_sample": false}}"#);
        let message = read(&text).unwrap_err().to_string();
        assert!(message.contains(&format!("the noise of a {class} is not known here")), "{message}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(SchedulerConfig::read(folder.path()), Err(DiffusionError::Io { .. })));

    let betas = SchedulerConfig { trained_betas: Some(vec![0.1; 3]), ..sd(PredictionType::Epsilon) };
    assert!(NoiseSchedule::new(&betas).unwrap_err().to_string().contains("[3] trained_betas for 1000 timesteps"));
}

fn read(config: &Value) -> SchedulerConfig {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scheduler_config.json"), config.to_string()).unwrap();
    SchedulerConfig::read(folder.path()).unwrap()
}

#[test]
fn published_files_say_what_noise_their_models_know() {
    let published = described().published;
    let sd = NoiseSchedule::new(&sd(PredictionType::Epsilon)).unwrap();
    for (name, prediction) in
        [("sd15", PredictionType::Epsilon), ("sd21", PredictionType::VPrediction), ("sdxl", PredictionType::Epsilon)]
    {
        let config = read(&published[name]);
        let schedule = NoiseSchedule::new(&config).unwrap();
        assert_eq!(schedule.alphas_cumprod(), sd.alphas_cumprod(), "{name}");
        assert_eq!((config.prediction_type, config.set_alpha_to_one, config.steps_offset), (prediction, false, 1));
        assert_eq!(config.timestep_spacing, TimestepSpacing::Leading, "{name}");
    }
}

#[test]
fn what_a_file_leaves_out_is_what_its_class_means() {
    for (class, defaults) in described().classes {
        let named = if class.is_empty() { json!({}) } else { json!({"_class_name": class}) };
        let mut fields = named.as_object().cloned().unwrap();
        let clips = defaults.get("clip_sample") == Some(&json!(true));
        fields.insert("clip_sample".into(), json!(false));
        let ours = serde_json::to_value(read(&Value::Object(fields))).unwrap();
        for (field, theirs) in defaults.iter().filter(|(field, _)| *field != "clip_sample") {
            assert_eq!(&ours[field], theirs, "{class} {field}");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("scheduler_config.json"), named.to_string()).unwrap();
        assert_eq!(SchedulerConfig::read(folder.path()).is_err(), clips, "{class}");
    }
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

/// Every number of segments k of every grid of N ≤ 200 solver steps (2.7 million segment starts).
#[test]
fn every_solver_step_has_targets_in_its_segment() {
    for n in 1..=200usize {
        for k in 1..=n {
            let grid = SegmentGrid::new(1000, n, k).unwrap();
            assert_eq!((grid.points()[0], grid.points()[n]), (0, 999));
            assert!(grid.points().windows(2).all(|pair| pair[0] < pair[1]));
            // The last boundary at or below n − 1, which is below n: so there always is a target.
            let boundary = |j: usize| (j * n).div_ceil(k);
            let mut segment = 0;
            for step in 1..=n {
                while segment + 1 < k && boundary(segment + 1) < step {
                    segment += 1;
                }
                assert_eq!(grid.segment_start(step), boundary(segment), "N = {n}, k = {k}, n = {step}");
                assert!(boundary(segment) < step);
            }
            assert_eq!(grid.boundaries().len(), k);
        }
    }
}

proptest! {
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

/// Every number of segments k of every grid of N ≤ 200 solver steps, and every point n that a student can end at.
#[test]
fn a_discriminator_never_sees_a_sample_cleaner_than_it_is_nor_past_the_noisiest() {
    for n in 1..=200usize {
        for k in 1..=n {
            let grid = SegmentGrid::new(1000, n, k).unwrap();
            let length = 1000usize.div_ceil(k) as i64;
            for &end in &grid.points()[..n] {
                let (from, to) = grid.noise_range(end).into_inner();
                assert!(from == end && to >= from && to <= 999, "N = {n}, k = {k}: {from}..={to}");
                assert!(to == 999 || to - from + 1 == length, "N = {n}, k = {k}: {from}..={to}");
            }
            assert_eq!(grid.noise_range(-1), grid.noise_range(0), "the end of the trajectory");
        }
    }
}

proptest! {
    #[test]
    fn noised_timesteps_fill_their_range(n in 1usize..=200, k in 1usize..=200, seed: u64) {
        prop_assume!(k <= n);
        let grid = SegmentGrid::new(1000, n, k).unwrap();
        let ends = grid.draw(&mut Rng::at(seed, "ends", 0), 16, n, Device::Cpu).end;
        let uniform = Rng::at(seed, "uniform", 0).uniform(0.0, 1.0, &[16], (Kind::Float, Device::Cpu));
        // Both ends; a number just below 1 may be 1 in float32.
        uniform.narrow(0, 0, 2).copy_(&Tensor::from_slice(&[0f32, 1.0]));
        let noised = Vec::<i64>::try_from(grid.noised(&ends, &uniform)).unwrap();
        let ends = Vec::<i64>::try_from(ends).unwrap();
        for (&t, &end) in noised.iter().zip(&ends) {
            prop_assert!(grid.noise_range(end).contains(&t), "{} for {}", t, end);
        }
        prop_assert_eq!(noised[0], ends[0]);
        prop_assert_eq!(noised[1], *grid.noise_range(ends[1]).end());
    }

    #[test]
    fn phases_end_at_their_starts(n in 1usize..=200, k in 1usize..=8, seed: u64) {
        prop_assume!(k <= n);
        let grid = SegmentGrid::new(1000, n, k).unwrap().ending(Ends::Start);
        let draw = grid.draw(&mut Rng::at(seed, "timesteps", 0), 16, grid.solver_steps(), Device::Cpu);
        let [start, end] = [&draw.start, &draw.end].map(|t| Vec::<i64>::try_from(t).unwrap());
        for (start, end) in start.into_iter().zip(end) {
            let step = grid.points().binary_search(&start).unwrap();
            prop_assert_eq!(grid.points()[grid.segment_start(step)], end);
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
