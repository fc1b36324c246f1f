//! The model measured on pictures that the page has scores of.

use sightline::package::Manifest;
use sightline_measure::validation::{Given, Picture, validate};
use sightline_session::messages::{Reason, ScoredPicture};

/// The figures as HTML and as a package's `evaluation.json`, and the manifest with them. `tables`: names and lengths of the tables whose
/// bytes are one behind the other.
///
/// # Errors
/// When a table cannot be read, or says nothing of the pictures.
pub fn measured(
    manifest: &Manifest,
    tables: &[(String, u64)],
    mut bytes: &[u8],
    pictures: Vec<ScoredPicture>,
) -> Result<(String, String, Manifest), Reason> {
    let mut given = Vec::new();
    for (name, length) in tables {
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        let table = bytes.split_at_checked(length);
        let (table, rest) = table.ok_or_else(|| {
            Reason::Tables(format!(
                "{name} is not as long any more as it was: give it again"
            ))
        })?;
        bytes = rest;
        given.push(Given {
            name: name.clone(),
            bytes: table.to_vec(),
        });
    }
    let pictures = pictures.into_iter().map(|picture| Picture {
        file: picture.file,
        probabilities: picture.probabilities,
        maps: picture.maps,
        region: picture.region,
    });
    let pictures: Vec<Picture> = pictures.collect();
    let refused = |error| Reason::Tables(format!("{error:#}"));
    let validation = validate(manifest, given, &pictures).map_err(refused)?;
    let evaluation = validation.json().map_err(refused)?;
    Ok((validation.html(), evaluation, validation.manifest))
}
