//! The gate: made, measured, and asked.

use sightline::gate::Kind;
use sightline::package::Manifest;

use super::command::{refuse, succeed};
use super::{SAMPLES, copy_of_package, csv, samples};

/// A package without its gate, and a table whose rows teach, choose and measure.
#[test]
fn a_gate_is_made_measured_and_written_into_manifest_and_card() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let model = copy_of_package(root);
    let place = model.join("manifest.json");
    let manifest =
        || Manifest::parse(&std::fs::read(&place).expect("a manifest")).expect("a manifest");
    let mut without = manifest();
    without.gate = None;
    std::fs::write(&place, serde_json::to_vec(&without).expect("JSON")).expect("written");
    let splits = ["train", "valid", "test"];
    let rows: Vec<_> = SAMPLES
        .iter()
        .zip(splits)
        .map(|(path, split)| (*path, "0", *path, split))
        .collect();
    let csv = csv(root, &rows);
    let others = root.join("odd/photo");
    std::fs::create_dir_all(&others).expect("a folder");
    for number in 0..30u8 {
        let picture =
            image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * y) as u8 ^ number]));
        picture
            .save(others.join(format!("{number}.png")))
            .expect("written");
    }
    let odd = root.join("odd");
    succeed(&[
        &"gate",
        &"--model",
        &model,
        &"--csv",
        &csv,
        &"--root",
        &samples(),
        &"--odd",
        &odd,
    ]);
    let made = manifest();
    let gate = made.gate.as_ref().expect("a gate");
    for kind in [
        Kind::Turned,
        Kind::Mirrored,
        Kind::Inverted,
        Kind::Cropped,
        Kind::Blank,
    ] {
        assert!(gate.measured.kinds[kind.name()].images > 0, "{kind}");
    }
    assert!(gate.kinds.contains(&Kind::NotARadiograph) && !gate.kinds.contains(&Kind::Lateral));
    assert_eq!(gate.measured.frontal.images, 1);
    let card = std::fs::read_to_string(model.join("card.md")).expect("a card");
    assert!(
        card.contains("## Which pictures it is not for") && card.contains("| turned | 1 |"),
        "{card}"
    );
    // The figures of findings stay.
    assert_eq!(made.findings, without.findings);
    let table = self::csv(root, &rows[..1]);
    refuse(
        &[
            &"gate",
            &"--model",
            &model,
            &"--csv",
            &table,
            &"--root",
            &samples(),
        ],
        "Split=valid",
    );
}
