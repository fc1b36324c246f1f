//! A package on the command line.

use sightline::package::Manifest;
use sightline::radiograph::Options;

use crate::device::DeviceName;
use crate::storage::Location;

/// Which package, where it computes, and how it is given pictures.
#[derive(clap::Args)]
pub struct Model {
    /// The package's folder.
    #[arg(long)]
    pub model: Location,
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    pub device: DeviceName,
    /// Read 16-bit pictures as pictures of N bits (white is 2^N - 1). By default the file states N, or else its largest sample tells it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(8..=16))]
    pub depth: Option<u8>,
}

impl Model {
    /// How pictures are read for this model.
    pub fn decoding(&self, manifest: &Manifest) -> Options {
        Options {
            depth: self.depth,
            levels: manifest.input.levels,
            ..Options::default()
        }
    }
}
