//! `bench intervals`: how often LIME's 95% intervals hold what very many samples say.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde::Serialize;
use sightline::asked::{Asked, Wants};
use sightline::explain::lime::{self, Estimator, FindingLime, Lime};

use super::called::CalledImages;
use crate::measure::asking::ask;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    images: CalledImages,
    /// Samples of the reference coefficients, which the intervals should hold.
    #[arg(long, default_value_t = 8192)]
    reference: usize,
}

/// Numbers of samples whose intervals are judged.
const SAMPLES: [usize; 5] = [75, 100, 200, 400, 1000];
/// Pictures that are scored at once: divides all of them.
const BATCH: usize = 25;

/// How often the intervals of one estimator with one number of samples hold.
#[derive(Default, Serialize)]
struct Coverage {
    coefficients: usize,
    /// How many the interval holds.
    held: usize,
    /// How many the interval holds, where the reference is known no better than by its own interval.
    held_for_all_that_is_known: usize,
}

pub fn run(options: &Options) -> Result<()> {
    let ways = [Estimator::Emulation, Estimator::Regression];
    let mut coverage = ways.map(|_| SAMPLES.map(|_| Coverage::default()));
    let images = options.images.each(10, |seed, reader, image, called| {
        let settings = |samples, estimator, seed| lime::Options {
            samples,
            until_stable: false,
            estimator,
            seed,
            ..lime::Options::default()
        };
        let reference = settings(options.reference, Estimator::Regression, seed);
        let (input, square) = (&reader.manifest.input, reader.manifest.input.square(image));
        let reference = Lime::new(&square, input, reference);
        let truth = ask(reader, reference, &ProgressBar::hidden())?;
        let most = SAMPLES[SAMPLES.len() - 1];
        // Both draw the same samples.
        let mut running = ways.map(|way| Lime::new(&square, input, settings(most, way, !seed)));
        for scored in (BATCH..=most).step_by(BATCH) {
            let values = running.each_mut().map(|lime| lime.next_batch(BATCH));
            let scores = pollster::block_on(reader.score(values[0].clone(), &Wants::Evidence))?;
            for (lime, coverage) in running.iter_mut().zip(&mut coverage) {
                lime.push(scores.clone());
                let Some(place) = SAMPLES.iter().position(|samples| *samples == scored) else {
                    continue;
                };
                let ours = lime.outcome().context("no sample was scored")?;
                for finding in called {
                    let both = (&ours.findings[*finding], &truth.findings[*finding]);
                    if let (Some(ours), Some(truth)) = both {
                        coverage[place].count(ours, truth);
                    }
                }
            }
        }
        Ok(())
    })?;
    let [emulation, regression] = coverage;
    println!(
        "{}",
        serde_json::json!({
            "images": images, "reference": options.reference, "samples": SAMPLES,
            "emulation": emulation, "regression": regression,
        })
    );
    Ok(())
}

impl Coverage {
    fn count(&mut self, ours: &FindingLime, truth: &FindingLime) {
        let intervals = ours.coefficients.iter().zip(&ours.margins);
        let truth = truth.coefficients.iter().zip(&truth.margins);
        for ((ours, margin), (truth, known)) in intervals.zip(truth) {
            let off = (ours - truth).abs();
            self.coefficients += 1;
            self.held += usize::from(off <= *margin);
            self.held_for_all_that_is_known += usize::from(off <= margin.hypot(*known));
        }
    }
}
