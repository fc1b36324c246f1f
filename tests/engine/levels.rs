//! Which grey levels of a file a network is given.

use sightline::radiograph::levels::{Rule, UsedLevels};
use sightline::radiograph::{Options, Radiograph, Stored};

fn by(name: &str, levels: Rule) -> Radiograph {
    let file = format!(
        "{}/tests/cases/dicom/{name}.dcm",
        env!("CARGO_MANIFEST_DIR")
    );
    let options = Options {
        levels,
        ..Options::default()
    };
    Radiograph::decode_with(&std::fs::read(file).expect("a file"), options).expect("a picture")
}

#[test]
fn a_rule_of_the_model_comes_before_the_files_window() {
    let file = by("two-windows", Rule::File);
    let percentiles = by("two-windows", Rule::Percentile);
    assert!(matches!(percentiles.used.shown, UsedLevels::Range(..)));
    assert_eq!(percentiles.stored(), file.stored());
    let pixels = &percentiles.image.pixels;
    let most = pixels.len() / 50;
    for end in [0, 255] {
        let count = pixels.iter().filter(|v| **v == end).count();
        assert!((1..=most).contains(&count), "{count} of {end}");
    }
    let window = by("two-windows", Rule::Window);
    assert_eq!(window.image, file.image);
    assert!(matches!(window.used.shown, UsedLevels::Window(_)));
}

#[test]
fn without_a_window_the_range_of_its_values_is_the_window() {
    let plain = by("implicit-12", Rule::Window);
    assert!(plain.image.pixels.contains(&0) && plain.image.pixels.contains(&255));
    assert!(plain.used.why.contains("range"));
    assert_ne!(plain.image, by("implicit-12", Rule::File).image);
}

#[test]
fn eight_bits_can_be_shown_otherwise_and_stay_what_they_are() {
    let (file, percentiles) = (
        by("implicit-8", Rule::File),
        by("implicit-8", Rule::Percentile),
    );
    assert_ne!(file.image, percentiles.image);
    assert!(matches!(file.stored(), Stored::Sixteen(_)));
    assert_eq!(file.stored(), percentiles.stored());
}
