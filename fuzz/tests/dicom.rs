//! DICOM files of every transfer syntax that is read.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sightline::radiograph::levels::Rule;
use sightline::radiograph::{Options, Radiograph};
use sightline_fuzz::{Damage, is_read_as_a_picture, seeds, within_limits};

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
            let count = match is_read_as_a_picture(&bytes, options) {
                true => &read,
                false => &refused,
            };
            count.fetch_add(1, Relaxed);
        });
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(
        10 * read > refused,
        "{read} were read and {refused} refused"
    );
}
