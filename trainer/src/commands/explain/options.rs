//! What `explain` is asked for.

use clap::builder::TypedValueParser;
use sightline::explain::method::Method;

use crate::commands::lime::LimeOptions;
use crate::commands::options::{Images, Model};
use crate::commands::values::one_of;
use crate::storage::Location;

const USAGE: &str = "sightline-trainer explain [OPTIONS] --model <MODEL> <IMAGE>...\n       sightline-trainer explain [OPTIONS] --model <MODEL> --csv <CSV>";

#[derive(clap::Args)]
#[command(override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub model: Model,
    /// How the map is made.
    #[arg(long, default_value = "grad-cam", value_parser = methods())]
    pub method: Method,
    #[command(flatten)]
    pub lime: LimeOptions,
    /// The finding to explain, one of the package's, for example "Pleural Effusion" (by default the one with the highest score).
    #[arg(long)]
    pub finding: Option<String>,
    /// The images to explain. --csv names a table of images instead, --root alone a folder.
    #[arg(required_unless_present_any = ["csv", "root"], conflicts_with_all = ["csv", "root"])]
    pub image: Vec<Location>,
    #[command(flatten)]
    pub images: Option<Images>,
    /// Repeat the reading of this report and compare. Scores and maps may differ by 1e-3 of their size.
    #[arg(long, conflicts_with_all = ["csv", "root", "finding", "json"])]
    pub replay: Option<Location>,
    /// Write the picture with the map on it to this PNG file; for several images, to this folder.
    #[arg(long)]
    pub out: Option<Location>,
    /// Write the report to this JSON file; for several images, to this folder.
    #[arg(long)]
    pub json: Option<Location>,
}

/// The methods by their names, for `--help`.
fn methods() -> impl TypedValueParser<Value = Method> {
    one_of(Method::ALL, Method::name, Method::title)
}
