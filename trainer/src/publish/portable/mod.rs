//! A package for other programs: ONNX, safetensors, or a folder as Hugging Face has them.

mod facts;
mod huggingface;
mod onnx;
mod proto;
mod safetensors;

use anyhow::Result;
use sightline::package::about;

use crate::measure::score::Package;
use crate::storage::{Location, write_together};

/// What other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Onnx,
    Safetensors,
    HuggingFace,
}

impl Format {
    pub const ALL: [Self; 3] = [Format::Onnx, Format::Safetensors, Format::HuggingFace];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Onnx => "onnx",
            Format::Safetensors => "safetensors",
            Format::HuggingFace => "huggingface",
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Format::Onnx => {
                "A file for ONNX Runtime and others: logits, and all evidence maps, of pictures in a batch of any size"
            }
            Format::Safetensors => {
                "A file of the weights under torchvision's names, which torchvision's network of that name loads"
            }
            Format::HuggingFace => {
                "A folder: model.safetensors, config.json, and the card as README.md"
            }
        }
    }
}

/// Writes a package for other programs. `folder`: where the package is. `out`: a file, or for Hugging Face a folder.
///
/// # Errors
/// When it cannot be written.
pub fn write(package: &Package, folder: &Location, format: Format, out: &Location) -> Result<()> {
    let Package {
        manifest, network, ..
    } = package;
    let facts = facts::of(manifest)?;
    match format {
        Format::Onnx => out.write(&onnx::file(manifest, network, &facts)),
        Format::Safetensors => out.write(&safetensors::file(manifest, network, &facts)?),
        Format::HuggingFace => {
            let weights = safetensors::file(manifest, network, &facts)?;
            let config = serde_json::to_vec_pretty(&huggingface::config(manifest)?)?;
            // A package may have no card, as one that someone made by hand.
            let card = folder.join("card.md").read();
            let card = card.ok().and_then(|card| String::from_utf8(card).ok());
            let card = card.unwrap_or_else(|| about(manifest));
            let pictures = huggingface::pictures(&card);
            let mut files = vec![("model.safetensors", weights), ("config.json", config)];
            for name in &pictures {
                files.push((name, folder.join(name).read()?));
            }
            let readme = huggingface::header(manifest)? + &card;
            files.push(("README.md", readme.into_bytes()));
            out.create()?;
            write_together(out, &files)
        }
    }
}
