//! What two reports of the same picture say differently.

use std::fmt;

use ciborium::Value;

use super::Report;

/// One thing that two reports say differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where in the report, as `findings.3.probability`.
    pub place: String,
    /// What the report says there, in words.
    pub says: String,
    /// What the other says.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, says, other } = self;
        write!(f, "{place}: the report says {says}, and now it is {other}")
    }
}

impl Report {
    /// Everything that `other` says differently of the same picture: a number by more than `tolerance`, as a share of the
    /// largest beside it (at least 1); anything else at all. What is missing in one of them, and what is not a number, is a difference.
    ///
    /// Which program made them, on which device, in which time, and what the file was called may differ. What earlier reports did not say
    /// is not compared with them.
    pub fn differences(&self, other: &Report, tolerance: f64) -> Vec<Difference> {
        let mut other = other.clone();
        other.software.clone_from(&self.software);
        other.adapter.clone_from(&self.adapter);
        other.float16 = self.float16;
        other.timings = self.timings;
        // A reader drew it; no program makes it again.
        other.drawn.clone_from(&self.drawn);
        other.image.file.clone_from(&self.image.file);
        // What version 3 began to say.
        if self.schema_version < 3 {
            other.schema_version = self.schema_version;
            other.image.levels = None;
            other.image.dicom = None;
            other.gate = None;
        }
        let mut comparison = Comparison {
            tolerance,
            found: Vec::new(),
        };
        match (Value::serialized(self), Value::serialized(&other)) {
            (Ok(ours), Ok(theirs)) => comparison.compare("", &ours, &theirs, 1.0),
            // Nothing that is in a report cannot be written.
            (ours, theirs) => comparison.differ("", &ours.err(), &theirs.err()),
        }
        comparison.found
    }
}

struct Comparison {
    tolerance: f64,
    found: Vec<Difference>,
}

impl Comparison {
    fn differ(&mut self, place: &str, says: &impl fmt::Debug, other: &impl fmt::Debug) {
        self.found.push(Difference {
            place: place.to_owned(),
            says: format!("{says:?}"),
            other: format!("{other:?}"),
        });
    }

    /// `scale`: the largest number beside these.
    fn compare(&mut self, place: &str, ours: &Value, theirs: &Value, scale: f64) {
        let inside = |name: &str| match place {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        };
        match (ours, theirs) {
            (Value::Float(a), Value::Float(b)) => {
                // What is no number, or infinite, is near to nothing.
                let most = self.tolerance * scale.max(a.abs());
                let near = a.is_finite() && b.is_finite() && (a - b).abs() <= most;
                if !near {
                    self.differ(place, a, b);
                }
            }
            (Value::Array(a), Value::Array(b)) => {
                if a.len() != b.len() {
                    self.found.push(Difference {
                        place: place.to_owned(),
                        says: format!("{} values", a.len()),
                        other: format!("{} values", b.len()),
                    });
                    return;
                }
                let numbers = a.iter().filter_map(Value::as_float);
                let scale = numbers
                    .filter(|number| number.is_finite())
                    .fold(1.0, |most: f64, number| most.max(number.abs()));
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    self.compare(&inside(&index.to_string()), a, b, scale);
                }
            }
            (Value::Map(a), Value::Map(b)) => {
                let find = |map: &'_ [(Value, Value)], key: &Value| {
                    let mut entries = map.iter();
                    entries.find(|(k, _)| k == key).map(|(_, v)| v.clone())
                };
                for (key, ours) in a {
                    let name = inside(&word(key));
                    match find(b, key) {
                        Some(theirs) => self.compare(&name, ours, &theirs, 1.0),
                        None => self.found.push(Difference {
                            place: name,
                            says: "something".to_owned(),
                            other: "missing".to_owned(),
                        }),
                    }
                }
                for (key, _) in b.iter().filter(|(key, _)| find(a, key).is_none()) {
                    self.found.push(Difference {
                        place: inside(&word(key)),
                        says: "nothing".to_owned(),
                        other: "there".to_owned(),
                    });
                }
            }
            (a, b) if a == b => {}
            (a, b) => self.found.push(Difference {
                place: place.to_owned(),
                says: word(a),
                other: word(b),
            }),
        }
    }
}

/// A value as people write it.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Array(values) => format!("{} values", values.len()),
        _ => "something else".to_owned(),
    }
}
