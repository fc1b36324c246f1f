//! DICOM files of every transfer syntax that is read.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sightline::radiograph::levels::Rule;
use sightline::radiograph::{MAX_PIXELS, Options, Radiograph};
use sightline_fuzz::{Damage, seeds, within_limits};

#[test]
fn damaged_dicom_files_are_read_or_refused() {
    let seeds = seeds("tests/cases/dicom", ".dcm");
    assert!(seeds.len() > 40);
    for seed in &seeds {
        let read = within_limits(|| Radiograph::decode(seed));
        assert!(read.is_ok(), "{:?}", read.err());
    }
    let (read, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bolero::check!()
        .with_type::<(Damage, Option<u8>, u8)>()
        .for_each(|(damage, depth, rule)| {
            let bytes = damage.of(&seeds);
            let options = Options {
                levels: [Rule::File, Rule::Window, Rule::Percentile][usize::from(*rule) % 3],
                depth: *depth,
                least: None,
            };
            let Ok(radiograph) = within_limits(|| Radiograph::decode_with(&bytes, options)) else {
                refused.fetch_add(1, Relaxed);
                return;
            };
            read.fetch_add(1, Relaxed);
            let image = &radiograph.image;
            assert_eq!(image.pixels.len(), image.width * image.height);
            assert!(image.pixels.len() as u64 <= MAX_PIXELS);
            assert!(image.pixels.iter().any(|v| *v != image.pixels[0]));
            let counted = radiograph.stored().counts();
            let counted: usize = counted.iter().map(|(_, count)| count).sum();
            assert_eq!(counted, image.pixels.len());
        });
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(
        10 * read > refused,
        "{read} were read and {refused} refused"
    );
}
