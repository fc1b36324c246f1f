//! `localize`: do the maps point at what radiologists marked?

use std::io::Write;

use anyhow::{Result, bail};
use sightline::explain::method::{Asking, Settings};
use sightline::package::{LocalisedBy, Maps, Marks as MarkedBy};
use sightline::reader::Reader;

use super::lime::LimeOptions;
use super::options::{Images, Model};
use super::values::maps;
use crate::data::Views;
use crate::measure::marks::Marks;
use crate::measure::pointing::{Header, Judgement, Judgements, judge, report};
use crate::measure::score::Package;
use crate::publish::card::record_later;
use crate::storage::{Draft, Location};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    /// A CSV of boxes: Path, Class, X, Y, W, H. The last four are shares of the picture's width and height.
    #[arg(long, required_unless_present = "masks", conflicts_with = "masks")]
    boxes: Option<Location>,
    /// A CSV of masks instead of boxes: Path, Mask, Class, SourceClass. Masks are under the same root as the images.
    #[arg(long)]
    masks: Option<Location>,
    /// The maps to measure: those of a method, or a baseline.
    #[arg(long, default_value = "grad-cam", value_parser = maps())]
    method: Maps,
    #[command(flatten)]
    lime: LimeOptions,
    /// Write the figures to this JSON file too. With --shard, it holds what `merge` needs.
    #[arg(long)]
    json: Option<Location>,
    /// Write the figures into the package, for the page to show.
    #[arg(long)]
    record: bool,
}

pub fn run(options: &Options) -> Result<()> {
    let settings = Settings {
        lime: options.lime.options(),
        ..Settings::default()
    };
    let judgement = match &options.method {
        Maps::By(method) => Judgement::Method(settings.asking(*method)),
        Maps::Centre => Judgement::Centre,
        Maps::Random => Judgement::Random,
        Maps::Other(name) => bail!("there is no method {name:?}"),
    };
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let mut manifest = package.manifest.clone();
    let reader = Reader::new(package.manifest, package.network, package.device);
    let decoding = options.model.decoding(&manifest);
    let findings = manifest.vocabulary().findings;
    let (data, shard) = options.images.rows(&findings, Views::Frontal, decoding)?;
    let (place, marks) = match (&options.boxes, &options.masks) {
        (Some(boxes), _) => (boxes, Marks::boxes(boxes, &findings)?),
        (None, Some(masks)) => (masks, Marks::masks(masks, &data)?),
        (None, None) => bail!("--boxes or --masks is needed"),
    };
    if options.record && !shard.is_whole() {
        bail!("--record needs all images: leave out --shard");
    }
    // Where nothing can be written, it is known before the work is done.
    let out = options.json.as_ref().map(Draft::begin).transpose()?;
    let judgements = Judgements {
        of: "localize".to_owned(),
        shard,
        header: Header {
            model: manifest.name.clone(),
            weights_sha256: manifest.weights.sha256.clone(),
            csv: options.images.set_name(options.model.depth),
            marks: place.name(),
            method: judgement.maps(),
            options: match &judgement {
                Judgement::Method(Some(Asking::Lime(options))) => Some(options.clone()),
                _ => None,
            },
        },
        rows: judge(&reader, data, &marks, &judgement)?,
    };
    let report = report(&judgements);
    let json = if shard.is_whole() {
        if judgements.rows.is_empty() {
            bail!("{place} marks no image of the CSV with a finding that was trained");
        }
        print!("{}", report.table());
        serde_json::to_vec_pretty(&report)?
    } else {
        let count = judgements.rows.len();
        println!("{count} images judged; merge joins the parts");
        serde_json::to_vec(&judgements)?
    };
    if let Some(mut draft) = out {
        draft.write_all(&json)?;
        draft.finish()?;
    }
    if options.record {
        let by = LocalisedBy {
            maps: judgement.maps(),
            marks: match options.masks {
                Some(_) => MarkedBy::Masks,
                None => MarkedBy::Boxes,
            },
        };
        report.record(&mut manifest, &by);
        record_later(&options.model.model, &manifest)?;
    }
    Ok(())
}
