//! Kernels and networks against 64-bit loops. In WebAssembly the networks alone, under node:
//! `cargo test --release -p sightline-kernels --target wasm32-unknown-unknown`.

// proptest has no source of random numbers in WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
mod layers;
mod networks;
mod reference;
// Nor has it threads.
#[cfg(not(target_arch = "wasm32"))]
mod teams;
