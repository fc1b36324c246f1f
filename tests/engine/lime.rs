//! LIME on scores that are known, so that its answer is known too.

use sightline::explain::lime::{
    Explanation, Fill, Lime, Options, Sampling, Segmentation, Segments, rank_correlation,
};
use sightline::radiograph::{GreyImage, Input, Resize};

const SIDE: usize = 96;

fn input() -> Input {
    Input {
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

/// The upper left quarter's mean; a second finding that was not trained; one that never changes.
fn scores(picture: &[f32]) -> Vec<Option<f64>> {
    let corner = (0..SIDE / 2).flat_map(|y| (0..SIDE / 2).map(move |x| y * SIDE + x));
    let mean =
        corner.map(|place| f64::from(picture[place])).sum::<f64>() / (SIDE * SIDE / 4) as f64;
    vec![Some(mean), None, Some(0.25)]
}

fn explain(options: Options, batch: usize) -> Explanation {
    let mut lime = Lime::new(&picture(), &input(), options);
    while !lime.is_done() {
        let values = lime.next_batch(batch);
        lime.push(values.chunks_exact(SIDE * SIDE).map(scores).collect());
    }
    lime.explanation().expect("samples were scored")
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
    let explanation = explain(options(), 16);
    let map = explanation.map(0).expect("a trained finding");
    let finding = explanation.findings[0].as_ref().expect("trained");
    assert!(finding.r_squared > 0.9, "R2 {}", finding.r_squared);
    let at = |x: usize, y: usize| map.values[y * map.width + x];
    let (inside, outside) = (
        at(map.width / 4, map.height / 4),
        at(map.width - 9, map.height - 9),
    );
    assert!(inside > 0.01, "{inside}");
    assert!(outside.abs() < 0.1 * inside, "{outside} beside {inside}");
    assert!(explanation.findings[1].is_none() && explanation.map(1).is_none());
    let constant = explanation.findings[2].as_ref().expect("trained");
    assert!(constant.coefficients.iter().all(|c| c.abs() < 1e-9));
    assert!((constant.intercept - 0.25).abs() < 1e-9);
}

#[test]
fn the_same_seed_gives_the_same_however_it_is_batched() {
    let one = explain(options(), 1);
    assert_eq!(explain(options(), 7), one);
    let other = explain(
        Options {
            seed: 2,
            ..options()
        },
        7,
    );
    assert_ne!(other.findings, one.findings);
    assert_eq!(other.segments.count, one.segments.count);
}

#[test]
fn regions_may_be_slics_and_old_reports_have_quickshifts() {
    let slic = Options {
        segmentation: Segmentation::Slic,
        ..options()
    };
    let explanation = explain(slic.clone(), 16);
    assert_ne!(explanation.segments, explain(options(), 16).segments);
    assert!(explanation.findings[0].as_ref().expect("trained").r_squared > 0.9);
    let mut json = serde_json::to_value(&slic).expect("JSON");
    json.as_object_mut()
        .expect("an object")
        .remove("segmentation");
    let old: Options = serde_json::from_value(json).expect("an old report's options");
    assert_eq!(old, options());
}

#[test]
fn intervals_hold_the_answer_of_many_samples() {
    let many = explain(
        Options {
            samples: 4000,
            ..options()
        },
        64,
    );
    let truth = &many.findings[0].as_ref().expect("trained").coefficients;
    for sampling in [
        Sampling::Bernoulli,
        Sampling::Antithetic,
        Sampling::Orthogonal,
    ] {
        let few = explain(
            Options {
                samples: 200,
                sampling,
                seed: 9,
                ..options()
            },
            64,
        );
        let few = few.findings[0].as_ref().expect("trained");
        // Ridge regression draws the coefficients of few samples a little towards 0.
        let held = truth.iter().zip(&few.coefficients).zip(&few.margins);
        let held = held.filter(|((truth, ours), margin)| {
            (*truth - *ours).abs() <= **margin + 0.06 * truth.abs()
        });
        assert!(
            held.count() * 10 >= truth.len() * 8,
            "{sampling:?}: {few:?}"
        );
    }
}

#[test]
fn it_stops_when_the_maps_no_longer_change() {
    let explanation = explain(
        Options {
            samples: 5000,
            until_stable: true,
            ..options()
        },
        8,
    );
    assert!(
        explanation.stable && explanation.samples < 2000,
        "{} samples",
        explanation.samples
    );
}

#[test]
fn every_fill_hides_and_the_whole_picture_comes_first() {
    for fill in [Fill::Mean, Fill::Grey(128), Fill::Blur] {
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
    let segments = lime.explanation().expect("the whole picture").segments;
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
