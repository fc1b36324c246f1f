//! Which device to compute on, told truthfully.

use burn::tensor::Device;
use js_sys::{Function, Object, Promise, Reflect};
use sightline_session::messages::{Adapter, DeviceChoice};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A device, and what is known of it.
pub struct Opened {
    pub device: Device,
    pub adapter: Adapter,
    /// In bytes: no tensor on the device can be larger. Of no meaning on the CPU.
    pub largest_buffer: f64,
}

impl Opened {
    /// The CPU, and why it is not WebGPU: empty if the CPU was asked for.
    pub fn cpu(because: &str) -> Self {
        Self {
            device: Device::flex(),
            adapter: Adapter::Cpu {
                workers: 1,
                because: because.to_owned(),
            },
            largest_buffer: f64::INFINITY,
        }
    }
}

/// Opens the device that the choice allows: WebGPU, if it can be had.
///
/// A software adapter (SwiftShader, llvmpipe, WARP) computes on the CPU and slower than the CPU backend does, so
/// it is taken only if it was asked for.
///
/// # Errors
/// When WebGPU was asked for and there is none.
pub async fn open(choice: DeviceChoice) -> Result<Opened, String> {
    let cpu = Opened::cpu;
    if choice == DeviceChoice::Cpu {
        return Ok(cpu(""));
    }
    let may_be_cpu = choice != DeviceChoice::WebGpu;
    let adapter = request_adapter().await;
    match (adapter, choice) {
        (Some(adapter), DeviceChoice::Best) if adapter.software => Ok(cpu(&format!(
            "the browser offers only a software replacement ({})",
            adapter.name
        ))),
        (Some(found), _) => {
            let WebGpuAdapter {
                name,
                software,
                largest_buffer,
            } = found;
            match webgpu().await {
                Ok(device) => Ok(Opened {
                    device,
                    adapter: Adapter::WebGpu {
                        name,
                        software,
                        float16: false,
                    },
                    largest_buffer,
                }),
                Err(error) if may_be_cpu => Ok(cpu(&format!("WebGPU did not start: {error}"))),
                Err(error) => Err(format!("WebGPU did not start: {error}")),
            }
        }
        (None, _) if may_be_cpu => Ok(cpu("this browser does not offer WebGPU on this page")),
        (None, _) => Err(
            "This browser does not offer WebGPU. Open the page without ?device=webgpu \
                          to read on the CPU."
                .to_owned(),
        ),
    }
}

#[cfg(feature = "webgpu")]
async fn webgpu() -> Result<Device, String> {
    let device = Device::wgpu_options().init_async().await;
    device.map_err(|error| error.to_string())
}

/// This program stands in for the one that has WebGPU.
#[cfg(not(feature = "webgpu"))]
async fn webgpu() -> Result<Device, String> {
    Err("the engine's program for it cannot be fetched".to_owned())
}

struct WebGpuAdapter {
    name: String,
    software: bool,
    largest_buffer: f64,
}

/// What every WebGPU adapter can bind as one storage buffer, at least.
const LEAST_BINDING: f64 = (128 << 20) as f64;

/// What `navigator.gpu.requestAdapter()` gives; the WebGPU part of web-sys is not stable, so by reflection.
async fn request_adapter() -> Option<WebGpuAdapter> {
    let get = |object: &JsValue, key: &str| Reflect::get(object, &key.into()).ok();
    let navigator = get(&js_sys::global(), "navigator")?;
    let gpu = get(&navigator, "gpu").filter(JsValue::is_object)?;
    let request: Function = get(&gpu, "requestAdapter")?.dyn_into().ok()?;
    let options = Object::new();
    Reflect::set(
        &options,
        &"powerPreference".into(),
        &"high-performance".into(),
    )
    .ok()?;
    let promise: Promise = request.call1(&gpu, &options).ok()?.dyn_into().ok()?;
    let adapter = JsFuture::from(promise)
        .await
        .ok()
        .filter(JsValue::is_object)?;
    let info = get(&adapter, "info").unwrap_or(JsValue::UNDEFINED);
    let text = |key: &str| {
        get(&info, key)
            .and_then(|v| v.as_string())
            .unwrap_or_default()
    };
    let truth = |object: &JsValue| get(object, "isFallbackAdapter").is_some_and(|v| v.is_truthy());

    let limits = get(&adapter, "limits").unwrap_or(JsValue::UNDEFINED);
    let limit = |key: &str| {
        let limit = get(&limits, key).and_then(|limit| limit.as_f64());
        limit.unwrap_or(LEAST_BINDING)
    };
    let largest_buffer = limit("maxStorageBufferBindingSize").min(limit("maxBufferSize"));

    let parts = [
        text("vendor"),
        text("architecture"),
        text("device"),
        text("description"),
    ];
    let all = parts.join(" ").to_lowercase();
    let known = [
        "swiftshader",
        "llvmpipe",
        "lavapipe",
        "softpipe",
        "basic render",
        "warp",
        "software",
    ];
    let software = truth(&adapter) || truth(&info) || known.iter().any(|name| all.contains(name));
    let [vendor, architecture, device, description] = parts;
    let name = if description.is_empty() {
        [vendor, architecture, device]
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        description
    };
    let name = if name.is_empty() {
        "an unnamed adapter".to_owned()
    } else {
        name
    };
    Some(WebGpuAdapter {
        name,
        software,
        largest_buffer,
    })
}

/// How many cores the browser says that there are.
pub fn cores() -> usize {
    let cores = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"hardwareConcurrency".into()));
    cores.ok().and_then(|cores| cores.as_f64()).unwrap_or(1.0) as usize
}
