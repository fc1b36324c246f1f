//! `predict`: a CSV of probabilities.

use anyhow::{Context, Result};
use sightline::gate::{Judgement, Kind, Known, Verdict};
use sightline::package::sha256;
use sightline::radiograph::Radiograph;

use super::crops::Crops;
use super::options::{Images, Model};
use crate::data::{Views, stream};
use crate::measure::parts::row_column;
use crate::measure::score::{BATCH, Package};
use crate::storage::{Draft, Location};

/// What the gate says of each picture.
const GATE: [&str; 3] = ["Gate", "GateVerdict", "GateKind"];

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    augmented: Crops,
    /// The CSV to write: Path and a probability of each of the package's findings, blank where one is not trained; then how likely each picture is no frontal chest
    /// radiograph (Gate), and what that means (GateVerdict: pass, warn or stop; GateKind).
    #[arg(long)]
    out: Location,
}

/// Writes the probabilities of every frontal image. The models are of frontal images: how many lateral ones are left out is said,
/// and `--views all` scores them too. Rows are written as they come, and the file is in its place when all are.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let findings = package.manifest.vocabulary().findings;
    let decoding = options.model.decoding(&package.manifest);
    let (data, shard) = options.images.rows(&findings, Views::Frontal, decoding)?;
    let mut writer = csv::Writer::from_writer(Draft::begin(&options.out)?);
    let mut header = vec!["Path".to_owned()];
    header.extend(findings.iter().map(|finding| finding.name().to_owned()));
    header.extend(GATE.map(str::to_owned));
    if !shard.is_whole() {
        let (weights, set) = (
            &package.manifest.weights.sha256,
            options.images.set_name(options.model.depth),
        );
        let result = format!("{weights} {set} {}", options.augmented.crops);
        header.push(row_column(shard, &sha256(result.as_bytes())[..8]));
    }
    writer.write_record(&header)?;
    let input = &package.manifest.input;
    let augmented = options.augmented.augmented();
    let views = |read: Radiograph| (augmented.views(&read.image, input), Known::of(&read));
    let (mut scored, mut stopped) = (0, 0);
    let notes = stream(&data, BATCH, views, |rows, pictures| {
        let (pictures, known): (Vec<_>, Vec<_>) = pictures.into_iter().unzip();
        let judged = package.judged(&pictures)?;
        for ((row, known), (scores, shares)) in rows.iter().zip(&known).zip(&judged) {
            let mut record = vec![row.path.clone()];
            let cells = scores.iter();
            record.extend(cells.map(|score| score.map_or(String::new(), |p| format!("{p:.6}"))));
            let gate = &package.manifest.gate;
            // A table may say what a name does not.
            let name = match row.lateral {
                true => "lateral",
                false => row.path.rsplit(['/', '\\']).next().unwrap_or_default(),
            };
            let gate = Judgement::new(gate.as_ref(), shares.as_deref(), known, name);
            stopped += usize::from(gate.verdict == Verdict::Stop);
            record.push(
                gate.value
                    .map_or(String::new(), |value| format!("{value:.6}")),
            );
            record.push(gate.verdict.name().to_owned());
            record.push(gate.kind.map_or("", Kind::name).to_owned());
            if !shard.is_whole() {
                record.push(row.number.to_string());
            }
            let written = writer.write_record(&record);
            written.with_context(|| format!("cannot write {}", options.out))?;
        }
        scored += rows.len();
        Ok(())
    })?;
    notes.say(&data)?;
    let draft = writer.into_inner().map_err(|error| error.into_error());
    let draft = draft.with_context(|| format!("cannot write {}", options.out))?;
    draft.finish()?;
    println!("{scored} images scored");
    if stopped > 0 {
        println!("{stopped} of them are no frontal chest radiographs: see the column GateKind");
    }
    Ok(())
}
