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

#[cfg(test)]
mod tests {
    use super::*;

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
