//! LIME on scores that are known, so that its answer is known too.

use sightline::asked::{Asked, Scored};
use sightline::explain::Explain;
use sightline::explain::fill::Fill;
use sightline::explain::lime::emulator::{CELLS, Coverage, Emulator, GRID, priors};
use sightline::explain::lime::{
    Estimator, Explanation, Lime, Options, Sampler, Sampling, Segmentation, Segments, TRAINED_ON,
    rank_correlation,
};
use sightline::package::Output;
use sightline::radiograph::{GreyImage, Input, Resize};

const SIDE: usize = 96;

fn input() -> Input {
    Input {
        levels: Default::default(),
        size: SIDE,
        resize: Resize::Stretch,
        channels: 1,
        mean: vec![0.0],
        std: vec![1.0],
    }
}

/// Four by four fields of different grey.
fn picture() -> GreyImage {
    let level = |place: usize| {
        let (x, y) = (place % SIDE * 4 / SIDE, place / SIDE * 4 / SIDE);
        (20 + 60 * ((x + y) % 4) + 5 * x) as u8
    };
    GreyImage {
        width: SIDE,
        height: SIDE,
        pixels: (0..SIDE * SIDE).map(level).collect(),
    }
}

/// The upper left quarter's light, as log-odds; a second finding that was not trained; one that never changes. Each with its evidence, so
/// that either estimator can be run on them.
fn scores(picture: &[f32]) -> Scored {
    const STRENGTH: f64 = 4.0;
    let mut light = vec![-0.5 * STRENGTH / CELLS as f64; CELLS];
    for (place, &value) in picture.iter().take(SIDE * SIDE).enumerate() {
        let (x, y) = (place % SIDE, place / SIDE);
        if x < SIDE / 2 && y < SIDE / 2 {
            let part = f64::from(value) / (SIDE * SIDE / 4) as f64;
            light[y * GRID / SIDE * GRID + x * GRID / SIDE] += STRENGTH * part;
        }
    }
    let log_odds: f64 = light.iter().sum();
    let quarter = (0.25f64 / 0.75).ln() / CELLS as f64;
    let light = light.into_iter().map(|part| part as f32);
    Scored {
        probabilities: vec![Some(probability(log_odds)), None, Some(0.25)],
        evidence: light
            .chain([0.0; CELLS])
            .chain([quarter as f32; CELLS])
            .collect(),
        maps: Vec::new(),
    }
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A network whose cells see a little more than themselves, each two of them together: what a linear model of the score takes for noise.
fn network(picture: &[f32]) -> Scored {
    of_cells(picture, |lights, cell| {
        let strength = ((cell * 7) % 11) as f64 - 5.0;
        let beside = lights[(cell + 1) % CELLS];
        0.6 * strength * (lights[cell] * beside + 0.5 * (6.0 * lights[cell]).sin())
    })
}

/// A network whose cells see what lies elsewhere: nothing that an emulator of cells could know.
fn far_sighted(picture: &[f32]) -> Scored {
    of_cells(picture, |lights, cell| {
        let strength = ((cell * 7) % 11) as f64 - 5.0;
        let (one, other) = (
            lights[(cell * 19 + 5) % CELLS],
            lights[(cell * 31 + 11) % CELLS],
        );
        0.6 * strength * (one * other + 0.5 * (6.0 * one).sin())
    })
}

/// One finding, of which each cell's evidence is made of all cells' light; and one that was not trained.
fn of_cells(picture: &[f32], evidence: impl Fn(&[f64], usize) -> f64) -> Scored {
    let light = |cell: usize| {
        let (x, y) = (cell % GRID * SIDE / GRID, cell / GRID * SIDE / GRID);
        let step = SIDE / GRID;
        let pixels = (y..y + step).flat_map(|y| (x..x + step).map(move |x| picture[y * SIDE + x]));
        f64::from(pixels.sum::<f32>()) / (step * step) as f64
    };
    let lights: Vec<f64> = (0..CELLS).map(light).collect();
    let evidence: Vec<f64> = (0..CELLS).map(|cell| evidence(&lights, cell)).collect();
    let trained = evidence.iter().map(|value| *value as f32);
    Scored {
        probabilities: vec![Some(probability(evidence.iter().sum())), None],
        evidence: trained.chain([0.0; CELLS]).collect(),
        maps: Vec::new(),
    }
}

fn explain(options: Options, batch: usize) -> Explanation {
    explain_all(scores, options, batch)
}

fn explain_all(network: fn(&[f32]) -> Scored, options: Options, batch: usize) -> Explanation {
    let mut lime = Lime::new(&picture(), &input(), options);
    while !lime.is_done() {
        let values = lime.next_batch(batch);
        lime.push(values.chunks_exact(SIDE * SIDE).map(network).collect());
    }
    lime.outcome().expect("samples were scored")
}

/// What the tests below are to hold for.
const ESTIMATORS: [Estimator; 2] = [Estimator::Emulation, Estimator::Regression];

#[test]
fn the_default_estimator_is_what_these_tests_run() {
    let [emulated, regressed] = ESTIMATORS.map(|estimator| {
        explain(
            Options {
                estimator,
                ..options()
            },
            16,
        )
    });
    assert_eq!(explain(options(), 16), emulated);
    let coefficients = |e: &Explanation| e.findings[0].clone().expect("trained").coefficients;
    assert_ne!(coefficients(&emulated), coefficients(&regressed));
}

fn options() -> Options {
    Options {
        samples: 300,
        until_stable: false,
        fill: Fill::Grey(0),
        ..Options::default()
    }
}

#[test]
fn regions_that_matter_are_found_and_others_are_not() {
    for estimator in ESTIMATORS {
        let options = Options {
            estimator,
            ..options()
        };
        let explanation = explain(options, 16);
        let map = explanation.map(Output(0)).expect("a trained finding");
        let finding = explanation.findings[0].as_ref().expect("trained");
        assert!(finding.r_squared > 0.9, "R2 {}", finding.r_squared);
        let at = |x: usize, y: usize| map.values[y * map.width + x];
        let (inside, outside) = (
            at(map.width / 4, map.height / 4),
            at(map.width - 9, map.height - 9),
        );
        assert!(inside > 0.01, "{estimator:?}: {inside}");
        assert!(
            outside.abs() < 0.1 * inside,
            "{estimator:?}: {outside} beside {inside}"
        );
        assert!(explanation.findings[1].is_none() && explanation.map(Output(1)).is_none());
        let constant = explanation.findings[2].as_ref().expect("trained");
        assert!(constant.coefficients.iter().all(|c| c.abs() < 1e-9));
        assert!((constant.intercept - 0.25).abs() < 1e-9);
    }
}

#[test]
fn the_same_seed_gives_the_same_however_it_is_batched() {
    for estimator in ESTIMATORS {
        let options = |seed| Options {
            estimator,
            seed,
            ..options()
        };
        let one = explain(options(1), 1);
        assert_eq!(explain(options(1), 7), one);
        let other = explain(options(2), 7);
        assert_ne!(other.findings, one.findings);
        assert_eq!(other.segments.count, one.segments.count);
    }
}

#[test]
fn regions_may_be_slics_and_old_reports_have_quickshifts() {
    let slic = Options {
        segmentation: Segmentation::Slic,
        ..options()
    };
    for estimator in ESTIMATORS {
        let slic = Options {
            estimator,
            ..slic.clone()
        };
        let explanation = explain(slic, 16);
        assert_ne!(explanation.segments, explain(options(), 16).segments);
        let finding = explanation.findings[0].as_ref().expect("trained");
        assert!(finding.r_squared > 0.9, "{estimator:?}");
    }
    let mut json = serde_json::to_value(&slic).expect("JSON");
    json.as_object_mut()
        .expect("an object")
        .remove("segmentation");
    let old: Options = serde_json::from_value(json).expect("an old report's options");
    assert_eq!(old, options());
}

#[test]
fn old_reports_are_of_regressions() {
    let mut json = serde_json::to_value(options()).expect("JSON");
    json.as_object_mut().expect("an object").remove("estimator");
    let old: Options = serde_json::from_value(json).expect("an old report's options");
    assert_eq!(old.estimator, Estimator::Regression);
    assert_eq!(options().estimator, Estimator::Emulation);
}

/// The root of the mean square of the differences of the first finding's coefficients.
fn distance(a: &Explanation, b: &Explanation) -> f64 {
    let of = |e: &Explanation| e.findings[0].clone().expect("trained").coefficients;
    let (a, b) = (of(a), of(b));
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
    (squares / a.len() as f64).sqrt()
}

fn by(estimator: Estimator, samples: usize, seed: u64) -> Options {
    Options {
        samples,
        estimator,
        seed,
        segmentation: Segmentation::Slic,
        ..options()
    }
}

#[test]
fn emulation_comes_nearer_to_very_many_samples_than_regression() {
    let many = explain_all(network, by(Estimator::Regression, 8000, 7), 64);
    for samples in [75, 150, 400] {
        let regressed = explain_all(network, by(Estimator::Regression, samples, 1), 50);
        let emulated = explain_all(network, by(Estimator::Emulation, samples, 1), 50);
        let (theirs, ours) = (distance(&regressed, &many), distance(&emulated, &many));
        assert!(ours < 0.8 * theirs, "{samples}: {ours}, {theirs}");
        assert!(emulated.findings[1].is_none());
        let finding = emulated.findings[0].as_ref().expect("trained");
        assert!((0.0..=1.0).contains(&finding.r_squared), "{finding:?}");
    }
}

#[test]
fn emulation_does_not_depend_on_batches_either() {
    for samples in [60, 130, TRAINED_ON + 50] {
        let one = explain_all(network, by(Estimator::Emulation, samples, 1), 1);
        let other = explain_all(network, by(Estimator::Emulation, samples, 1), 37);
        assert_eq!(one, other, "{samples}");
    }
}

#[test]
fn an_emulator_predicts_samples_that_it_never_saw() {
    let options = by(Estimator::Emulation, 1000, 3);
    let mut lime = Lime::new(&picture(), &input(), options.clone());
    let values = lime.next_batch(400);
    let scored: Vec<Scored> = values.chunks_exact(SIDE * SIDE).map(network).collect();
    lime.push(scored.clone());
    let segments = lime.outcome().expect("samples").segments;
    let samples = Sampler::new(options.sampling, segments.count, options.seed);
    let samples: Vec<Vec<bool>> = samples.take(400).collect();
    let evidence: Vec<Vec<f32>> = scored.iter().map(|s| s.evidence.clone()).collect();
    let log_odds = |evidence: &Vec<f32>| -> f64 {
        evidence[..CELLS].iter().map(|cell| f64::from(*cell)).sum()
    };
    let priors = priors(&samples[..100], &evidence[..100], &Coverage::of(&segments));
    let emulator = Emulator::new(&priors, &samples[..200], &evidence[..200]);
    let unseen = samples[200..].to_vec();
    // Mean squares: of what is predicted wrongly, and of what there is to predict.
    let mean = evidence.iter().map(log_odds).sum::<f64>() / 400.0;
    let spread = evidence.iter().map(|e| (log_odds(e) - mean).powi(2));
    let spread = spread.sum::<f64>() / 400.0;
    let predicted = emulator.log_odds(&unseen);
    let missed = predicted.iter().zip(&evidence[200..]);
    let missed = missed.map(|(ours, e)| (ours[0] - log_odds(e)).powi(2));
    let missed = missed.sum::<f64>() / 200.0;
    assert!(missed < 0.3 * spread, "{missed} of {spread}");
    // What is left out is predicted as badly as what was never there, not as well as what is known.
    let left_out = emulator.left_out().iter().zip(&evidence);
    let left_out = left_out.map(|(ours, e)| (ours[0] - log_odds(e)).powi(2));
    let left_out = left_out.sum::<f64>() / 200.0;
    assert!(
        (0.5..2.0).contains(&(left_out / missed)),
        "{left_out} {missed}"
    );
    // What it knows it misses by less, and as it would predict it.
    let fitted = emulator
        .fitted()
        .iter()
        .zip(emulator.log_odds(&samples[..200]));
    assert!(
        fitted
            .clone()
            .all(|(f, odds)| (f[0] - odds[0]).abs() < 1e-6)
    );
    let known = emulator.fitted().iter().zip(&evidence);
    let known = known
        .map(|(ours, e)| (ours[0] - log_odds(e)).powi(2))
        .sum::<f64>()
        / 200.0;
    assert!(known < 0.8 * left_out, "{known} {left_out}");
    assert_eq!(predicted[0][1], 0.0);
    // What pairs of opposite samples save changes nothing: so ordered, none is beside its opposite.
    let apart: Vec<usize> = (0..200).step_by(2).chain((1..200).step_by(2)).collect();
    let of = |all: &[usize]| -> (Vec<Vec<bool>>, Vec<Vec<f32>>) {
        let both = all
            .iter()
            .map(|i| (samples[*i].clone(), evidence[*i].clone()));
        both.unzip()
    };
    let (samples, evidence) = of(&apart);
    let alone = Emulator::new(&priors, &samples, &evidence);
    for (shown, predicted) in unseen.iter().zip(&predicted) {
        let ours = alone.log_odds(std::slice::from_ref(shown))[0][0];
        assert!(
            (ours - predicted[0]).abs() < 1e-9,
            "{ours} {}",
            predicted[0]
        );
    }
    for (place, sample) in apart.iter().enumerate() {
        let (one, other) = (alone.left_out()[place][0], emulator.left_out()[*sample][0]);
        assert!((one - other).abs() < 1e-9, "{one} {other}");
    }
}

/// The number of coefficients whose 95% intervals hold what very many samples say, for each of [`COVERED`] numbers of samples; the samples of
/// several seeds taken together.
fn coverage(network: fn(&[f32]) -> Scored, way: (Estimator, Sampling)) -> [f64; COVERED.len()] {
    let truth = explain_all(network, by(Estimator::Regression, 12_000, 77), 64);
    let truth = truth.findings[0].as_ref().expect("trained");
    let most = COVERED[COVERED.len() - 1];
    let held = |seed: u64| {
        let options = Options {
            sampling: way.1,
            ..by(way.0, most, seed)
        };
        let mut lime = Lime::new(&picture(), &input(), options);
        let mut held = [0; COVERED.len()];
        for scored in (25..=most).step_by(25) {
            let values = lime.next_batch(25);
            lime.push(values.chunks_exact(SIDE * SIDE).map(network).collect());
            let Some(place) = COVERED.iter().position(|samples| *samples == scored) else {
                continue;
            };
            let ours = lime.outcome().expect("samples were scored").findings;
            let ours = ours[0].clone().expect("trained");
            let both = ours.coefficients.iter().zip(&truth.coefficients);
            let known = ours.margins.iter().zip(&truth.margins);
            held[place] += both
                .zip(known)
                // What very many samples say is not quite known either.
                .filter(|((ours, truth), (margin, known))| {
                    (*ours - *truth).abs() <= margin.hypot(**known)
                })
                .count();
        }
        held
    };
    const SEEDS: u64 = 6;
    let by_seed: Vec<[usize; COVERED.len()]> = std::thread::scope(|scope| {
        let threads = (1..=SEEDS).map(|seed| scope.spawn(move || held(seed)));
        let threads: Vec<_> = threads.collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|held| held.expect("no panic")).collect()
    });
    let all = (truth.coefficients.len() as u64 * SEEDS) as f64;
    std::array::from_fn(|place| by_seed.iter().map(|held| held[place]).sum::<usize>() as f64 / all)
}

