//! Pictures of every shape become the square that a network sees.

use proptest::prelude::*;
use sightline::radiograph::{GreyImage, Input, Resize, resize};

fn input(size: usize, side: usize) -> Input {
    Input {
        levels: Default::default(),
        size,
        resize: Resize::ShorterSide(side),
        channels: 1,
        mean: vec![0.5],
        std: vec![0.25],
    }
}

fn picture(width: usize, height: usize) -> GreyImage {
    let level = |place: usize| ((place % width * 31 + place / width * 57) % 251) as u8;
    GreyImage {
        width,
        height,
        pixels: (0..width * height).map(level).collect(),
    }
}

/// With all of the picture resized, this would be 4,096 x 5,120,000 pixels.
#[test]
fn a_crop_of_a_long_strip_takes_no_more_than_the_crop() {
    let input = input(224, 4096);
    for (width, height) in [(16, 20_000), (20_000, 16)] {
        let square = input.square(&picture(width, height));
        assert_eq!((square.width, square.height), (224, 224));
        assert_eq!(square.pixels.len(), 224 * 224);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_crop_is_what_the_whole_picture_resized_has_there(
        width in 16usize..300, height in 16usize..300, side in 40usize..90,
    ) {
        let (size, image) = (40, picture(width, height));
        let (w, h) = match width <= height {
            true => (side, side * height / width),
            false => (side * width / height, side),
        };
        let whole = resize(&image, w, h);
        let middle = |length: usize| ((length - size) as f64 / 2.0).round_ties_even() as usize;
        let rows = whole.pixels.chunks_exact(w).skip(middle(h)).take(size);
        let expected: Vec<u8> = rows.flat_map(|row| &row[middle(w)..][..size]).copied().collect();
        prop_assert_eq!(input(size, side).square(&image).pixels, expected);
    }
}
