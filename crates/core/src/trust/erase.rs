//! A picture with places painted over: what does the model say without them?

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::asked::{Once, Step, Wants};
use crate::explain::fill::Fill;
use crate::radiograph::{GreyImage, Input, Region};
use crate::view::View;

/// A round place on the whole picture.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spot {
    /// The middle, as shares of the picture's width and height.
    pub x: f32,
    pub y: f32,
    /// As a share of the picture's width.
    pub radius: f32,
}

/// What was painted over, and what the model said then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Erased {
    pub fill: Fill,
    pub spots: Vec<Spot>,
    /// In the order of the manifest's findings; `None` for those that were not trained.
    pub probabilities: Vec<Option<f64>>,
}

/// Which pixels of the network's view lie under spots, row by row: those whose middles do. The view has `width` by `height` pixels and shows
/// `region` of a picture, whose width over its height is `aspect`.
pub fn covered(
    (width, height): (usize, usize),
    region: Region,
    aspect: f32,
    spots: &[Spot],
) -> Vec<bool> {
    let place = |index: usize, length: usize, from: f64, share: f64| {
        (from + (index as f64 + 0.5) / length as f64 * share) as f32
    };
    let mut covered = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = place(row, height, region.y, region.height);
        // Of many spots few reach a row.
        let near = spots.iter().filter_map(|spot| {
            let down = (y - spot.y) / aspect;
            let (down, reach) = (down * down, spot.radius * spot.radius);
            (down <= reach).then_some((spot.x, down, reach))
        });
        let near: Vec<(f32, f32, f32)> = near.collect();
        covered.extend((0..width).map(|column| {
            let x = place(column, width, region.x, region.width);
            near.iter().any(|&(middle, down, reach)| {
                let across = x - middle;
                across * across + down <= reach
            })
        }));
    }
    covered
}

/// The network's view of a picture (`square`, which shows `region` of it) with spots filled. `aspect` is the picture's width
/// over its height. All spots are one region, and the view is the picture whose mean [`Fill::PictureMean`] takes.
pub fn erase(
    square: &GreyImage,
    region: Region,
    aspect: f32,
    spots: &[Spot],
    fill: Fill,
) -> GreyImage {
    let erased = covered((square.width, square.height), region, aspect, spots);
    let mut picture = fill.picture(square, |pixel| usize::from(erased[pixel]), 2);
    for (index, pixel) in picture.pixels.iter_mut().enumerate() {
        if !erased[index] {
            *pixel = square.pixels[index];
        }
    }
    picture
}

/// The scores of a view with places painted over: the work that asks for them.
pub fn erasing(view: &View, input: &Input, spots: Vec<Spot>, fill: Fill) -> Once<Erased> {
    let picture = erase(&view.square, view.region, view.aspect, &spots, fill);
    let picture = input.normalise(&picture);
    Once::new(Wants::Scores, Step::Read, picture, move |answer| Erased {
        fill,
        spots: spots.clone(),
        probabilities: answer.probabilities.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Region = Region {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };

    fn picture() -> GreyImage {
        GreyImage {
            width: 40,
            height: 40,
            pixels: (0..1600).map(|i| (i % 40 * 5) as u8).collect(),
        }
    }

    fn changed(region: Region, aspect: f32, spot: Spot, fill: Fill) -> Vec<(usize, usize)> {
        let (old, new) = (picture(), erase(&picture(), region, aspect, &[spot], fill));
        let places = (0..1600).filter(|i| old.pixels[*i] != new.pixels[*i]);
        places.map(|i| (i % 40, i / 40)).collect()
    }

    #[test]
    fn a_spot_is_filled_where_it_lies_on_the_picture_and_nowhere_else() {
        let spot = Spot {
            x: 0.25,
            y: 0.75,
            radius: 0.1,
        };
        let places = changed(WHOLE, 1.0, spot, Fill::Grey(255));
        // A disc of radius 4 pixels around (10, 30).
        assert!((44..=56).contains(&places.len()), "{}", places.len());
        assert!(
            places
                .iter()
                .all(|(x, y)| x.abs_diff(10) <= 4 && y.abs_diff(30) <= 4)
        );
        // A picture twice as wide as high, stretched to a square: the disc is twice as high.
        let stretched = changed(WHOLE, 2.0, spot, Fill::Grey(255));
        assert!(stretched.iter().any(|(_, y)| y.abs_diff(30) >= 7));
        // The network sees the right half only: the spot is beyond it.
        let right = Region {
            x: 0.5,
            width: 0.5,
            ..WHOLE
        };
        assert!(changed(right, 1.0, spot, Fill::Grey(255)).is_empty());
    }

    #[test]
    fn fills_are_the_mean_a_level_or_the_picture_without_detail() {
        let spot = Spot {
            x: 0.5,
            y: 0.5,
            radius: 2.0,
        };
        let all = |fill| erase(&picture(), WHOLE, 1.0, &[spot], fill).pixels;
        assert!(all(Fill::PictureMean).iter().all(|p| *p == 98));
        assert!(all(Fill::Grey(3)).iter().all(|p| *p == 3));
        let blurred = all(Fill::Blur);
        assert!(blurred[0] < blurred[39] && blurred[0] > 0);
        assert_eq!(erase(&picture(), WHOLE, 1.0, &[], Fill::Mean), picture());
        // The mean of the place that is erased, whatever the rest of the picture is.
        let left = Spot {
            x: 0.0,
            y: 0.5,
            radius: 0.05,
        };
        let own = erase(&picture(), WHOLE, 1.0, &[left], Fill::Mean).pixels;
        let whole = erase(&picture(), WHOLE, 1.0, &[left], Fill::PictureMean).pixels;
        let middle = 20 * 40;
        assert!(
            own[middle] < 10 && whole[middle] == 98,
            "{} {}",
            own[middle],
            whole[middle]
        );
    }
}
