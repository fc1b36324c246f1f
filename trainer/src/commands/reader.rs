//! `evaluate --reader`: a person's readings beside a model.

use std::io::Write;

use anyhow::{Context, Result, bail};
use sightline::package::Unit;
use sightline::radiograph::Options;

use super::options::{Images, Model};
use crate::data::{Dataset, Readings, Views};
use crate::measure::evaluation::score;
use crate::measure::parts::Shard;
use crate::measure::reader::report;
use crate::measure::score::{Augmented, Package};
use crate::storage::{Draft, Location};

/// Measures readings. `model`: scores the images anew, in place of the scores that the table of readings has.
pub fn run(
    csv: &Location,
    images: &Images,
    model: Option<&Model>,
    json: Option<&Location>,
) -> Result<()> {
    let open = |model: &Model| Package::open(&model.model, model.device.device()?);
    let package = model.map(open).transpose()?;
    let findings = package.as_ref();
    let findings = findings.map(|package| package.manifest.vocabulary().findings);
    let mut readings = Readings::read(csv, findings.as_deref())?;
    let decoding = match model.zip(package.as_ref()) {
        Some((model, package)) => model.decoding(&package.manifest),
        None => Options::default(),
    };
    let (data, shard) = images.rows(readings.findings(), Views::Frontal, decoding)?;
    if !shard.is_whole() {
        bail!("--reader measures all readings at once: --shard does not go with it");
    }
    let data = readings
        .rows(data)
        .with_context(|| format!("{csv} does not go with the labels"))?;
    // Where nothing can be written, it is known before the work is done.
    let out = json.map(Draft::begin).transpose()?;
    let set = images.set_name(model.and_then(|model| model.depth));
    let name = match &package {
        Some(package) => {
            score_anew(&mut readings, package, &data, set.clone())?;
            package.manifest.name.clone()
        }
        None => format!("the scores in {}", csv.name()),
    };
    let report = report(&readings, &data, [csv.name(), name, set]);
    print!("{}", report.table());
    match out {
        Some(mut draft) => {
            draft.write_all(&serde_json::to_vec_pretty(&report)?)?;
            draft.finish()
        }
        None => Ok(()),
    }
}

fn score_anew(
    readings: &mut Readings,
    package: &Package,
    data: &Dataset,
    set: String,
) -> Result<()> {
    let (unit, whole) = (Unit::Image, Shard::WHOLE);
    let scored = score(
        package,
        data.clone(),
        whole,
        unit,
        &[],
        set,
        Augmented::NONE,
    )?;
    let rows = scored.rows.into_iter().filter_map(|(number, scored)| {
        let row = data.rows.iter().find(|row| row.number == number)?;
        Some((row.path.clone(), scored.scores))
    });
    readings.score_anew(rows.collect::<Vec<_>>());
    Ok(())
}
