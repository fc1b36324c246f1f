//! LIME against lime, scikit-image and scikit-learn.

use serde_json::Value;
use sightline::explain::fill::Fill;
use sightline::explain::lime::surrogate::{cosine_distance, kernel_weight};
use sightline::explain::lime::{Design, Quickshift, Slic, lab};
use sightline::radiograph::{GreyImage, Radiograph};

use crate::expected as golden;

fn grey(name: &str) -> GreyImage {
    let bytes = golden::bytes(name);
    Radiograph::decode(&bytes).expect("a golden PNG").image
}

#[test]
fn golden_greys_have_skimages_lab() {
    let expected = golden::json("lime/lab.json");
    let greys = expected["grey_0_to_255_LAB"].as_array().expect("greys");
    for (level, expected) in greys.iter().enumerate() {
        let ours = lab::grey_to_lab(level as f64 / 255.0);
        for (ours, expected) in ours.iter().zip(golden::numbers(expected)) {
            assert!((ours - expected).abs() < 1e-9, "{level}: {ours} {expected}");
        }
    }
}

#[test]
fn golden_quickshift_gives_skimages_segments() {
    let golden_json = golden::json("lime/segments.json");
    let options = &golden_json["quickshift"];
    let option = |name: &str| options[name].as_f64().expect("a number");
    let quickshift = Quickshift {
        kernel_size: option("kernel_size"),
        max_dist: option("max_dist"),
        ratio: option("ratio"),
    };
    // 1e-5 * u('quickshift.noise', [224,224], SEED)
    let noise = golden_json["noise"].as_str().expect("a formula");
    let seed = noise.rsplit("0x").next().expect("a seed");
    let seed = u64::from_str_radix(seed.trim_end_matches(')'), 16).expect("hexadecimal");
    for image in golden_json["images"].as_array().expect("images") {
        let name = image["image"].as_str().expect("a name");
        let picture = grey(name);
        let mut draws = golden::Generator::new("quickshift.noise", seed);
        let segments = quickshift.segment(&picture, || 1e-5 * draws.draw());
        let expected = grey(&name.replace("_224.png", "_quickshift_formula.png"));
        let pairs = segments.labels.iter().zip(&expected.pixels);
        let equal = pairs.filter(|(a, b)| **a == u16::from(**b)).count();
        let count = image["quickshift_formula_segments"].as_u64();
        assert_eq!(count, Some(segments.count as u64), "{name}");
        let all = expected.pixels.len();
        assert!(
            equal as f64 >= 0.999 * all as f64,
            "{name}: {equal} of {all} pixels"
        );
    }
}

#[test]
fn golden_slic_gives_skimages_segments() {
    let golden_json = golden::json("lime/segments.json");
    let options = &golden_json["slic"];
    let slic = Slic {
        segments: options["n_segments"].as_u64().expect("a number") as usize,
        compactness: options["compactness"].as_f64().expect("a number"),
    };
    for image in golden_json["images"].as_array().expect("images") {
        let name = image["image"].as_str().expect("a name");
        let segments = slic.segment(&grey(name));
        let count = image["slic_segments"].as_u64();
        assert_eq!(count, Some(segments.count as u64), "{name}");
        let expected = grey(&name.replace("_224.png", "_slic.png"));
        let pairs = segments.labels.iter().zip(&expected.pixels);
        let equal = pairs.filter(|(a, b)| **a == u16::from(**b)).count();
        let all = expected.pixels.len();
        // All are, where powers and cube roots are rounded as skimage's.
        assert!(
            equal as f64 >= 0.999 * all as f64,
            "{name}: {equal} of {all} pixels"
        );
    }
}

