//! The engine that can compute on a graphics card.

fn main() {
    sightline_engine::serve();
}
