//! Values of options, by their names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
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
