//! Values of options, by their names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sightline::explain::method::Method;
use sightline::package::{Maps, Unit};
use sightline::radiograph::Resize;

use crate::data::Views;
use crate::publish::export::CalibrationFit;
use crate::train::Precision;

/// One of some values by its name; `--help` lists them with what they are.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
    about: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let values = all
        .iter()
        .map(move |value| PossibleValue::new(name(*value)).help(about(*value)));
    PossibleValuesParser::new(values).map(move |chosen| {
        let mut all = all.iter().copied();
        all.find(|value| name(*value) == chosen)
            .expect("one of the values that are possible")
    })
}

/// The methods of `explain`, and the two maps that know nothing of the picture.
pub fn maps() -> impl TypedValueParser<Value = Maps> {
    let methods = Method::ALL
        .iter()
        .map(|method| PossibleValue::new(method.name()).help(method.title()));
    let center = "a Gaussian in the middle of every picture, which a map must beat";
    let random = "a map drawn at random for every picture";
    let others = [
        PossibleValue::new("center").alias("centre").help(center),
        PossibleValue::new("random").help(random),
    ];
    let values: Vec<PossibleValue> = methods.chain(others).collect();
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Maps>())
}

/// One of a table of values: each with its name and what it is.
fn named<T: Copy + Send + Sync + 'static>(
    all: &'static [(T, &'static str, &'static str)],
) -> impl TypedValueParser<Value = T> {
    let values = all
        .iter()
        .map(|(_, name, about)| PossibleValue::new(*name).help(*about));
    PossibleValuesParser::new(values).map(|chosen| {
        let mut all = all.iter();
        let found = all.find(|(_, name, _)| *name == chosen);
        found.expect("one of the values that are possible").0
    })
}

pub fn views() -> impl TypedValueParser<Value = Views> {
    named(&[
        (Views::Frontal, "frontal", "Frontal views"),
        (Views::Lateral, "lateral", "Lateral views"),
        (Views::All, "all", "All views"),
        (
            Views::Ap,
            "ap",
            "Frontal, and known to be anterior-posterior",
        ),
        (
            Views::Pa,
            "pa",
            "Frontal, and known to be posterior-anterior",
        ),
    ])
}

pub fn unit() -> impl TypedValueParser<Value = Unit> {
    named(&[
        (Unit::Image, "image", "Each image by itself"),
        (Unit::Study, "study", "A study, by its highest score"),
    ])
}

pub fn precision() -> impl TypedValueParser<Value = Precision> {
    named(&[
        (Precision::F32, "f32", "float32"),
        (Precision::Bf16, "bf16", "bfloat16, in half the memory"),
    ])
}

pub fn calibration() -> impl TypedValueParser<Value = CalibrationFit> {
    named(&[
        (
            CalibrationFit::Platt,
            "platt",
            "Factor and offset for each finding",
        ),
        (
            CalibrationFit::Temperature,
            "temperature",
            "A factor for each finding",
        ),
        (CalibrationFit::None, "none", "The sigmoid alone"),
    ])
}

/// `stretch`, or the length of the shorter side.
pub fn resize(text: &str) -> Result<Resize, String> {
    match text {
        "stretch" => Ok(Resize::Stretch),
        side => side
            .parse()
            .map(Resize::ShorterSide)
            .map_err(|_| "must be \"stretch\" or a number of pixels".to_owned()),
    }
}
