//! Whether a model computes in float16 on an adapter: where that is faster, and what it says is what it says in float32. It is measured once, and kept as the
//! times are.

use sightline::reader::Reader;
use sightline::reading::ReadError;

use crate::device_times::{get_ready, measured, place, test_picture};
use crate::weights;

/// How far a logit may be from float32's: before calibration, a probability is then within 0.005.
const TOLERANCE: f32 = 0.02;
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
    let (half_logits, half_time) = tried(reader).await?;
    reader.unhalve();
    let (logits, time) = tried(reader).await?;
    let mut both = half_logits.iter().zip(&logits);
    Ok(half_time < time && both.all(|(half, full)| (half - full).abs() <= TOLERANCE))
}

/// What a reader says of the test picture, and in how many milliseconds.
async fn tried(reader: &Reader) -> Result<(Vec<f32>, f64), ReadError> {
    get_ready(reader).await?;
    let logits = reader.read(&test_picture(reader)).await?.logits;
    Ok((logits, measured(reader).await?))
}
