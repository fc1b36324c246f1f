use serde_json::Value;

use super::*;
use crate::golden::{json, numbers};

fn cases(y: &Value, p: &Value, weight: &Value) -> Vec<Case> {
    let (y, p) = (numbers(y), numbers(p));
    let weight = match weight {
        Value::Null => vec![1.0; y.len()],
        weight => numbers(weight),
    };
    let rows = y.into_iter().zip(p).zip(weight);
    rows.map(|((y, score), weight)| Case {
        score,
        positive: y == 1.0,
        weight,
    })
    .collect()
}

fn assert_near(ours: Option<f64>, expected: &Value, what: &str) {
    match (ours, expected.as_f64()) {
        (Some(ours), Some(expected)) => {
            assert!((ours - expected).abs() < 1e-9, "{what}: {ours} {expected}");
        }
        (ours, expected) => assert_eq!(ours, expected, "{what}"),
    }
}

#[test]
fn golden_metrics_are_scikit_learns() {
    let golden = json("metrics/metrics.json");
    for case in golden["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let cases = cases(&case["y"], &case["p"], &case["weight"]);
        let is = |ours, key: &str| assert_near(ours, &case[key], &format!("{name} {key}"));
        is(auc(&cases), "roc_auc");
        is(ranking::average_precision(&cases), "average_precision");
        is(probability::brier(&cases), "brier");
        is(probability::log_loss(&cases), "log_loss");
        is(probability::calibration_error(&cases), "ece15_unweighted");
        let bins = case["ece15_bins"].as_array().into_iter().flatten();
        for (ours, expected) in probability::reliability(&cases).iter().zip(bins) {
            // Empty bins are null.
            let count = expected["count"].as_u64().unwrap_or(0);
            assert_eq!(ours.count as u64, count, "{name}");
            if ours.count > 0 {
                let near = |ours, key: &str| assert_near(Some(ours), &expected[key], name);
                near(ours.mean_probability, "mean_p");
                near(ours.share_positive, "fraction_positive");
            }
        }
    }
}

#[test]
fn golden_curves_are_scikit_learns() {
    let golden = &json("metrics/metrics.json")["curves"];
    let cases = cases(&golden["y"], &golden["p"], &Value::Null);
    let roc = ranking::roc_curve(&cases).expect("both classes");
    let (fpr, tpr) = (numbers(&golden["fpr"]), numbers(&golden["tpr"]));
    assert_eq!(roc.len(), fpr.len());
    for (point, (fpr, tpr)) in roc.iter().zip(fpr.into_iter().zip(tpr)) {
        assert!(
            (point.1 - fpr).abs() < 1e-9 && (point.2 - tpr).abs() < 1e-9,
            "{point:?}"
        );
    }
    // scikit-learn begins at the lowest threshold, and adds a point of recall 0.
    let curve = ranking::precision_recall_curve(&cases).expect("positives");
    let expected = numbers(&golden["pr_thresholds"]).into_iter();
    let expected = expected
        .zip(numbers(&golden["precision"]))
        .zip(numbers(&golden["recall"]));
    assert_eq!(curve.len(), expected.len());
    for (point, ((threshold, precision), recall)) in curve.iter().rev().zip(expected) {
        assert_eq!(point.0, threshold);
        assert!((point.1 - precision).abs() < 1e-9 && (point.2 - recall).abs() < 1e-9);
    }
}

#[test]
fn golden_macro_auc_is_the_mean_where_it_is_defined() {
    let golden = &json("metrics/metrics.json")["macro"];
    let rows = |key: &str| -> Vec<Vec<f64>> {
        golden[key]
            .as_array()
            .expect("rows")
            .iter()
            .map(numbers)
            .collect()
    };
    let rows = rows("Y").into_iter().zip(rows("P"));
    let scored = rows.map(|(y, p)| Scored {
        patient: String::new(),
        cases: y
            .iter()
            .zip(p)
            .map(|(y, p)| Some(Case::new(p, *y == 1.0)))
            .collect(),
    });
    let scored: Vec<Scored> = scored.collect();
    let scored: Vec<&Scored> = scored.iter().collect();
    let labels: Vec<usize> = (0..scored[0].cases.len()).collect();
    for label in &labels {
        let expected = &golden["per_label_auc"][*label];
        assert_near(auc(&cases_of(&scored, *label)), expected, "per label");
    }
    assert_near(
        mean_defined_auc(&scored, &labels),
        &golden["macro_over_defined"],
        "macro",
    );
    assert_eq!(
        mean_auc(&scored, &labels),
        None,
        "one label has one class only"
    );
}

#[test]
fn golden_delong_variance_and_comparison() {
    let golden = json("metrics/delong.json");
    let (a, b) = (
        cases(&golden["y"], &golden["score_a"], &Value::Null),
        cases(&golden["y"], &golden["score_b"], &Value::Null),
    );
    for (cases, key) in [(&a, "a"), (&b, "b")] {
        assert_near(auc(cases), &golden[key]["auc"], key);
        assert_near(ranking::auc_variance(cases), &golden[key]["variance"], key);
    }
    let (difference, variance) = ranking::auc_difference(&a, &b).expect("both classes");
    assert_near(Some(difference), &golden["difference"], "difference");
    assert_near(
        Some(variance),
        &golden["difference_variance"],
        "its variance",
    );
}

