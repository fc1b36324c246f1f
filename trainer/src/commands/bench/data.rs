//! `bench data`: how long pictures take, from the file to the network's input.

use std::time::Instant;

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use sightline::radiograph::{Input, Resize};
use sightline::vocabulary::CHEXPERT;

use crate::commands::options::Images;
use crate::data::augment::Augmentation;
use crate::data::{Views, read_square};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    images: Images,
    /// Height and width of the pictures.
    #[arg(long, default_value_t = 224)]
    size: usize,
    /// Pictures that are timed.
    #[arg(long, default_value_t = 1000)]
    count: usize,
}

/// As a training's first epoch does it: the file, decoded, resized to a little more than the input, then what every epoch does
/// with it, a random crop and its like, and normalisation. The second figure is of the latter alone: later epochs.
pub fn run(options: &Options) -> Result<()> {
    let (data, _) = options
        .images
        .rows(&CHEXPERT, Views::All, Default::default())?;
    let rows: Vec<_> = data.rows.iter().cycle().take(options.count).collect();
    let input = Input {
        levels: Default::default(),
        size: options.size,
        resize: Resize::Stretch,
        channels: 3,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
    };
    let augmentation = Augmentation {
        rotation: 10.0,
        crop: (0.8, 1.0),
        stretch: 1.1,
        contrast: 1.3,
        brightness: 0.1,
        flip: 0.0,
    };
    let side = options.size * 8 / 7;
    let start = Instant::now();
    let read = rows
        .par_iter()
        .map(|row| Ok(read_square(&data, row, side)?.image));
    let pictures = read.collect::<Result<Vec<_>>>()?;
    let decode = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let sum: f32 = pictures
        .par_iter()
        .enumerate()
        .map(|(index, picture)| {
            let mut rng = StdRng::seed_from_u64(index as u64);
            let changed = augmentation.draw(&mut rng).apply(picture, options.size);
            input.normalise(&changed)[0]
        })
        .sum();
    let change = start.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({
            "pictures": pictures.len(), "decode_seconds": decode, "change_seconds": change,
            "threads": rayon::current_num_threads(), "checksum": sum,
        })
    );
    Ok(())
}
