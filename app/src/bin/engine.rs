//! The engine worker's program.

use gloo::worker::Registrable;
use sightline_app::engine::Engine;

fn main() {
    Engine::registrar().register();
}
