//! Manifests, weights and the list of packages.

use sightline::package::{Loader, Manifest, ModelIndex};
use sightline::radiograph::GreyImage;
use sightline_fuzz::{Damage, seeds, within_limits};

/// The bytes at the start of the shipped weights that hold their table of contents and the first tensors.
const START: usize = 96 << 10;

fn manifests() -> Vec<Vec<u8>> {
    ["efficientnet-lite0-nih", "densenet121-nih", "combined-nih"]
        .into_iter()
        .flat_map(|name| seeds(&format!("www/models/{name}"), ""))
        .filter(|bytes| Manifest::parse(bytes).is_ok())
        .collect()
}

#[test]
fn damaged_manifests_are_read_or_refused() {
    let seeds = manifests();
    assert_eq!(seeds.len(), 3);
    let picture = GreyImage {
        width: 40,
        height: 23,
        pixels: (0..40 * 23).map(|i| (i % 251) as u8).collect(),
    };
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        let Ok(manifest) = within_limits(|| Manifest::parse(&bytes)) else {
            return;
        };
        let square = within_limits(|| manifest.input.square(&picture));
        assert_eq!(
            square.pixels.len(),
            manifest.input.size * manifest.input.size
        );
        let region = manifest.input.region(picture.width, picture.height);
        assert!(region.width > 0.0 && region.height > 0.0);
    });
}

#[test]
fn damaged_lists_of_packages_are_read_or_refused() {
    let seeds = vec![
        std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../www/models/index.json"
        ))
        .expect("a list"),
    ];
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        let _ = within_limits(|| serde_json::from_slice::<ModelIndex>(&bytes));
    });
}

#[test]
fn damaged_weights_are_read_or_refused() {
    let manifest = Manifest::parse(&manifests()[0]).expect("a manifest");
    let mut weights = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../www/models/efficientnet-lite0-nih/weights.bpk"
    ))
    .expect("weights");
    weights.truncate(START);
    let seeds = vec![weights];
    bolero::check!()
        .with_type::<(Damage, u16)>()
        .for_each(|(damage, part)| {
            let bytes = damage.of(&seeds);
            within_limits(|| {
                let mut loader = Loader::new(&manifest);
                for part in bytes.chunks(usize::from(*part) + 512) {
                    loader.push(part);
                }
            });
        });
}
