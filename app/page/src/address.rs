//! What the page's address asks for, behind its question mark.

use leptos::prelude::window;
use sightline_session::messages::DeviceChoice;
use sightline_session::session::Wanted;
use web_sys::UrlSearchParams;

/// What is asked for under a name.
pub fn parameter(name: &str) -> Option<String> {
    let search = window().location().search().unwrap_or_default();
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// `?device=cpu` and `?device=webgpu` force a device.
pub fn device() -> DeviceChoice {
    match parameter("device").as_deref() {
        Some("cpu") => DeviceChoice::Cpu,
        Some("webgpu") => DeviceChoice::WebGpu,
        Some("measured") => DeviceChoice::Measured,
        _ => DeviceChoice::Best,
    }
}

/// `?model=`, `?method=` and `?finding=`.
pub fn wanted() -> Wanted {
    Wanted {
        model: parameter("model"),
        method: parameter("method"),
        finding: parameter("finding"),
    }
}
