//! Picture files of every format that is read.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use sightline::radiograph::levels::Rule;
use sightline::radiograph::{MAX_PIXELS, Options, Radiograph, RadiographError};
use sightline_fuzz::{Damage, seeds, within_limits};

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
            let Ok(radiograph) = within_limits(|| Radiograph::decode_with(&bytes, options)) else {
                refused.fetch_add(1, Relaxed);
                return;
            };
            read.fetch_add(1, Relaxed);
            let image = radiograph.image;
            assert_eq!(image.pixels.len(), image.width * image.height);
            assert!(image.pixels.len() as u64 <= MAX_PIXELS);
            assert!(image.pixels.iter().any(|v| *v != image.pixels[0]));
        });
    // Damage that leaves nothing readable would try little but signatures.
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(
        10 * read > refused,
        "{read} were read and {refused} refused"
    );
}