#[test]
fn golden_hidden_regions_are_limes() {
    let golden_json = golden::json("lime/perturbed.json");
    let name = |key: &str| {
        let text = golden_json[key].as_str().expect("a name");
        text.split(',').next().expect("a name").to_owned()
    };
    let picture = grey(&name("image"));
    let labels: Vec<u16> = grey(&name("segments"))
        .pixels
        .iter()
        .map(|l| u16::from(*l))
        .collect();
    for case in golden_json["cases"].as_array().expect("cases") {
        let shown: Vec<bool> = case["z"]
            .as_str()
            .expect("digits")
            .chars()
            .map(|c| c == '1')
            .collect();
        let fill = match case["hide_color"].as_u64() {
            Some(level) => Fill::Grey(level as u8),
            None => Fill::Mean,
        };
        let hidden = fill.levels(&picture, |pixel| usize::from(labels[pixel]), shown.len());
        let values: Vec<f64> = (0..labels.len())
            .map(|pixel| {
                if shown[usize::from(labels[pixel])] {
                    f64::from(picture.pixels[pixel]) / 255.0
                } else {
                    hidden[pixel] / 255.0
                }
            })
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - case["mean"].as_f64().expect("a mean")).abs() < 1e-9);
        let expected = golden::numbers(&case["pixel_values_channel0"]);
        for (place, expected) in case["pixels_row_col"]
            .as_array()
            .expect("places")
            .iter()
            .zip(expected)
        {
            let place = golden::sizes(place);
            let ours = values[place[0] * picture.width + place[1]];
            assert!(
                (ours - expected).abs() < 1e-9,
                "{place:?}: {ours} {expected}"
            );
        }
    }
}

fn rows(case: &Value) -> Vec<Vec<bool>> {
    let rows = case["Z_rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        row.as_str()
            .expect("digits")
            .chars()
            .map(|c| c == '1')
            .collect()
    })
    .collect()
}

#[test]
fn golden_ridge_gives_limes_coefficients() {
    let golden_json = golden::json("lime/lime_base.json");
    for case in golden_json["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let samples = rows(case);
        let distances = golden::numbers(&case["cosine_distance"]);
        let weights = golden::numbers(&case["kernel_weight"]);
        for ((shown, distance), weight) in samples.iter().zip(distances).zip(weights) {
            assert!((cosine_distance(shown) - distance).abs() < 1e-9, "{name}");
            assert!((kernel_weight(distance) - weight).abs() < 1e-9, "{name}");
        }
        let scores = golden::numbers(&case["predictions_of_label"]);
        let design = Design::new(&samples, false);
        for expected in case["results"].as_array().expect("results") {
            let most = expected["num_features"].as_u64().expect("a number") as usize;
            let ours = design.fit(&scores, most);
            let close = |ours: f64, key: &str| {
                let expected = expected[key].as_f64().expect("a number");
                assert!(
                    (ours - expected).abs() < 1e-9,
                    "{name} {most} {key}: {ours} {expected}"
                );
            };
            close(ours.intercept, "intercept");
            close(ours.local_prediction, "local_pred");
            if name == "constant_predictions" {
                assert!(ours.coefficients.iter().all(|c| c.abs() < 1e-9), "{name}");
                continue;
            }
            close(ours.r_squared, "score_r2");
            // Two columns that are equal may be chosen one for the other.
            let ambiguous = name == "duplicate_column";
            let chosen = golden::sizes(&expected["features_in_selection_order"]);
            assert!(ambiguous || ours.features == chosen, "{name} {most}");
            let mut order: Vec<usize> = (0..ours.features.len()).collect();
            order.sort_by(|a, b| {
                ours.coefficients[*b]
                    .abs()
                    .total_cmp(&ours.coefficients[*a].abs())
            });
            let by_size = golden::sizes(&expected["features_by_abs_coef"]);
            let ours_by_size = order.iter().map(|place| ours.features[*place]);
            assert!(ambiguous || ours_by_size.eq(by_size), "{name} {most}");
            let coefficients = golden::numbers(&expected["coef"]);
            assert_eq!(order.len(), coefficients.len(), "{name} {most}");
            for (place, expected) in order.iter().zip(coefficients) {
                let ours = ours.coefficients[*place];
                assert!(
                    (ours - expected).abs() < 1e-9,
                    "{name} {most}: {ours} {expected}"
                );
            }
        }
    }
}
