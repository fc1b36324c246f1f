use super::*;
use crate::radiograph::Resize;

const SIDE: usize = 56;
/// The grid of the maps.
const GRID: usize = 7;

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

fn picture() -> GreyImage {
    GreyImage {
        width: SIDE,
        height: SIDE,
        pixels: (0..SIDE * SIDE)
            .map(|i| (150 + i * 37 % 101) as u8)
            .collect(),
    }
}

/// A "network" that looks at cells as far as they count, by how little their pixels differ from the picture's.
fn network(counts: [f64; GRID * GRID]) -> impl Fn(&[f32]) -> f64 {
    let whole = input().normalise(&picture());
    move |values| {
        let kept = (0..SIDE * SIDE).map(|pixel| {
            let cell = pixel / SIDE * GRID / SIDE * GRID + pixel % SIDE * GRID / SIDE;
            let same = (values[pixel] - whole[pixel]).abs() < 0.02;
            counts[cell] * f64::from(u8::from(same))
        });
        let total = counts.iter().sum::<f64>() * (SIDE * SIDE / GRID / GRID) as f64;
        kept.sum::<f64>() / total
    }
}

/// The upper left corner.
fn corner() -> [f64; GRID * GRID] {
    std::array::from_fn(|cell| f64::from(u8::from(cell % GRID < 3 && cell / GRID < 2)))
}

fn map(values: [f64; GRID * GRID]) -> HeatMap {
    HeatMap::new(GRID, GRID, values.map(|value| value as f32).to_vec())
}

/// The output whose scores are given.
const OUTPUT: Output = Output(1);

fn run(map: &HeatMap, score: impl Fn(&[f32]) -> f64, options: Options) -> Faithfulness {
    let mut curves =
        Curves::new(&picture(), &input(), map, OUTPUT, options).expect("options are sound");
    while !curves.is_done() {
        assert_eq!(curves.outcome(), None);
        let batch = curves.next_batch(7);
        let scores = batch.chunks_exact(SIDE * SIDE).map(&score);
        let answers = scores.map(|score| Scored {
            probabilities: vec![None, Some(score)],
            ..Scored::default()
        });
        curves.push(answers.collect());
    }
    let progress = curves.progress();
    assert_eq!(progress.done, progress.total);
    curves.outcome().expect("all is scored")
}

/// Uniform in 0..1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    use rand_chacha::rand_core::RngCore;
    f64::from(random.next_u32()) / 2f64.powi(32)
}

#[test]
fn a_map_of_what_the_network_looks_at_is_told_from_chance_and_its_opposite_is_not() {
    let right = run(&map(corner()), network(corner()), Options::default());
    assert_eq!(right.verdict(), Verdict::Rests);
    assert_eq!([right.p_moved(), right.p_middle()], [0.05, 0.05]);
    assert!(right.gap > right.moved.iter().copied().fold(f64::MIN, f64::max));
    let opposite = corner().map(|value| -value);
    let wrong = run(&map(opposite), network(corner()), Options::default());
    assert_eq!(wrong.verdict(), Verdict::NoBetterThanElsewhere);
    assert!(right.deletion.area < wrong.deletion.area);
    assert!(right.insertion.area > wrong.insertion.area);
}

#[test]
fn of_random_maps_at_most_one_in_twenty_is_said_to_be_what_the_score_rests_on() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let (mut said, mut moved) = (0, 0);
    const MAPS: u64 = 300;
    for seed in 0..MAPS {
        let values = std::array::from_fn(|_| uniform(&mut random));
        let counts = std::array::from_fn(|_| uniform(&mut random).powi(3));
        let options = Options {
            steps: 4,
            seed,
            ..Options::default()
        };
        let result = run(&map(values), network(counts), options);
        said += u64::from(result.verdict() == Verdict::Rests);
        moved += u64::from(result.p_moved() <= LEVEL);
    }
    // 5% and two standard errors.
    assert!(moved * 1000 <= 75 * MAPS, "{moved} of {MAPS}");
    assert!(said <= moved);
    // The test is no stricter than it says: it would find something.
    assert!(moved >= 5, "{moved} of {MAPS}");
}

#[test]
fn a_blot_in_the_middle_is_not_what_the_score_rests_on_even_where_the_middle_matters() {
    let blot = |off: f64, width: f64| {
        std::array::from_fn(|cell| {
            let (x, y) = ((cell % GRID) as f64 - 3.0 - off, (cell / GRID) as f64 - 3.0);
            (-(x * x + y * y) / (2.0 * width * width)).exp()
        })
    };
    // The heart, beside the middle.
    let heart = || network(blot(0.7, 1.5));
    for width in [1.0, 1.75, 3.0] {
        let result = run(&map(blot(0.0, width)), heart(), Options::default());
        assert!(result.p_middle() > LEVEL, "{width}: {result:?}");
        assert_ne!(result.verdict(), Verdict::Rests, "{width}");
    }
}

