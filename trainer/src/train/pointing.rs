//! Maps that point where radiologists did: beside the labels, a network learns from boxes on training images.
//!
//! What is trained is the map that the page shows, Grad-CAM's evidence. Its cells, as shares by a softmax, shall be the
//! shares of the boxes that lie in them (cross-entropy). Only how cells compare counts:
//! whether the logit is high or low is the labels' business. So Li et al. (CVPR 2018) learned from the boxes of ChestX-ray14, with a loss
//! of another kind.

use std::path::PathBuf;

use burn::tensor::activation::log_softmax;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sightline::grad_cam;
use sightline::network::Network;

use crate::data::Rectangle;
use crate::data::augment::Change;

/// In a recipe: what was marked, and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointing {
    /// In the data folder: Path, Class, X, Y, W, H. Boxes on other than training images are not looked at.
    pub csv: PathBuf,
    pub weight: f32,
}

/// Boxes are laid on a grid of this side over the picture, then on the network's own.
const SIDE: usize = 56;

/// One finding's boxes on one picture of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub picture: usize,
    pub finding: usize,
    /// `SIDE * SIDE`: 1 where the middle of a cell of the changed picture is in a box.
    inside: Vec<f32>,
}

impl Mark {
    pub fn new(picture: usize, finding: usize, boxes: &[Rectangle], change: &Change) -> Self {
        let middle = |index: usize| (index as f32 + 0.5) / SIDE as f32;
        let cells = (0..SIDE * SIDE).map(|cell| {
            let (x, y) = change.source(middle(cell % SIDE), middle(cell / SIDE));
            f32::from(boxes.iter().any(|r| r.contains(f64::from(x), f64::from(y))))
        });
        Self {
            picture,
            finding,
            inside: cells.collect(),
        }
    }

    /// The mark with the batch's pictures counted from `first` on.
    pub fn counted_from(&self, first: usize) -> Self {
        Self {
            picture: self.picture - first,
            ..self.clone()
        }
    }

    /// Boxed is the upper left quarter.
    #[cfg(test)]
    pub fn quarter(picture: usize, finding: usize) -> Self {
        let upper_left = |cell: usize| cell % SIDE < SIDE / 2 && cell / SIDE < SIDE / 2;
        Self {
            picture,
            finding,
            inside: (0..SIDE * SIDE)
                .map(|cell| f32::from(upper_left(cell)))
                .collect(),
        }
    }

    /// Whether the crop left anything of the boxes.
    fn is_seen(&self) -> bool {
        self.inside.contains(&1.0)
    }
}

/// The cross-entropy of the maps with the marks, summed over the marks and divided by the batch's pictures; `None` without
/// marks. `maps`: the network's feature maps of the batch.
pub fn loss(network: &Network, maps: Vec<Tensor<4>>, marks: &[Mark]) -> Option<Tensor<1>> {
    let marks: Vec<&Mark> = marks.iter().filter(|mark| mark.is_seen()).collect();
    if marks.is_empty() {
        return None;
    }
    Some(missed(
        grad_cam::evidence(network.classifier(), maps).cells,
        &marks,
    ))
}

