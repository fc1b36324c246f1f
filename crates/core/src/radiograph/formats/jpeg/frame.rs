//! The frame of a JPEG: its size, its components, and the coefficients or samples read so far (T.81, B.2.2).

use super::transform::{self, Precision};
use crate::radiograph::refusal::RadiographError;

/// What the markers say of the colours.
#[derive(Clone, Copy, Default)]
pub struct Colours {
    pub jfif: bool,
    /// The transform byte of an Adobe segment.
    pub adobe: Option<u8>,
}

impl Colours {
    /// Whether a marker says that three components are YCbCr.
    pub fn are_ycbcr_by_marker(self) -> bool {
        self.jfif || self.adobe.is_some_and(|transform| transform != 0)
    }
}

pub struct Frame {
    pub precision: Precision,
    pub width: usize,
    pub height: usize,
    pub progressive: bool,
    pub components: Vec<Component>,
    /// Blocks are 8 samples wide, and `8 / reduction` once decoded.
    reduction: usize,
    /// The most that a component is sampled, across and down.
    most: (usize, usize),
}

pub struct Component {
    pub id: u8,
    /// How densely it is sampled, across and down.
    pub sampling: (usize, usize),
    quantisation_slot: usize,
    pub quantisation: Option<[u16; 64]>,
    /// Size in samples, before any reduction.
    pub size: (usize, usize),
    /// Blocks across and down that hold samples: what a scan of this component alone has.
    pub blocks: (usize, usize),
    /// Blocks across and down with those that fill up the last interleaved units.
    pub padded: (usize, usize),
    /// Progressive: the coefficients so far, 64 for each padded block.
    pub coefficients: Vec<i16>,
    /// Progressive: for each coefficient, the lowest bit that is known; [`UNKNOWN`] at first.
    pub low_bits: [u8; 64],
    /// Sequential: the samples so far, padded to whole blocks.
    pub samples: Vec<u16>,
    /// Sequential: how many of `blocks` were read.
    pub read: usize,
}

pub const UNKNOWN: u8 = 255;

/// The samples of one component at its own size.
pub struct Plane<T> {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<T>,
}

impl Plane<u16> {
    /// The samples in 8 bits, which are all that they have.
    pub fn narrow(self) -> Plane<u8> {
        Plane {
            width: self.width,
            height: self.height,
            samples: self.samples.into_iter().map(|v| v as u8).collect(),
        }
    }
}

impl Frame {
    /// From the body of SOF0, SOF1 or SOF2.
    pub fn parse(marker: u8, body: &[u8]) -> Result<Self, RadiographError> {
        let wrong = || RadiographError::damaged("the frame header is invalid");
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = body else {
            return Err(wrong());
        };
        let height = usize::from(u16::from_be_bytes([h1, h0]));
        let width = usize::from(u16::from_be_bytes([w1, w0]));
        if precision == 12 && count != 1 {
            return Err(RadiographError::unsupported("a 12-bit JPEG in colour"));
        }
        if precision == 12 && marker == 0xC2 {
            return Err(RadiographError::unsupported("a progressive 12-bit JPEG"));
        }
        if !matches!(precision, 8 | 12) {
            return Err(RadiographError::damaged(
                "a number of bits that no JPEG has",
            ));
        }
        if height == 0 {
            return Err(RadiographError::unsupported(
                "a JPEG that tells its height at its end",
            ));
        }
        let count = usize::from(count);
        if width == 0 || count == 0 || rest.len() < 3 * count {
            return Err(wrong());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(RadiographError::unsupported(
                "a JPEG with two or more than four components",
            ));
        }
        let parts = rest.chunks_exact(3).take(count);
        let mut components = Vec::with_capacity(count);
        for part in parts {
            let sampling = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            let slot = usize::from(part[2]);
            if !(1..=4).contains(&sampling.0) || !(1..=4).contains(&sampling.1) || slot > 3 {
                return Err(wrong());
            }
            components.push(Component {
                id: part[0],
                // A single component is never interleaved: whatever its factors, it has every sample (A.2.2).
                sampling: if count == 1 { (1, 1) } else { sampling },
                quantisation_slot: slot,
                quantisation: None,
                size: (0, 0),
                blocks: (0, 0),
                padded: (0, 0),
                coefficients: Vec::new(),
                low_bits: [UNKNOWN; 64],
                samples: Vec::new(),
                read: 0,
            });
        }
        let most = |part: fn(&Component) -> usize| components.iter().map(part).max().unwrap_or(1);
        let most = (most(|c| c.sampling.0), most(|c| c.sampling.1));
        let units = (width.div_ceil(8 * most.0), height.div_ceil(8 * most.1));
        for component in &mut components {
            let (across, down) = component.sampling;
            component.size = (
                (width * across).div_ceil(most.0),
                (height * down).div_ceil(most.1),
            );
            component.blocks = (component.size.0.div_ceil(8), component.size.1.div_ceil(8));
            component.padded = (units.0 * across, units.1 * down);
        }
        Ok(Self {
            precision: Precision(precision),
            width,
            height,
            progressive: marker == 0xC2,
            components,
            reduction: 1,
            most,
        })
    }