#[test]
fn operating_points_separate_or_keep_their_sensitivity() {
    let case = |score, positive| Case::new(score, positive);
    let clear = [
        case(0.1, false),
        case(0.2, false),
        case(0.7, true),
        case(0.9, true),
    ];
    assert_eq!(threshold::youden(&clear), Some(0.7));
    assert_eq!(threshold::youden(&clear[..2]), None);
    let mixed = [
        case(0.9, true),
        case(0.8, false),
        case(0.6, true),
        case(0.2, false),
    ];
    assert_eq!(threshold::at_sensitivity(&mixed, 0.5), Some(0.9));
    assert_eq!(threshold::at_sensitivity(&mixed, 0.9), Some(0.6));
    let at = |threshold: f64, cases: &[Case]| {
        let calls = cases
            .iter()
            .map(|case| (case.score >= threshold, case.positive));
        threshold::sensitivity_specificity(&calls.collect::<Vec<_>>())
    };
    assert_eq!(at(0.7, &clear), Some((1.0, 1.0)));
    assert_eq!(at(0.7, &mixed), Some((0.5, 0.5)));
    assert_eq!(at(2.0, &mixed), Some((0.0, 1.0)));
    assert_eq!(at(0.7, &clear[..2]), None);
}

#[test]
fn platt_brings_overconfident_logits_back() {
    // Logits four times too large, of outcomes that follow the true ones.
    let cases: Vec<Case> = (0..4000)
        .map(|i| {
            let logit = f64::from(i % 41) / 10.0 - 2.0;
            let chance = 1.0 / (1.0 + (-logit).exp());
            let draw = f64::from(i / 41 * 37 % 97) / 97.0;
            Case::new(4.0 * logit, draw < chance)
        })
        .collect();
    let Some(sightline_core::package::Calibration::Platt { scale, offset }) =
        probability::platt(&cases)
    else {
        panic!("both classes are there");
    };
    assert!(
        (scale - 0.25).abs() < 0.02 && offset.abs() < 0.1,
        "{scale} {offset}"
    );
    assert!(probability::platt(&cases[..1]).is_none());
    // Separable cases: finite, thanks to Platt's targets.
    let clear = [Case::new(-1.0, false), Case::new(1.0, true)];
    assert!(probability::platt(&clear).is_some());
}

#[test]
fn bootstrap_draws_patients_and_holds_its_estimate() {
    let scored: Vec<Scored> = (0..200)
        .map(|i| Scored {
            patient: format!("p{}", i / 2),
            cases: vec![Some(Case::new(
                f64::from(i % 7) + f64::from(i % 2) * 2.0,
                i % 2 == 1,
            ))],
        })
        .collect();
    let estimate = bootstrap(&scored, 1, |s| auc(&cases_of(s, 0))).expect("both classes");
    let again = bootstrap(&scored, 1, |s| auc(&cases_of(s, 0))).expect("both classes");
    assert_eq!(estimate, again);
    let [low, high] = estimate.ci95;
    assert!(low < estimate.value && estimate.value < high && high - low < 0.2);
    // More images of the same patients tell no more: images that were drawn one by one would.
    let tenfold: Vec<Scored> = scored
        .iter()
        .flat_map(|of_image| std::iter::repeat_n(of_image.clone(), 10))
        .collect();
    let tenfold = bootstrap(&tenfold, 1, |s| auc(&cases_of(s, 0))).expect("both classes");
    for (one, ten) in estimate.ci95.into_iter().zip(tenfold.ci95) {
        assert!((one - ten).abs() < 1e-9, "{estimate:?} {tenfold:?}");
    }
}

#[test]
fn a_temperature_brings_overconfident_logits_back_and_leaves_one_half_where_it_is() {
    // True odds of e^1 and e^-1, stated as e^3 and e^-3.
    let share = 1.0 / (1.0 + (-1f64).exp());
    let positives = (1000.0 * share).round() as usize;
    let mut cases = Vec::new();
    for i in 0..1000 {
        cases.push(Case::new(3.0, i < positives));
        cases.push(Case::new(-3.0, i >= positives));
    }
    let Some(sightline_core::package::Calibration::Platt { scale, offset }) =
        probability::temperature(&cases)
    else {
        panic!("both classes are there");
    };
    assert!((scale - 1.0 / 3.0).abs() < 1e-3 && offset == 0.0, "{scale}");
    assert!(probability::temperature(&cases[..1]).is_none());
    // Scores that tell the classes apart wholly have no best temperature.
    let clear = [Case::new(-1.0, false), Case::new(1.0, true)];
    assert!(probability::temperature(&clear).is_none());
}

#[test]
fn a_paired_test_of_hits_is_mcnemars() {
    let pairs = |better: usize, worse: usize, same: usize| {
        let all = (0..better).map(|_| 1.0);
        let all = all.chain((0..worse).map(|_| -1.0));
        let all: Vec<(String, f64)> = all
            .chain((0..same).map(|_| 0.0))
            .enumerate()
            .map(|(patient, difference)| (patient.to_string(), difference))
            .collect();
        sign_flip(all.iter().map(|(patient, d)| (patient.as_str(), *d)), 1)
    };
    // scipy.stats.binomtest(better, better + worse).pvalue
    for (better, worse, p) in [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125)] {
        assert!((pairs(better, worse, 9) - p).abs() < 1e-12, "{better}");
    }
    assert!((pairs(9, 2, 3) - 0.065_429_687_5).abs() < 1e-12);
    assert!((pairs(2, 9, 3) - pairs(9, 2, 3)).abs() < 1e-12);
    // Too many to try all: drawn.
    let drawn = pairs(14, 5, 0);
    assert!((drawn - 0.063_568_115).abs() < 0.01, "{drawn}");
    assert!(pairs(30, 0, 0) < 1e-4);
}

#[test]
fn several_images_of_a_patient_count_as_one_in_a_paired_test() {
    let images = [("a", 1.0), ("a", 1.0), ("a", 1.0), ("b", 1.0), ("c", 0.0)];
    assert_eq!(sign_flip(images, 1), 0.5);
    assert_eq!(sign_flip([("a", 1.0), ("a", -1.0)], 1), 1.0);
}
