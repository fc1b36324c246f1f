//! Kernels and networks against 64-bit loops and PyTorch. In WebAssembly the networks alone, in headless Chromium, as `cargo xtask test` has them
//! compiled for relaxed SIMD.

#[path = "../../../../tests/golden/formula.rs"]
#[allow(dead_code)]
mod formula;
mod golden;
// proptest has no source of random numbers in WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
mod layers;
mod networks;
mod reference;
// Nor has it threads.
#[cfg(not(target_arch = "wasm32"))]
mod teams;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
