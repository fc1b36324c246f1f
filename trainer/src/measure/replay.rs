//! A report made again, and both compared: `explain --replay`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::method::{Explanation, Method};
use sightline::package::{Output, sha256};
use sightline::radiograph::DepthSource;
use sightline::reader::Reader;
use sightline::report::{Report, Timings};
use sightline::trust::Trust;
use sightline::trust::erase::{Erased, erasing};
use sightline::trust::measuring::{Measured, Measuring};
use sightline::view::View;

use super::asking::ask;

/// What a report may differ by, as a share of the largest value: another device adds up in another order.
const TOLERANCE: f64 = 1e-3;
/// What a report may differ by whose feature maps were computed in float16.
const TOLERANCE_OF_FLOAT16: f64 = 0.02;
/// The most painted places that are painted again: more than the page lets anyone have.
const MOST_SPOTS: usize = 10_000;
/// Differences that are named one by one.
const NAMED: usize = 8;

/// Reads and explains an image as its report says. Gives the share of the largest value by which numbers may differ.
///
/// # Errors
/// When the report is none, of another model or image, contradicts itself, or says something else than what comes out: a
/// finding, a score or a value more, less, another, or none.
pub fn replay(reader: &Reader, report: &[u8], image: &[u8]) -> Result<f64> {
    let report = Report::parse(report)?;
    if report.image.sha256 != sha256(image) {
        bail!("it is not the image of the report ({})", report.image.file);
    }
    let manifest = &reader.manifest;
    if report.model.weights_sha256 != manifest.weights.sha256
        || report.preprocessing != manifest.input
    {
        bail!(
            "the report is of another model: {}, weights {}",
            report.model.name,
            report.model.weights_sha256
        );
    }
    // Of a depth that someone chose, that one; else it is told from the file as it was then.
    let chosen = report
        .image
        .depth
        .filter(|depth| depth.told_by == DepthSource::Choice);
    let radiograph = reader.decode(image, chosen.map(|depth| depth.bits))?;
    let view = reader.view(&radiograph.image);
    let reading = pollster::block_on(reader.read(&view))?;
    let (file, timings) = (&report.image.file, Timings::default());
    let hash = report.image.sha256.clone();
    let mut now = Report::new(manifest, &radiograph, file, hash, &reading, "", timings);
    // What takes long is made again only of a reading that came again.
    now.explanations.clone_from(&report.explanations);
    now.trust.clone_from(&report.trust);
    now.erased.clone_from(&report.erased);
    refuse_differences(&report, &now)?;

    let again = Again {
        reader,
        report: &report,
        view,
    };
    for explanation in report.explanations.all() {
        now.explanations.put(again.explanation(&explanation)?);
    }
    // Their maps are measured below.
    refuse_differences(&report, &now)?;
    let mut measured = BTreeSet::new();
    for (place, trust) in now.trust.iter_mut().enumerate() {
        if !measured.insert((trust.finding, trust.method)) {
            bail!("trust.{place}: the report measures {} twice", trust.finding);
        }
        *trust = again
            .trust(trust)
            .with_context(|| format!("trust.{place}"))?;
    }
    now.erased = report
        .erased
        .as_ref()
        .map(|e| again.erased(e))
        .transpose()?;
    refuse_differences(&report, &now)?;
    Ok(tolerance(&report))
}

/// How far the numbers of a report may be from those of another device.
fn tolerance(report: &Report) -> f64 {
    match report.float16 {
        true => TOLERANCE_OF_FLOAT16,
        false => TOLERANCE,
    }
}

/// # Errors
/// When two reports differ: the first few differences are named.
fn refuse_differences(report: &Report, now: &Report) -> Result<()> {
    let differences = report.differences(now, tolerance(report));
    if differences.is_empty() {
        return Ok(());
    }
    let named = differences.iter().take(NAMED).map(|d| format!("\n  {d}"));
    let more = match differences.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    bail!(
        "the report cannot be repeated{}{more}",
        named.collect::<String>()
    );
}