/// `cells`: `[batch, findings, h, w]`.
fn missed(cells: Tensor<4>, marks: &[&Mark]) -> Tensor<1> {
    let device = cells.device();
    let [batch, findings, height, width] = cells.dims();
    let rows = marks
        .iter()
        .map(|mark| (mark.picture * findings + mark.finding) as i32);
    let rows: Vec<i32> = rows.collect();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [marks.len()]), &device);
    let inside = marks.iter().flat_map(|mark| mark.inside.iter().copied());
    let inside = TensorData::new(inside.collect::<Vec<_>>(), [marks.len(), 1, SIDE, SIDE]);
    let wanted = adaptive_avg_pool2d(Tensor::from_data(inside, &device), [height, width]);
    let wanted = wanted.reshape([marks.len(), height * width]);
    let wanted = wanted.clone() / wanted.sum_dim(1);
    // A cell's evidence is its share of the logit; times the number of cells it is of the logit's size on any grid.
    let evidence = cells.reshape([batch * findings, height * width]) * (height * width) as f64;
    let found = log_softmax(evidence.select(0, rows), 1);
    -(wanted * found).sum() / batch as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Augmentation;
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use sightline::radiograph::GreyImage;

    /// The upper left quarter.
    const QUARTER: Rectangle = Rectangle {
        left: 0.0,
        top: 0.0,
        right: 0.5,
        bottom: 0.5,
    };

    fn mark(finding: usize, rectangle: Rectangle) -> Mark {
        let change = Augmentation::NONE.draw(&mut StdRng::seed_from_u64(1));
        Mark::new(0, finding, &[rectangle], &change)
    }

    /// One picture's maps of two findings, 2 x 2 each.
    fn cells(values: [f32; 8], device: &Device) -> Tensor<4> {
        Tensor::<1>::from_floats(values, device).reshape([1, 2, 2, 2])
    }

    #[test]
    fn the_loss_is_the_cross_entropy_of_a_maps_shares_and_those_of_a_box() {
        let device = Device::flex();
        let map = [9.0, 9.0, 9.0, 9.0, 0.1, -0.2, 0.0, 0.3];
        let of = |marks: &[&Mark]| missed(cells(map, &device), marks).into_scalar::<f32>();
        let exponents = [0.4f32, -0.8, 0.0, 1.2].map(f32::exp);
        let share = |cell: usize| (exponents[cell] / exponents.iter().sum::<f32>()).ln();
        let quarter = of(&[&mark(1, QUARTER)]);
        assert!((quarter + share(0)).abs() < 1e-5, "{quarter}");
        let upper = Rectangle {
            right: 1.0,
            ..QUARTER
        };
        let upper = of(&[&mark(1, upper)]);
        assert!(
            (upper + (share(0) + share(1)) / 2.0).abs() < 1e-5,
            "{upper}"
        );
        // Of the other finding's map all cells are alike.
        let even = of(&[&mark(0, QUARTER)]);
        assert!((even - 4f32.ln()).abs() < 1e-5, "{even}");
        let both = of(&[&mark(1, QUARTER), &mark(0, QUARTER)]);
        assert!((both - quarter - even).abs() < 1e-5);
    }

    #[test]
    fn a_step_against_the_gradient_moves_evidence_into_the_box_and_leaves_the_logit() {
        let device = Device::flex().autodiff();
        let before = cells([0.0; 8], &device).require_grad();
        let loss = missed(before.clone(), &[&mark(1, QUARTER)]);
        let gradient = before.grad(&loss.backward()).expect("a gradient");
        let step: Vec<f32> = (-gradient).into_data().try_to_vec().expect("float32");
        assert!(step[..4].iter().all(|value| *value == 0.0));
        assert!(step[4] > 0.0 && step[5..].iter().all(|value| *value < 0.0));
        assert!(step.iter().sum::<f32>().abs() < 1e-6);
    }

    #[test]
    fn boxes_move_as_the_picture_does() {
        let strong = Augmentation {
            rotation: 15.0,
            crop: (0.6, 1.0),
            stretch: 1.2,
            flip: 0.5,
            ..Augmentation::NONE
        };
        let rectangle = Rectangle {
            left: 0.25,
            top: 0.5,
            right: 0.625,
            bottom: 0.75,
        };
        // White where the box is.
        let side = 320;
        let at = |index: usize| (index as f64 + 0.5) / side as f64;
        let white = (0..side * side)
            .map(|pixel| 255 * u8::from(rectangle.contains(at(pixel % side), at(pixel / side))));
        let picture = GreyImage {
            width: side,
            height: side,
            pixels: white.collect(),
        };
        let mut mirrored = 0;
        for seed in 0..30 {
            let change = strong.draw(&mut StdRng::seed_from_u64(seed));
            let mark = Mark::new(0, 0, &[rectangle], &change);
            let changed = change.apply(&picture, SIDE);
            let pairs = mark.inside.iter().zip(&changed.pixels);
            // Pixels on the box's edge are grey.
            let wrong = pairs.filter(|(inside, pixel)| match pixel {
                0 => **inside != 0.0,
                255 => **inside != 1.0,
                _ => false,
            });
            assert_eq!(wrong.count(), 0, "seed {seed}");
            let (left, _) = change.source(0.0, 0.5);
            mirrored += usize::from(left > 0.5);
        }
        assert!((1..30).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn boxes_that_the_crop_left_out_do_not_count() {
        let beyond = Rectangle {
            left: 2.0,
            right: 3.0,
            ..QUARTER
        };
        assert!(mark(0, QUARTER).is_seen() && !mark(0, beyond).is_seen());
        let three = mark(0, QUARTER).counted_from(0);
        assert_eq!(
            Mark {
                picture: 5,
                ..three.clone()
            }
            .counted_from(3)
            .picture,
            2
        );
    }
}