const COVERED: [usize; 5] = [75, 100, 200, 400, 1000];

#[test]
fn intervals_hold_the_answer_of_many_samples_however_few_there_are_and_whatever_the_network() {
    let emulation = (Estimator::Emulation, Sampling::Orthogonal);
    for (network, name) in [
        (network as fn(&[f32]) -> Scored, "near"),
        (far_sighted, "far"),
    ] {
        let held = coverage(network, emulation);
        for (samples, held) in COVERED.into_iter().zip(held) {
            assert!((0.9..=0.995).contains(&held), "{name}, {samples}: {held}");
        }
        let mean = held.iter().sum::<f64>() / held.len() as f64;
        assert!((0.93..=0.985).contains(&mean), "{name}: {mean}");
    }
}

#[test]
fn intervals_of_regressions_hold_it_too() {
    for sampling in [
        Sampling::Bernoulli,
        Sampling::Antithetic,
        Sampling::Orthogonal,
    ] {
        let held = coverage(network, (Estimator::Regression, sampling));
        for (samples, held) in COVERED.into_iter().zip(held) {
            assert!(
                (0.9..=1.0).contains(&held),
                "{sampling:?}, {samples}: {held}"
            );
        }
    }
}

#[test]
fn it_stops_when_the_maps_no_longer_change_however_samples_are_batched() {
    for estimator in ESTIMATORS {
        let until_stable = Options {
            samples: 5000,
            until_stable: true,
            estimator,
            ..options()
        };
        let explanation = explain(until_stable.clone(), 8);
        assert_eq!(explanation, explain(until_stable, 37));
        assert!(
            explanation.stable && explanation.samples < 2000,
            "{estimator:?}: {} samples",
            explanation.samples
        );
    }
}

