//! Picture files of every format that is read.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sightline::radiograph::levels::Rule;
use sightline::radiograph::{Options, Radiograph, RadiographError};
use sightline_fuzz::{Damage, is_read_as_a_picture, seeds, within_limits};

#[test]
fn damaged_pictures_are_read_or_refused() {
    let seeds = seeds("fuzz/seeds/pictures", "");
    let whole = seeds
        .iter()
        .map(|seed| within_limits(|| Radiograph::decode(seed)));
    let refused: Vec<_> = whole.filter_map(Result::err).collect();
    // TIFF with a palette, and with its colours apart.
    assert!(
        matches!(
            refused.as_slice(),
            [
                RadiographError::Unsupported(_),
                RadiographError::Unsupported(_)
            ]
        ),
        "{refused:?}"
    );
    let (read, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bolero::check!()
        .with_type::<(Damage, Option<u8>, u8)>()
        .for_each(|(damage, depth, rule)| {
            let bytes = damage.of(&seeds);
            let options = Options {
                levels: [Rule::File, Rule::Window, Rule::Percentile][usize::from(*rule) % 3],
                depth: *depth,
                least: depth.map(usize::from),
            };
            let count = match is_read_as_a_picture(&bytes, options) {
                true => &read,
                false => &refused,
            };
            count.fetch_add(1, Relaxed);
        });
    // Damage that leaves nothing readable would try little but signatures.
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(
        10 * read > refused,
        "{read} were read and {refused} refused"
    );
}
