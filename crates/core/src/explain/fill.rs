//! What a hidden part of a picture becomes: for LIME, for erased places, for deletion and insertion alike.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::radiograph::{GreyImage, resize};

/// Shrunk to this part of its side and scaled up again, a picture has no detail.
const BLUR: usize = 16;

/// What the pixels of a hidden region become. Each name means the same wherever something is hidden.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The region's own mean, as LIME's own code has it.
    #[default]
    Mean,
    /// The mean of the whole picture.
    PictureMean,
    /// A grey level of 0..=255 (0 as the project's origin has it).
    Grey(u8),
    /// The picture without detail: shrunk to 1/16 of its side and scaled up again.
    Blur,
}

impl Fill {
    /// The picture with everything hidden: grey levels of 0..=255, one a pixel. `region` has a region below `regions` for each
    /// pixel.
    pub fn levels(
        self,
        picture: &GreyImage,
        region: impl Fn(usize) -> usize,
        regions: usize,
    ) -> Vec<f64> {
        let pixels = &picture.pixels;
        match self {
            Fill::Grey(level) => vec![f64::from(level); pixels.len()],
            Fill::PictureMean => {
                let total: f64 = pixels.iter().map(|level| f64::from(*level)).sum();
                vec![total / pixels.len().max(1) as f64; pixels.len()]
            }
            Fill::Mean => {
                let (mut sums, mut counts) = (vec![0.0; regions], vec![0.0; regions]);
                for (pixel, level) in pixels.iter().enumerate() {
                    sums[region(pixel)] += f64::from(*level);
                    counts[region(pixel)] += 1.0;
                }
                let mean = |pixel| sums[region(pixel)] / counts[region(pixel)];
                (0..pixels.len()).map(mean).collect()
            }
            Fill::Blur => {
                let side = |length: usize| (length / BLUR).max(1);
                let small = resize(picture, side(picture.width), side(picture.height));
                let blurred = resize(&small, picture.width, picture.height);
                blurred.pixels.into_iter().map(f64::from).collect()
            }
        }
    }

    /// The picture with everything hidden, as an image: the levels of [`Fill::levels`], rounded.
    pub fn picture(
        self,
        picture: &GreyImage,
        region: impl Fn(usize) -> usize,
        regions: usize,
    ) -> GreyImage {
        let levels = self.levels(picture, region, regions).into_iter();
        GreyImage {
            pixels: levels.map(|level| level.round() as u8).collect(),
            ..*picture
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark on the left, bright on the right, with a slope down.
    fn picture() -> GreyImage {
        GreyImage {
            width: 32,
            height: 32,
            pixels: (0..1024)
                .map(|i| (if i % 32 < 16 { 20 } else { 200 }) + (i / 32) as u8)
                .collect(),
        }
    }

    #[test]
    fn a_regions_own_mean_and_the_pictures_are_two_fills() {
        let halves = |pixel: usize| usize::from(pixel % 32 >= 16);
        let own = Fill::Mean.levels(&picture(), halves, 2);
        assert_eq!((own[0], own[31]), (35.5, 215.5));
        let whole = Fill::PictureMean.levels(&picture(), halves, 2);
        assert!(whole.iter().all(|level| *level == 125.5));
        assert_eq!(
            Fill::PictureMean.picture(&picture(), |_| 0, 1).pixels[0],
            126
        );
        let grey = Fill::Grey(7).levels(&picture(), halves, 2);
        assert!(grey.iter().all(|level| *level == 7.0));
    }

    #[test]
    fn fills_have_names_of_their_own_in_reports() {
        let name = |fill: Fill| serde_json::to_string(&fill).expect("JSON");
        let fills = [Fill::Mean, Fill::PictureMean, Fill::Blur];
        assert_eq!(
            fills.map(name),
            [r#""mean""#, r#""picture-mean""#, r#""blur""#]
        );
    }
}
