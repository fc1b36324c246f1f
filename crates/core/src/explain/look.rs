//! What of a signed map is shown, and in which colours.

use super::colormap::{Colormap, diverging};
use crate::heat_map::HeatMap;

/// What of a map is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapKind {
    /// Evidence for the finding alone, as Grad-CAM's ReLU leaves it.
    #[default]
    Positive,
    /// Evidence for and against, on a diverging scale.
    Both,
}

impl MapKind {
    pub const ALL: [Self; 2] = [Self::Positive, Self::Both];

    pub fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Both => "both",
        }
    }

    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Positive => "for the finding",
            Self::Both => "for and against",
        }
    }

    /// The part of a map that is shown.
    fn part(self, map: &HeatMap) -> HeatMap {
        match self {
            Self::Positive => map.positive(),
            Self::Both => map.clone(),
        }
    }

    /// What a full colour stands for: the largest value that is shown, whatever its sign. 0 where nothing is shown.
    pub fn most(self, map: &HeatMap) -> f32 {
        let least = map.values.iter().copied().fold(0.0, f32::min);
        match self {
            Self::Positive => map.max(),
            Self::Both => map.max().max(-least),
        }
    }

    /// The map as it is shown at a size: each value's share of [`MapKind::most`], -1..1. All are 0 where nothing is shown.
    pub fn shares(self, map: &HeatMap, width: usize, height: usize) -> HeatMap {
        let most = self.most(map);
        let mut scaled = self.part(map).upsample(width, height);
        for value in &mut scaled.values {
            *value = if most > 0.0 { *value / most } else { 0.0 };
        }
        scaled
    }
}

/// How a map is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub kind: MapKind,
    /// The scale of a map of evidence for the finding alone; the other kind has its own.
    pub colormap: Colormap,
}

impl From<Colormap> for Look {
    fn from(colormap: Colormap) -> Self {
        let kind = MapKind::Positive;
        Self { kind, colormap }
    }
}

impl Look {
    /// The lowest share that a colour stands for.
    pub fn lowest(self) -> f32 {
        match self.kind {
            MapKind::Positive => 0.0,
            MapKind::Both => -1.0,
        }
    }

    /// Red, green and blue of a share.
    pub fn rgb(self, share: f32) -> [u8; 3] {
        match self.kind {
            MapKind::Positive => self.colormap.rgb(share),
            MapKind::Both => diverging(share),
        }
    }
}
