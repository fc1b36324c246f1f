//! Images on which a model calls a finding: what the benches of maps are made on.

use anyhow::{Result, bail};
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;

use crate::commands::options::{Images, Model};
use crate::data::Views;
use crate::measure::score::Package;

/// A model, and the first images with a finding above its operating point.
#[derive(clap::Args)]
pub struct CalledImages {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    /// How many images: the first with a called finding.
    #[arg(long)]
    count: Option<usize>,
}

impl CalledImages {
    /// Does something with the first images that have a finding above its operating point: the image's number, from 1, and which findings,
    /// the highest score first. Gives how many there were. `usual`: how many if nobody says.
    ///
    /// # Errors
    /// When there is none, or an image cannot be read, or the work fails.
    pub fn each(
        &self,
        usual: usize,
        mut work: impl FnMut(u64, &Reader, &GreyImage, &[usize]) -> Result<()>,
    ) -> Result<usize> {
        let Self {
            model,
            images,
            count,
        } = self;
        let count = count.unwrap_or(usual);
        let package = Package::open(&model.model, model.device.device()?)?;
        let reader = Reader::new(package.manifest, package.network, package.device);
        let findings = reader.manifest.vocabulary().findings;
        let (data, _) = images.rows(&findings, Views::Frontal, model.decoding(&reader.manifest))?;
        let mut found = 0;
        for row in &data.rows {
            if found == count {
                break;
            }
            let image = data.radiograph(row)?.image;
            let probabilities =
                pollster::block_on(reader.read(&reader.view(&image)))?.probabilities;
            let calls = reader.manifest.called(&probabilities);
            let mut called: Vec<usize> = (0..calls.len()).filter(|index| calls[*index]).collect();
            let score = |finding: usize| probabilities[finding].unwrap_or_default();
            called.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
            if !called.is_empty() {
                found += 1;
                work(found as u64, &reader, &image, &called)?;
                eprintln!("{found} of {count} images");
            }
        }
        if found == 0 {
            bail!("no image has a score above its operating point");
        }
        Ok(found)
    }
}
