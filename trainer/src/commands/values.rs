//! Values of options, by their names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sightline::explain::method::Method;
use sightline::package::Maps;
use sightline::radiograph::Resize;

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
