//! How long a picture takes on each device: measured once, and kept for the adapter, the model and this version.
//!
//! They are kept in Cache storage, beside the weights. Where there is none, or it is full, they are measured at each visit.

use sightline::package::Manifest;
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;
use sightline::reading::ReadError;
use sightline::report::DeviceTimes;
use sightline::view::View;

use crate::clock::now;
use crate::weights;

/// Readings of which the median is taken.
const READINGS: usize = 3;
/// What the times are kept as.
const TIMES: &str = "device-times";

/// Where what was measured of a model on an adapter is kept, and how the places of other adapters and versions begin; `None` where the page has no address.
pub fn place(what: &str, manifest: &Manifest, adapter: &str) -> Option<[String; 2]> {
    let model = format!("{what}?weights={}&", manifest.weights.sha256);
    let own = format!(
        "build={}&adapter={}",
        sightline_wire::VERSION,
        String::from(js_sys::encode_uri_component(adapter))
    );
    let of_model = sightline_wire::address(&model).ok()?;
    Some([of_model.clone(), of_model + &own])
}

/// The times of a model on an adapter, where they were measured before.
pub async fn known(manifest: &Manifest, adapter: &str) -> Option<DeviceTimes> {
    let [_, key] = place(TIMES, manifest, adapter)?;
    let text = weights::kept_text(&key).await?;
    let (webgpu, cpu) = text.split_once(' ')?;
    let (webgpu, cpu) = (webgpu.parse().ok()?, cpu.parse().ok()?);
    Some(DeviceTimes { webgpu, cpu })
}

/// Keeps the times, in place of those of other adapters and versions.
pub async fn keep(manifest: &Manifest, adapter: &str, times: DeviceTimes) {
    if let Some([of_model, key]) = place(TIMES, manifest, adapter) {
        let text = format!("{} {}", times.webgpu, times.cpu);
        weights::keep_text(&of_model, &key, &text).await;
    }
}

/// Reads a picture for nothing: the first reading on a device takes longer. WebGPU compiles every shader for it.
///
/// # Errors
/// When the device fails.
pub async fn get_ready(reader: &Reader) -> Result<(), ReadError> {
    reader.read(&test_picture(reader)).await?;
    Ok(())
}

/// Milliseconds that a reading takes, once the device is ready.
///
/// # Errors
/// When the device fails.
pub async fn measured(reader: &Reader) -> Result<f64, ReadError> {
    let view = test_picture(reader);
    let mut times = [0.0; READINGS];
    for time in &mut times {
        let start = now();
        reader.read(&view).await?;
        *time = now() - start;
    }
    times.sort_by(f64::total_cmp);
    Ok(times[READINGS / 2])
}

/// A picture as large as the model's input: rings that become finer outwards, in all grey levels.
pub fn test_picture(reader: &Reader) -> View {
    let size = reader.manifest.input.size;
    let ring = |at: usize| {
        let (x, y) = (at % size, at / size);
        ((x * x + y * y) / 8) as u8
    };
    reader.view(&GreyImage {
        width: size,
        height: size,
        pixels: (0..size * size).map(ring).collect(),
    })
}
