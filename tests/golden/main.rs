//! The engine against the field's own Python libraries. Where the numbers come from: `README.md` here.

mod cam;
mod expected;
mod lime;
mod networks;
mod occlusion;
mod preprocess;
