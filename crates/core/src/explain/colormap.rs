//! Colours for maps.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// A scale from 0 to 1 as colours.
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
#[serde(rename_all = "lowercase")]
pub enum Colormap {
    /// Dark to light, even to the eye (Smith and van der Walt, 2015).
    #[default]
    Inferno,
    /// Even to the eye, and readable with every kind of colour vision.
    Viridis,
    /// The rainbow of older papers; its bands suggest edges that are not there.
    Jet,
}

impl Colormap {
    pub const ALL: [Colormap; 3] = [Colormap::Inferno, Colormap::Viridis, Colormap::Jet];

    pub fn name(self) -> &'static str {
        match self {
            Colormap::Inferno => "inferno",
            Colormap::Viridis => "viridis",
            Colormap::Jet => "jet",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|map| map.name() == name)
    }

    /// Red, green and blue of a value in 0..1; values outside are clamped, NaN is 0.
    pub fn rgb(self, value: f32) -> [u8; 3] {
        let value = f64::from(if value.is_nan() {
            0.0
        } else {
            value.clamp(0.0, 1.0)
        });
        match self {
            Colormap::Inferno => colorous::INFERNO.eval_continuous(value).as_array(),
            Colormap::Viridis => colorous::VIRIDIS.eval_continuous(value).as_array(),
            Colormap::Jet => {
                let ramp = |center: f64| {
                    let level = 1.5 - (4.0 * value - center).abs();
                    (level.clamp(0.0, 1.0) * 255.0).round() as u8
                };
                [ramp(3.0), ramp(2.0), ramp(1.0)]
            }
        }
    }
}

/// Colours of the diverging scale: at 0, at one half and at 1 of either side. Both sides have the same lightness at every value.
const AGAINST: [[f64; 3]; 3] = [ZERO, [26.0, 104.0, 196.0], [140.0, 205.0, 255.0]];
const FOR: [[f64; 3]; 3] = [ZERO, [170.0, 84.0, 0.0], [255.0, 190.0, 92.0]];
/// Dark as the radiograph's own background, so that what is brighter stands for more, as on the other scales.
const ZERO: [f64; 3] = [12.0, 14.0, 18.0];

/// Red, green and blue of a value in -1..1: from light blue over dark to light orange, which people with every kind of colour vision tell
/// apart. Values outside are clamped, NaN is 0.
pub fn diverging(value: f32) -> [u8; 3] {
    let value = f64::from(if value.is_nan() { 0.0 } else { value });
    let stops = if value < 0.0 { AGAINST } else { FOR };
    let at = 2.0 * value.abs().min(1.0);
    let first = (at as usize).min(1);
    let share = at - first as f64;
    let [from, to] = [stops[first], stops[first + 1]];
    std::array::from_fn(|channel| {
        (from[channel] + (to[channel] - from[channel]) * share).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linear red, green and blue of sRGB (IEC 61966-2-1).
    fn linear(rgb: [u8; 3]) -> [f64; 3] {
        rgb.map(|level| {
            let level = f64::from(level) / 255.0;
            match level <= 0.04045 {
                true => level / 12.92,
                false => ((level + 0.055) / 1.055).powf(2.4),
            }
        })
    }

    fn product(matrix: [[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// CIELAB under D65 of linear sRGB.
    fn lab(linear: [f64; 3]) -> [f64; 3] {
        let xyz = product(
            [
                [0.4124564, 0.3575761, 0.1804375],
                [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041],
            ],
            linear.map(|level| level.clamp(0.0, 1.0)),
        );
        let white = [0.95047, 1.0, 1.08883];
        let [x, y, z] = std::array::from_fn(|at| {
            let share = xyz[at] / white[at];
            match share > 216.0 / 24389.0 {
                true => share.cbrt(),
                false => (24389.0 / 27.0 * share + 16.0) / 116.0,
            }
        });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// What people see who lack one kind of cone (Machado, Oliveira and Fernandes, 2009, severity 1), and those who lack none.
    const EYES: [(&str, [[f64; 3]; 3]); 4] = [
        (
            "normal",
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        ),
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    #[test]
    fn every_eye_tells_evidence_for_from_evidence_against() {
        for (eye, matrix) in EYES {
            for percent in [25, 50, 75, 100] {
                let value = percent as f32 / 100.0;
                let [a, b] = [value, -value].map(|v| lab(product(matrix, linear(diverging(v)))));
                let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
                let apart = squares.sum::<f64>().sqrt();
                // Colours 20 apart in CIELAB are two colours to anyone; one that can just be told is 2.3 away.
                assert!(apart > 20.0, "{eye}, {value}: {apart}");
            }
        }
    }

    #[test]
    fn the_diverging_scale_is_symmetric_in_lightness_and_rises_from_zero_on_both_sides() {
        let lightness = |value: f32| lab(linear(diverging(value)))[0];
        assert_eq!(diverging(0.0), diverging(f32::NAN));
        assert_eq!(diverging(2.0), diverging(1.0));
        assert_eq!(diverging(f32::NEG_INFINITY), diverging(-1.0));
        let mut before = [lightness(0.0); 2];
        for percent in 1..=100 {
            let value = percent as f32 / 100.0;
            let now = [lightness(value), lightness(-value)];
            assert!((now[0] - now[1]).abs() < 3.0, "{value}: {now:?}");
            assert!(now[0] >= before[0] && now[1] >= before[1], "{value}");
            before = now;
        }
        assert!(before[0] > 75.0, "{before:?}");
    }

    #[test]
    fn inferno_runs_from_dark_to_light_and_jet_from_blue_to_red() {
        let sum = |[r, g, b]: [u8; 3]| u32::from(r) + u32::from(g) + u32::from(b);
        assert!(sum(Colormap::Inferno.rgb(0.0)) < 20);
        assert!(sum(Colormap::Inferno.rgb(1.0)) > 500);
        assert_eq!(Colormap::Jet.rgb(0.0), [0, 0, 128]);
        assert_eq!(Colormap::Jet.rgb(1.0), [128, 0, 0]);
        assert_eq!(Colormap::Viridis.rgb(f32::NAN), Colormap::Viridis.rgb(0.0));
    }
}
