//! `explain`: pictures with a map on them, and the readings' reports.

mod many;
pub mod names;
mod one;
mod options;
mod picture;

use anyhow::{Context, Result, bail};
use sightline::explain::method::Settings;
use sightline::finding::Finding;
use sightline::package::Manifest;
use sightline::reader::Reader;
use sightline::vocabulary;

use crate::measure::replay;
use crate::measure::score::Package;
use one::HowTo;
pub use options::Options;

/// Explains one finding of each image, by one of the methods.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let named = options.finding.as_deref();
    let named = named.map(|name| finding(&package.manifest, name));
    let named = named.transpose()?;
    if let Some(finding) = named
        && package.manifest.trained_output(finding).is_none()
    {
        bail!(
            "{} was not trained on {finding}: there is nothing to explain",
            package.manifest.name
        );
    }
    let reader = Reader::new(package.manifest, package.network, package.device);
    if let Some(report) = &options.replay {
        let [image] = options.image.as_slice() else {
            bail!("a report is of one image");
        };
        let replayed = replay::replay(&reader, &report.read()?, &image.read()?);
        let tolerance = replayed.with_context(|| format!("{report} and {image}"))?;
        println!("the report can be repeated: it is within {tolerance:.0e} of what comes out now");
        return Ok(());
    }
    let how = HowTo {
        reader: &reader,
        method: options.method,
        settings: Settings {
            lime: options.lime.options(),
            ..Settings::default()
        },
        finding: named,
        depth: options.model.depth,
        device: options.model.device.to_string(),
    };
    if let ([image], None) = (options.image.as_slice(), &options.images) {
        return how.explain(image, options.out.as_ref(), options.json.as_ref());
    }
    many::explain(&how, options)
}

/// The finding of a package that is called so.
fn finding(manifest: &Manifest, name: &str) -> Result<Finding> {
    let findings = manifest.vocabulary().findings;
    vocabulary::find(&findings, name).with_context(|| {
        let names: Vec<&str> = findings.iter().map(|finding| finding.name()).collect();
        format!(
            "there is no finding {name:?}; there are {}",
            names.join(", ")
        )
    })
}
