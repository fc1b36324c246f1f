//! The messages between an engine and its helpers: engines like it that score pictures beside it, and do nothing else.

use serde::{Deserialize, Serialize};
use sightline_core::asked::{Scored, Wants};

use crate::messages::PackagePlace;

/// From an engine to a helper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Fetch a package and get ready to score with it, on the CPU.
    Load(PackagePlace),
    /// Score pictures.
    Score {
        /// Comes back with the scores.
        ticket: u32,
        wants: Wants,
        /// Normalised values, `[pictures, channels, height, width]`.
        #[serde(with = "values")]
        values: Vec<f32>,
    },
}

/// From a helper to its engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Done {
    /// The package is loaded.
    Loaded,
    /// The package cannot be loaded, and this helper is of no use.
    NotLoaded,
    Scored {
        ticket: u32,
        /// Picture by picture; `None` where they cannot be scored here.
        scored: Option<Vec<Scored>>,
    },
}

/// Values as bytes, little end first: an array would take a quarter more, and many times as long.
mod values {
    use serde::de::Error;
    use serde::{Deserializer, Serializer};
    use serde_bytes::{ByteBuf, Deserialize};

    pub fn serialize<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        to.serialize_bytes(&bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
        let bytes: ByteBuf = Deserialize::deserialize(from)?;
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(D::Error::custom("values of four bytes each"));
        }
        Ok(values
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{decode, encode};

    #[test]
    fn tasks_arrive_as_they_were_sent() {
        let task = Task::Score {
            ticket: 7,
            wants: Wants::Evidence,
            values: vec![0.25, -1.5, f32::MIN_POSITIVE],
        };
        let bytes = encode(&task);
        assert_eq!(decode::<Task>(&bytes), Some(task));
        // A value that is cut.
        assert_eq!(decode::<Task>(&bytes[..bytes.len() - 1]), None);
    }
}
