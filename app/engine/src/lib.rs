//! The engine worker: owns the device and the model, and does all the computing. There are two programs of it: the feature `webgpu` is in
//! the larger one.
//!
//! | module | what it is for |
//! |---|---|
//! | `requests` | answers the page's requests; a newer one ends the work for an older one |
//! | `model` | a package on a device, the picture that was read with it, and scoring |
//! | `line` | where answers go, and whether anyone still waits for them |
//! | `pool`, `helper` | other workers that score pictures beside this one, and this program as one of them |
//! | `threads` | the program that computes a picture on several cores |
//! | `dropped` | weights that were dropped into the page: looked at, and made packages of |
//! | `kept` | the models that this browser keeps |
//! | `card`, `validation` | a model card as HTML; the model measured on pictures that the page has scores of |
//! | `device`, `weights` | opening a device, fetching a package |
//! | `precision` | whether a model computes in float16 on an adapter: measured once, and kept |
//! | `device_times` | how long a picture takes on each device: measured once, and kept |

mod card;
mod clock;
mod device;
mod device_times;
mod dropped;
mod helper;
mod kept;
mod line;
mod model;
mod pool;
mod precision;
mod requests;
mod threads;
mod validation;
mod weights;

use sightline_wire::{self as wire, Role};
use wasm_bindgen::prelude::JsCast;
use web_sys::DedicatedWorkerGlobalScope;

/// Serves whoever started this worker.
pub fn serve() {
    // A panic ends the engine: its memory may be in any state. The page is told and starts a new one.
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        wire::end(&info.to_string());
        js_sys::global()
            .unchecked_into::<DedicatedWorkerGlobalScope>()
            .close();
    }));
    match wire::role() {
        Role::Engine => requests::serve(),
        Role::Helper => helper::serve(),
    }
}