#[test]
fn a_map_that_marks_nothing_has_no_verdict_in_its_favour() {
    for value in [0.0, 1.0] {
        let result = run(
            &map([value; GRID * GRID]),
            network(corner()),
            Options::default(),
        );
        assert_eq!(result.p_moved(), 1.0);
        assert_eq!(result.verdict(), Verdict::NoBetterThanElsewhere);
    }
    let cell = HeatMap::new(1, 1, vec![1.0]);
    let result = run(&cell, network(corner()), Options::default());
    assert_eq!(result.verdict(), Verdict::NoBetterThanElsewhere);
}

#[test]
fn fewer_than_nineteen_draws_are_too_few_for_a_verdict() {
    let options = Options {
        draws: 18,
        ..Options::default()
    };
    let result = run(&map(corner()), network(corner()), options);
    assert_eq!(result.verdict(), Verdict::NoBetterThanElsewhere);
}

#[test]
fn no_steps_or_no_draws_are_refused_and_one_step_is_measured() {
    let new = |steps, draws| {
        let options = Options {
            steps,
            draws,
            seed: 1,
        };
        Curves::new(&picture(), &input(), &map(corner()), OUTPUT, options).map(|_| ())
    };
    for wrong in [0, 1001, usize::MAX] {
        assert_eq!(new(wrong, 19), Err(Unmeasurable::Steps(wrong)));
        assert_eq!(new(12, wrong), Err(Unmeasurable::Draws(wrong)));
    }
    let options = Options {
        steps: 1,
        draws: 1,
        seed: 1,
    };
    let result = run(&map(corner()), network(corner()), options);
    assert_eq!(result.deletion.scores.len(), 2);
    assert_eq!(result.compared_at, [0, 1]);
}

#[test]
fn curves_begin_and_end_where_they_must_and_come_again_from_their_seed() {
    let result = run(&map(corner()), network(corner()), Options::default());
    let again = run(&map(corner()), network(corner()), Options::default());
    assert_eq!(result, again);
    let (first, last) = (result.deletion.scores[0], result.insertion.scores[12]);
    assert_eq!(first, last, "the whole picture");
    assert_eq!(result.compared_at, [0, 1, 2, 4, 8, 12]);
    for curve in [&result.deletion, &result.insertion] {
        for band in [&curve.moved, &curve.middle] {
            assert_eq!(band.scores.len(), result.compared_at.len());
            assert_eq!(band.scores[0], [curve.scores[0]; 2]);
            assert_eq!(band.scores[5], [curve.scores[12]; 2]);
            assert!(band.scores.iter().all(|[low, high]| low <= high));
            let [low, mean, high] = band.area;
            assert!(low <= mean && mean <= high);
        }
    }
    let options = Options {
        seed: 2,
        ..Options::default()
    };
    let other = run(&map(corner()), network(corner()), options);
    assert_ne!(other.moved, result.moved);
    assert_ne!(other.middle, result.middle);
    assert_eq!(other.deletion.scores, result.deletion.scores);
}

#[test]
fn an_area_counts_how_far_points_are_apart() {
    assert_eq!(area(&[(0, 1.0), (1, 0.0), (4, 0.0)]), 0.125);
    assert_eq!(area(&[(0, 0.5), (2, 0.5), (12, 0.5)]), 0.5);
}

#[test]
fn reports_of_before_can_be_read_and_have_no_verdict_in_their_favour() {
    let old = r#"{"options": {"steps": 2, "orders": 5, "seed": 1},
        "deletion": {"scores": [0.9, 0.2, 0.1], "area": 0.3, "random": [[0.9, 0.9]], "random_area": [0.4, 0.5, 0.6]},
        "insertion": {"scores": [0.1, 0.8, 0.9], "area": 0.7, "random": [[0.1, 0.1]], "random_area": [0.4, 0.5, 0.6]}}"#;
    let old: Faithfulness = serde_json::from_str(old).expect("read");
    assert_eq!(old.options.draws, 5);
    assert_eq!(old.verdict(), Verdict::NoBetterThanElsewhere);
}

#[test]
fn of_an_output_without_scores_nothing_is_said() {
    let options = Options {
        steps: 1,
        draws: 1,
        ..Options::default()
    };
    let mut curves =
        Curves::new(&picture(), &input(), &map(corner()), OUTPUT, options).expect("sound");
    while !curves.is_done() {
        let pictures = curves.next_batch(100).len() / (SIDE * SIDE);
        curves.push(vec![Scored::default(); pictures]);
    }
    assert_eq!(curves.outcome(), None);
}