#[test]
fn every_fill_hides_and_the_whole_picture_comes_first() {
    for fill in [Fill::Mean, Fill::PictureMean, Fill::Grey(128), Fill::Blur] {
        let mut lime = Lime::new(&picture(), &input(), Options { fill, ..options() });
        let both = lime.next_batch(2);
        let (whole, hidden) = both.split_at(SIDE * SIDE);
        let expected = input().normalise(&picture());
        assert_eq!(whole, expected, "{fill:?}");
        assert!(hidden.iter().all(|v| (0.0..=1.0).contains(v)), "{fill:?}");
        assert!(
            fill == Fill::Mean || hidden != whole,
            "{fill:?} hides nothing"
        );
    }
}

#[test]
fn segments_are_written_as_runs_and_bad_ones_are_refused() {
    let segments = explain(options(), 64).segments;
    let json = serde_json::to_string(&segments).expect("JSON");
    assert!(json.len() < 40_000, "{} bytes", json.len());
    assert_eq!(
        serde_json::from_str::<Segments>(&json).expect("read"),
        segments
    );
    for bad in [
        r#"{"width": 2, "height": 2, "count": 2, "runs": [[0, 2], [1, 1]]}"#,
        r#"{"width": 2, "height": 2, "count": 1, "runs": [[0, 3], [1, 1]]}"#,
        r#"{"width": 18446744073709551615, "height": 2, "count": 1, "runs": [[0, 1]]}"#,
    ] {
        assert!(serde_json::from_str::<Segments>(bad).is_err(), "{bad}");
    }
}

