//! The engine that can compute on a graphics card.

#[cfg(target_arch = "wasm32")]
unsafe extern "C" {
    /// The linker's: registers what the crate `inventory` collects, of which CubeCL makes shaders.
    safe fn __wasm_call_ctors();
}

fn main() {
    // A program that never calls it is a command to the linker, which then has every call from JavaScript do it first: thousands of
    // times for a picture.
    #[cfg(target_arch = "wasm32")]
    __wasm_call_ctors();
    sightline_engine::serve();
}
