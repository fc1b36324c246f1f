//! What the gate's detector is given of a picture: how strong each channel of the last feature maps is, and on which side.

use burn::tensor::{DType, Tensor};
use sightline_core::gate::detector::thumbnail;

use crate::network::{product, tensor};
use crate::radiograph::GreyImage;

/// For each channel of each branch its mean, the mean of the right half less that of the left, and of the lower half less that of the upper:
/// `[batch, 3 * channels]`.
///
/// A column or row in the middle is in neither half.
pub fn of_maps(feature_maps: &[Tensor<4>]) -> Tensor<2> {
    let parts = feature_maps.iter().map(|map| {
        // Float32, whatever the backbones computed in.
        let map = map.clone().cast(DType::F32);
        let [batch, channels, height, width] = map.dims();
        let cells = height * width;
        let halves = tensor(halves(height, width), [1, cells, 3], &map.device());
        let map = map.reshape([batch, channels, cells]);
        let sums = product(map, halves.repeat_dim(0, batch));
        sums.reshape([batch, channels * 3])
    });
    Tensor::cat(parts.collect(), 1)
}

/// All features of a picture: those of its maps, then the levels of a small one.
pub fn with_thumbnail(of_maps: &[f32], square: &GreyImage) -> Vec<f32> {
    let mut features = of_maps.to_vec();
    features.extend(thumbnail(square));
    features
}

/// By what each cell is multiplied for the mean and for the two differences, cell by cell.
fn halves(height: usize, width: usize) -> Vec<f32> {
    let side = |place: usize, length: usize| {
        let half = length / 2;
        match place {
            place if place < half => -1.0 / half as f32,
            place if place >= length - half => 1.0 / half as f32,
            _ => 0.0,
        }
    };
    let cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let all = (height * width) as f32;
    cells
        .flat_map(|(x, y)| {
            let across = side(x, width) / height as f32;
            let down = side(y, height) / width as f32;
            [1.0 / all, across, down]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_map_gives_its_mean_and_how_much_more_is_on_the_right_and_below() {
        let device = Device::flex();
        // Two channels of 2 rows and 3 columns.
        let values = vec![
            1.0, 5.0, 3.0, 1.0, 5.0, 3.0, //
            0.0, 0.0, 0.0, 6.0, 6.0, 6.0f32,
        ];
        let map = Tensor::<4>::from_data(TensorData::new(values, [1, 2, 2, 3]), &device);
        let features = of_maps(&[map.clone(), map]);
        let features = features.into_data().try_to_vec::<f32>().expect("float32");
        let expected = [3.0, 2.0, 0.0, 3.0, 0.0, 6.0];
        assert_eq!(features.len(), 12);
        for (feature, expected) in features.iter().zip(expected.iter().cycle()) {
            assert!((feature - expected).abs() < 1e-5, "{features:?}");
        }
    }
}
