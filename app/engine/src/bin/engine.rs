//! The engine that computes on the CPU.

fn main() {
    sightline_engine::serve();
}
