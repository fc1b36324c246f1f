//! Time, and giving way to what waits.

use futures::channel::oneshot;
use gloo::timers::future::TimeoutFuture;
use js_sys::Reflect;
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::MessageChannel;

/// Milliseconds since the worker began.
pub fn now() -> f64 {
    let now = || {
        let performance = Reflect::get(&js_sys::global(), &"performance".into()).ok()?;
        Some(performance.dyn_into::<web_sys::Performance>().ok()?.now())
    };
    now().unwrap_or_default()
}

/// Waits until messages that are there were heard. A timer would do, but browsers let one that follows others wait for 4 ms.
pub async fn let_messages_in() {
    let (sender, heard) = oneshot::channel();
    let Ok(channel) = MessageChannel::new() else {
        return TimeoutFuture::new(0).await;
    };
    let hear = Closure::once_into_js(move || {
        // Nobody waits where the work was given up.
        let _ = sender.send(());
    });
    channel.port1().set_onmessage(Some(hear.unchecked_ref()));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        let _ = heard.await;
    }
    channel.port1().close();
}