#[test]
fn rank_correlation_is_spearmans() {
    let close = |a: &[f64], b: &[f64], expected: f64| {
        let ours = rank_correlation(a, b);
        assert!((ours - expected).abs() < 1e-12, "{ours} {expected}");
    };
    close(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0], 1.0);
    close(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], -1.0);
    // scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4])
    close(
        &[1.0, 2.0, 2.0, 4.0],
        &[1.0, 3.0, 2.0, 4.0],
        0.948_683_298_050_513_9,
    );
}

#[test]
fn a_block_of_orthogonal_samples_shows_every_two_regions_in_all_ways_equally_often() {
    // White where shown, black where hidden: the samples can be read from the pictures.
    let white = GreyImage {
        pixels: vec![255; SIDE * SIDE],
        ..picture()
    };
    let mut options = Options {
        segmentation: Segmentation::Slic,
        sampling: Sampling::Orthogonal,
        ..options()
    };
    options.samples = 10_000;
    let mut lime = Lime::new(&white, &input(), options);
    let values = lime.next_batch(1);
    lime.push(values.chunks_exact(SIDE * SIDE).map(scores).collect());
    let segments = lime.outcome().expect("the whole picture").segments;
    let labels = segments.scaled(SIDE, SIDE).labels;
    let place = |region: usize| labels.iter().position(|l| usize::from(*l) == region);
    let places: Vec<usize> = (0..segments.count).filter_map(place).collect();
    assert!(places.len() > 20);
    // A block and its fold-over.
    let rows = 2 * (segments.count + 1).next_power_of_two();
    let values = lime.next_batch(rows);
    let samples: Vec<Vec<bool>> = values
        .chunks_exact(SIDE * SIDE)
        .map(|picture| places.iter().map(|place| picture[*place] > 0.5).collect())
        .collect();
    for (a, b) in [(0, 1), (3, 17), (places.len() - 1, 5)] {
        for ways in [(false, false), (false, true), (true, false), (true, true)] {
            let found = samples.iter().filter(|s| (s[a], s[b]) == ways).count();
            assert_eq!(found * 4, rows, "{a} {b} {ways:?}");
        }
    }
    for pair in samples.chunks_exact(2) {
        assert!(pair[0].iter().zip(&pair[1]).all(|(a, b)| a != b));
    }
}
