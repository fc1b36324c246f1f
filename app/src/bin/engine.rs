//! The engine worker's program.

fn main() {
    sightline_app::engine::start();
}