/// What a report's parts are made again of.
struct Again<'a> {
    reader: &'a Reader,
    report: &'a Report,
    view: View,
}

impl Again<'_> {
    fn explanation(&self, theirs: &Explanation) -> Result<Explanation> {
        let name = theirs.method().name();
        let input = &self.reader.manifest.input;
        let job = theirs.start_again(&self.view, input);
        let job = job.map_err(|why| anyhow!("{name}: {why}"))?;
        ask(self.reader, job, &ProgressBar::hidden()).context(name)
    }

    /// The report's own map of an output by a method: that it comes again is seen elsewhere.
    fn map(&self, method: Method, output: Output) -> Option<HeatMap> {
        match method {
            Method::GradCam => Some(self.report.findings[output.0].grad_cam.cells.clone()),
            method => self.report.explanations.by(method)?.map(output),
        }
    }

    fn trust(&self, theirs: &Trust) -> Result<Trust> {
        let manifest = &self.reader.manifest;
        let output = manifest.output(theirs.finding);
        let output = output.context("the model does not have the finding")?;
        let map = self.map(theirs.method, output).with_context(|| {
            format!(
                "the report has no map of {} by {}",
                theirs.finding,
                theirs.method.name()
            )
        })?;
        // Reports that do not say with which map another agrees compare Grad-CAM with LIME.
        let other = theirs.agreement_with.unwrap_or(match theirs.method {
            Method::GradCam => Method::COMPARED_BEFORE,
            _ => Method::GradCam,
        });
        // Measured before the other map was there, it has none.
        let other = theirs
            .agreement
            .and_then(|_| Some((other, self.map(other, output)?)));
        let measured = Measured {
            output,
            method: theirs.method,
            map,
            other,
            // A report may say less than what is measured now.
            drawn: theirs.sanity.iter().map(|check| check.randomised).collect(),
        };
        let options = theirs.faithfulness.options;
        let measuring = Measuring::new(&self.view, manifest, measured, options)?;
        let mut ours = ask(self.reader, measuring, &ProgressBar::hidden())?;
        if theirs.agreement_with.is_none() {
            ours.agreement_with = None;
        }
        Ok(ours)
    }

    fn erased(&self, theirs: &Erased) -> Result<Erased> {
        let spots = theirs.spots.len();
        if spots > MOST_SPOTS {
            bail!("erased: {spots} places are more than a report has ({MOST_SPOTS} at most)");
        }
        let input = &self.reader.manifest.input;
        let erasing = erasing(&self.view, input, theirs.spots.clone(), theirs.fill);
        ask(self.reader, erasing, &ProgressBar::hidden())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use burn::tensor::Device;
    use serde_json::{Value, json};
    use sightline::explain::fill::Fill;
    use sightline::explain::method::Settings;
    use sightline::explain::{lime, occlusion};
    use sightline::network::Network;
    use sightline::package::{Calibration, Manifest};
    use sightline::radiograph::GreyImage;
    use sightline::trust::erase::Spot;
    use sightline::trust::faithfulness;
    use sightline::trust::sanity::Randomised;

    use super::*;
    use sightline::radiograph::Radiograph;

    /// The shipped Lite0's manifest for a network with fresh weights that sees 64 pixels, and knows three findings.
    fn reader() -> Reader {
        let manifest = include_bytes!("../../../www/models/efficientnet-lite0-nih/manifest.json");
        let mut manifest = Manifest::parse(manifest).expect("a manifest");
        manifest.input.size = 64;
        manifest.findings.truncate(3);
        manifest.findings[1].trained = false;
        let device = Device::flex();
        device.seed(7);
        let network = Network::new(&manifest.architecture, 3, &device).expect("a network");
        let mut reader = Reader::new(manifest, network, device);
        // Fresh weights tell pictures hardly apart: calibration makes much of what they do.
        let picture = Radiograph::decode(&image()).expect("a picture").image;
        let black = GreyImage {
            pixels: vec![0; picture.pixels.len()],
            ..picture
        };
        let logits = |picture: &GreyImage| {
            let reading = pollster::block_on(reader.read(&reader.view(picture)));
            reading.expect("a reading").logits
        };
        let (shown, hidden) = (logits(&picture), logits(&black));
        for (index, card) in reader.manifest.findings.iter_mut().enumerate() {
            let (shown, hidden) = (f64::from(shown[index]), f64::from(hidden[index]));
            let scale = 4.0 / (shown - hidden);
            let offset = -scale * shown;
            card.calibration = Some(Calibration::Platt { scale, offset });
        }
        reader
    }

    fn image() -> Vec<u8> {
        let level = |x: u32, y: u32| image::Luma([(x * 3 + y * y % 41) as u8]);
        let picture = image::GrayImage::from_fn(80, 90, level);
        let mut png = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut png, image::ImageFormat::Png)
            .expect("a picture");
        png.into_inner()
    }

    #[test]
    fn numbers_of_float16_may_differ_by_more() {
        let (reader, file) = (reader(), image());
        let made = report(&reader, &file);
        let moved = |by: f64, float16: bool| {
            let mut moved = made.clone();
            let probability = &mut moved["findings"][0]["probability"];
            *probability = json!(probability.as_f64().expect("a probability") + by);
            if float16 {
                moved["float16"] = json!(true);
            }
            replay(&reader, moved.to_string().as_bytes(), &file)
        };
        assert_eq!(moved(0.0, false).expect("as made"), TOLERANCE);
        assert_eq!(moved(0.01, true).expect("near"), TOLERANCE_OF_FLOAT16);
        moved(0.01, false).expect_err("float32 has more digits");
        moved(0.03, true).expect_err("too far for float16, too");
    }

    /// As they were before they said which levels were shown, and what the gate says.
    #[test]
    fn a_report_of_version_2_is_still_replayed() {
        let (reader, file) = (reader(), image());
        let mut old = report(&reader, &file);
        old["schema_version"] = json!(2);
        old["image"]
            .as_object_mut()
            .expect("an object")
            .remove("levels");
        old["preprocessing"]
            .as_object_mut()
            .expect("an object")
            .remove("levels");
        old.as_object_mut().expect("an object").remove("gate");
        let replayed = |report: &Value| replay(&reader, report.to_string().as_bytes(), &file);
        replayed(&old).expect("as it was");
        old["findings"][0]["logit"] = json!(99.0);
        assert!(replayed(&old).is_err());
    }

    /// A report with everything that a report can have.
    fn report(reader: &Reader, file: &[u8]) -> Value {
        let radiograph = Radiograph::decode(file).expect("a picture");
        let view = reader.view(&radiograph.image);
        let reading = pollster::block_on(reader.read(&view)).expect("a reading");
        let timings = Timings::default();
        let hash = sha256(file);
        let manifest = &reader.manifest;
        let mut report = Report::new(
            manifest,
            &radiograph,
            "a.png",
            hash,
            &reading,
            "CPU",
            timings,
        );
        let settings = Settings {
            lime: lime::Options {
                samples: 12,
                ..lime::Options::default()
            },
            occlusion: occlusion::Options {
                grid: 4,
                ..occlusion::Options::default()
            },
            ..Settings::default()
        };
        let hidden = ProgressBar::hidden();
        for asking in Method::ALL
            .iter()
            .filter_map(|method| settings.asking(*method))
        {
            let job = asking.start(&view, &manifest.input);
            report.explain(ask(reader, job, &hidden).expect("an explanation"));
        }
        let spots = vec![Spot {
            x: 0.5,
            y: 0.25,
            radius: 0.2,
        }];
        let erasing = erasing(&view, &manifest.input, spots, Fill::PictureMean);
        report.erased = Some(ask(reader, erasing, &hidden).expect("scores"));
        let again = Again {
            reader,
            report: &report.clone(),
            view: view.clone(),
        };
        let options = faithfulness::Options {
            steps: 2,
            draws: 1,
            ..faithfulness::Options::default()
        };
        let pairs = [
            (Method::GradCam, Method::Lime),
            (Method::Lime, Method::GradCam),
        ];
        for (method, other) in pairs {
            let map = |method| again.map(method, Output(0)).expect("a map");
            let measured = Measured {
                output: Output(0),
                method,
                map: map(method),
                other: Some((other, map(other))),
                drawn: match method {
                    // The last stage takes as long again, and is no other code.
                    Method::GradCam => vec![Randomised::Classifier],
                    _ => Vec::new(),
                },
            };
            let measuring = Measuring::new(&view, manifest, measured, options);
            let trust = ask(reader, measuring.expect("sound options"), &hidden);
            report.measure(trust.expect("measured"));
        }
        serde_json::to_value(&report).expect("JSON")
    }

    /// The places of all values: of lists the first and the last.
    fn places(value: &Value, at: &str, all: &mut Vec<String>) {
        if !at.is_empty() {
            all.push(at.to_owned());
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    places(value, &format!("{at}/{name}"), all);
                }
            }
            Value::Array(values) => {
                let last = values.len().saturating_sub(1);
                for index in BTreeSet::from([0, last]) {
                    if let Some(value) = values.get(index) {
                        places(value, &format!("{at}/{index}"), all);
                    }
                }
            }
            _ => {}
        }
    }

    fn remove(report: &mut Value, place: &str) {
        let (parent, name) = place.rsplit_once('/').expect("a place");
        match report.pointer_mut(parent).expect("there") {
            Value::Object(fields) => {
                fields.remove(name);
            }
            Value::Array(values) => {
                values.remove(name.parse().expect("an index"));
            }
            _ => unreachable!("a value in a value"),
        }
    }

    /// What may be otherwise in a report that is repeated: who made it, where and when; and how far LIME was allowed to go.
    fn may_differ(place: &str) -> bool {
        let free = [
            "/software",
            "/adapter",
            "/timings",
            "/image/file",
            "/lime/options/samples",
            "/lime/options/until_stable",
        ];
        free.iter().any(|free| place.starts_with(free))
    }

    #[test]
    fn whatever_is_edited_in_a_report_is_noticed_and_nothing_panics() {
        let (reader, file) = (reader(), image());
        let sound = report(&reader, &file);
        let replay = |report: &Value| {
            let text = report.to_string();
            let replay = || replay(&reader, text.as_bytes(), &file);
            catch_unwind(AssertUnwindSafe(replay)).unwrap_or_else(|_| panic!("it panicked"))
        };
        replay(&sound).expect("the report as it was made");
        let mut all = Vec::new();
        places(&sound, "", &mut all);
        assert!(all.len() > 150, "{} places", all.len());
        let odd = [
            Value::Null,
            json!(-1),
            json!(0),
            json!(1e300),
            json!(1e39),
            json!(u64::MAX),
            json!("x"),
            json!(""),
            json!([]),
            json!({}),
            json!(true),
            json!([0, 1, 2]),
        ];
        let as_read = |report: &Value| Report::parse(report.to_string().as_bytes()).ok();
        let as_made = as_read(&sound);
        for (number, place) in all.iter().enumerate() {
            // All odd values at each place would take minutes; every value comes by at many places.
            let slow = place.starts_with("/lime") || place.starts_with("/trust");
            let mut edits = Vec::new();
            for step in 0..if slow { number % 2 } else { 3 } {
                let mut edited = sound.clone();
                *edited.pointer_mut(place).expect("there") =
                    odd[(number * 5 + step * 3) % odd.len()].clone();
                edits.push(edited);
            }
            if edits.is_empty() || !slow {
                let mut edited = sound.clone();
                remove(&mut edited, place);
                edits.push(edited);
            }
            for edited in edits {
                let outcome = replay(&edited);
                let read = as_read(&edited);
                // An optional part that is left out leaves a report that says less, and all of it true.
                let says_less = [
                    "/lime",
                    "/hirescam",
                    "/occlusion",
                    "/trust",
                    "/erased",
                    "/agreement",
                    "/agreement_with",
                    "/sanity",
                ];
                let number = |report: &Value| report.pointer(place).and_then(Value::as_f64);
                let near = number(&sound)
                    .zip(number(&edited))
                    .is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE * a.abs().max(1.0));
                let part = near
                    || says_less.iter().any(|part| place.ends_with(part))
                    || place.starts_with("/trust/") && place.matches('/').count() == 2
                    || place.contains("/sanity/") && place.matches('/').count() == 4;
                if outcome.is_ok() && read != as_made && !may_differ(place) && !part {
                    let value = edited.pointer(place);
                    panic!("{place} = {value:?} was not noticed");
                }
            }
        }
    }

    #[test]
    fn a_finding_a_score_or_a_value_more_or_less_is_a_difference() {
        let (reader, file) = (reader(), image());
        let sound = report(&reader, &file);
        let refused = |change: &dyn Fn(&mut Value), why: &str| {
            let mut report = sound.clone();
            change(&mut report);
            let error = replay(&reader, report.to_string().as_bytes(), &file);
            let error = format!("{:#}", error.expect_err(why));
            assert!(error.contains(why), "{error}");
        };
        let findings = |report: &mut Value| report["findings"].as_array().expect("a list").clone();
        refused(
            &|report| report["findings"] = json!(findings(report)[..2]),
            "findings: the report says 2 values, and now it is 3 values",
        );
        refused(
            &|report| {
                let mut all = findings(report);
                all.push(all[0].clone());
                report["findings"] = json!(all);
            },
            "findings: the report says 4 values",
        );
        refused(
            &|report| report["findings"][0]["probability"] = Value::Null,
            "findings.0.probability: the report says nothing",
        );
        refused(
            &|report| report["findings"][1]["probability"] = json!(0.5),
            "findings.1.probability: the report says 0.5, and now it is nothing",
        );
        refused(
            &|report| report["schema_version"] = json!(1),
            "schema version 1",
        );
        refused(
            &|report| report["model"]["weights_sha256"] = json!("0"),
            "another model",
        );
        refused(
            &|report| report["preprocessing"]["size"] = json!(65),
            "another model",
        );
        refused(
            &|report| report["findings"][0]["grad_cam"]["cells"]["width"] = json!(9),
            "cells has 4 values",
        );
        refused(
            &|report| report["lime"]["findings"][0]["coefficients"] = json!([0.5]),
            "lime.findings.0.coefficients: the report says 1 values",
        );
        refused(
            &|report| report["erased"]["probabilities"] = json!([]),
            "erased.probabilities: the report says 0 values",
        );
        refused(
            &|report| report["trust"][0]["faithfulness"]["deletion"]["scores"] = json!([]),
            "trust.0.faithfulness.deletion.scores: the report says 0 values",
        );
        refused(
            &|report| {
                report["lime"]["options"]["samples"] = json!(1_000_000_000);
                report["lime"]["samples"] = json!(1_000_000_000);
            },
            "more than a report has",
        );
        refused(
            &|report| {
                let spot = report["erased"]["spots"][0].clone();
                report["erased"]["spots"] = json!(vec![spot; 20_000]);
            },
            "more than a report has",
        );
        refused(
            &|report| report["trust"][1] = report["trust"][0].clone(),
            "twice",
        );
        refused(
            &|report| report["trust"][0]["method"] = json!("tea leaves"),
            "there is no method",
        );
    }
}