    /// To be decoded smaller, with at least `least` pixels on each side.
    pub fn reduced(mut self, least: Option<usize>) -> Self {
        let shorter = self.width.min(self.height);
        let enough = |by: &usize| least.is_some_and(|least| shorter.div_ceil(*by) >= least);
        self.reduction = [8, 4, 2].into_iter().find(enough).unwrap_or(1);
        self
    }

    /// Interleaved units across and down (A.2.3).
    pub fn units(&self) -> (usize, usize) {
        (
            self.width.div_ceil(8 * self.most.0),
            self.height.div_ceil(8 * self.most.1),
        )
    }

    pub fn scaled_size(&self) -> (usize, usize) {
        (
            self.width.div_ceil(self.reduction),
            self.height.div_ceil(self.reduction),
        )
    }

    /// How many times fewer samples a component has than the picture has pixels, across and down, as a fraction.
    pub fn most(&self) -> (usize, usize) {
        self.most
    }

    /// Samples of a decoded block on a side.
    pub fn block_side(&self) -> usize {
        8 / self.reduction
    }

    /// Tables may come again between scans: a component keeps those that were there when its first scan began (B.2.4.1).
    pub fn take_tables(&mut self, tables: &[Option<[u16; 64]>; 4]) {
        for component in &mut self.components {
            if component.read == 0 && component.low_bits == [UNKNOWN; 64] {
                component.quantisation = tables[component.quantisation_slot];
            }
        }
    }

    /// The share of the picture that was read: blocks, or of a progressive one coefficients, those that lack bits by half.
    pub fn share(&self) -> f64 {
        let (mut read, mut all) = (0.0, 0.0);
        for component in &self.components {
            let blocks = (component.blocks.0 * component.blocks.1) as f64;
            all += blocks;
            read += if self.progressive {
                let known = |low: &u8| match *low {
                    0 => 1.0,
                    UNKNOWN => 0.0,
                    _ => 0.5,
                };
                component.low_bits.iter().map(known).sum::<f64>() / 64.0 * blocks
            } else {
                component.read as f64
            };
        }
        read / all
    }

    /// The samples of each component; a progressive one's coefficients are transformed now.
    pub fn planes(&mut self) -> Result<Vec<Plane<u16>>, RadiographError> {
        let side = self.block_side();
        let (progressive, reduction) = (self.progressive, self.reduction);
        let precision = self.precision;
        let plane = |component: &mut Component| {
            if progressive {
                component.transform_all(precision, side)?;
            }
            let stride = component.padded.0 * side;
            let width = component.size.0.div_ceil(reduction);
            let height = component.size.1.div_ceil(reduction);
            let samples = std::mem::take(&mut component.samples);
            let rows = samples.chunks_exact(stride).take(height);
            Ok(Plane {
                width,
                height,
                samples: if stride == width {
                    rows.flatten().copied().collect()
                } else {
                    rows.flat_map(|row| &row[..width]).copied().collect()
                },
            })
        };
        self.components.iter_mut().map(plane).collect()
    }
}

impl Component {
    /// Room for its samples, and its quantisation table.
    pub fn prepare(&mut self, side: usize) -> Result<[u16; 64], RadiographError> {
        let table = self.quantisation.ok_or_else(|| {
            RadiographError::damaged("a component without its quantisation table")
        })?;
        if self.samples.is_empty() {
            self.samples = vec![0; self.padded.0 * self.padded.1 * side * side];
        }
        Ok(table)
    }

    /// Writes the block at `(x, y)`, in blocks.
    pub fn put(
        &mut self,
        (x, y): (usize, usize),
        coefficients: &[i16; 64],
        table: &[u16; 64],
        precision: Precision,
        side: usize,
    ) {
        let stride = self.padded.0 * side;
        let first = y * side * stride + x * side;
        transform::inverse(
            coefficients,
            table,
            precision,
            side,
            &mut self.samples[first..],
            stride,
        );
    }

    fn transform_all(&mut self, precision: Precision, side: usize) -> Result<(), RadiographError> {
        let table = self.prepare(side)?;
        let coefficients = std::mem::take(&mut self.coefficients);
        let (blocks, _) = coefficients.as_chunks::<64>();
        for (index, block) in blocks.iter().enumerate() {
            self.put(
                (index % self.padded.0, index / self.padded.0),
                block,
                &table,
                precision,
                side,
            );
        }
        Ok(())
    }
}
