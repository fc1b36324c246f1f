//! Whether a model computes in float16 on an adapter: where that is faster, and what it says is what it says in float32. It is measured once, and kept as the
//! times are.

use sightline::reader::Reader;
use sightline::reading::ReadError;

use crate::device_times::{measured, place, test_picture};
use crate::weights;

/// How far a probability may be from float32's.
const TOLERANCE: f64 = 0.01;
const FLOAT16: &str = "float16";
const FLOAT32: &str = "float32";

/// Has the reader compute in float16 if it is to, on this adapter; tells whether it does.
///
/// # Errors
/// When the device fails.
pub async fn choose(reader: &mut Reader, adapter: &str) -> Result<bool, ReadError> {
    if !reader.can_halve() {
        return Ok(false);
    }
    let place = place("precision", &reader.manifest, adapter);
    let keep = async |text: &str| {
        if let Some([of_model, key]) = &place {
            weights::keep_text(of_model, key, text).await;
        }
    };
    let known = match &place {
        Some([_, key]) => weights::kept_text(key).await,
        None => None,
    };
    let float16 = match known {
        Some(known) => known == FLOAT16,
        None => {
            // Should the adapter fail at it, it is not tried again.
            keep(FLOAT32).await;
            let float16 = is_better(reader).await?;
            if float16 {
                keep(FLOAT16).await;
            }
            float16
        }
    };
    if float16 {
        reader.halve();
    }
    Ok(float16)
}

/// Whether a reader is better in float16 than in float32, in which it is left.
async fn is_better(reader: &mut Reader) -> Result<bool, ReadError> {
    reader.halve();
    let (half_scores, half_time) = tried(reader).await?;
    reader.unhalve();
    let (scores, time) = tried(reader).await?;
    let mut both = half_scores.iter().zip(&scores);
    let is_near = both.all(|(half, full)| match (half, full) {
        (Some(half), Some(full)) => (half - full).abs() <= TOLERANCE,
        _ => half == full,
    });
    Ok(half_time < time && is_near)
}

/// What a reader says of the test picture, and in how many milliseconds.
async fn tried(reader: &Reader) -> Result<(Vec<Option<f64>>, f64), ReadError> {
    // The first reading compiles the shaders, and is not timed.
    let read = reader.read(&test_picture(reader)).await?;
    Ok((read.probabilities, measured(reader).await?))
}
