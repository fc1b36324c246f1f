//! What a file is taken for, as a form to look over and correct; and the form, as settings to import with.
//!
//! The form is HTML, for whoever shows it: each field has the name of a setting.

use std::fmt::Write;

use sightline::network::Architecture;
use sightline::radiograph::Resize;
use sightline::vocabulary;

use crate::convention::{Output, Source};
use crate::error::ImportError;
use crate::recognise::{Recognised, Settings, recognise};

/// The names of orders that a form offers, where they have as many findings as the file has outputs.
const ORDERS: [(&str, &str); 4] = [
    ("chexpert", "CheXpert"),
    ("chestx-ray14", "ChestX-ray14 (NIH)"),
    ("torchxrayvision", "torchxrayvision"),
    ("vindr", "VinDr-CXR"),
];
/// What stands for an output that is left out.
const LEFT_OUT: &str = "-";

/// What a file is taken for.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub architecture: Architecture,
    pub outputs: usize,
    pub source: Source,
    /// Under which the weights are, and where the same network is once more.
    pub prefix: String,
    pub copies: Vec<String>,
    /// What each output stands for, `-` for one that is left out; or why it is not known.
    pub findings: Result<Vec<String>, String>,
    pub size: usize,
    pub resize: Resize,
    /// Empty where it is not known.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

/// Looks at files without making anything of them. Settings that are given are taken.
///
/// # Errors
/// As [`crate::import_parts`], but for what the outputs and the pixels mean: that may be left open.
pub fn propose(files: &[(&str, &[u8])], settings: &Settings) -> Result<Proposal, ImportError> {
    let mut say = |_| ();
    let known = recognise(files, settings, &mut say)?;
    let findings = known.outputs(settings.findings.as_deref(), &mut say);
    let findings = findings.map(|outputs| {
        let name = |output: Output| {
            let name = output.finding.map(|finding| finding.name().to_owned());
            name.unwrap_or_else(|| LEFT_OUT.to_owned())
        };
        outputs.into_iter().map(name).collect()
    });
    let input = known.input(settings);
    let Recognised { fit, source, .. } = known;
    let (size, resize, mean, std) = match input {
        Ok(input) => (input.size, input.resize, input.mean, input.std),
        Err(_) => {
            let usual = source.input(&fit);
            (usual.size, usual.resize, Vec::new(), Vec::new())
        }
    };
    Ok(Proposal {
        findings: findings.map_err(|error| error.to_string()),
        architecture: fit.architecture,
        outputs: fit.outputs,
        source,
        prefix: fit.prefix,
        copies: fit.copies,
        size,
        resize,
        mean,
        std,
    })
}

impl Proposal {
    /// The fields of a form. `title`: what the model is to be called.
    pub fn form(&self, title: &str) -> String {
        let mut form = String::new();
        let mut add = |text: &str| form.push_str(text);
        let names = self.architecture.branch_names().unwrap_or_default();
        add("<p>");
        add(&escaped(&format!(
            "The network: {}. Outputs: {}. Channels: {}.",
            names.join(" + "),
            self.outputs,
            self.architecture.in_channels
        )));
        add("</p>");
        let sources = Source::ALL.map(|source| (source.name().to_owned(), source.name()));
        add(&choice("Preset", "source", &sources, self.source.name()));
        if !self.copies.is_empty() {
            let all = std::iter::once(&self.prefix).chain(&self.copies);
            let all: Vec<_> = all.map(|name| (name.clone(), name.as_str())).collect();
            add(&choice("Weights under", "prefix", &all, &self.prefix));
        }
        add(&field("Name", "title", title, ""));
        let fitting = ORDERS.iter().filter(|(name, _)| {
            vocabulary::named(name).is_some_and(|order| order.len() == self.outputs)
        });
        let mut orders = vec![(String::new(), "as listed")];
        orders.extend(fitting.map(|(name, title)| ((*name).to_owned(), *title)));
        if orders.len() > 1 {
            add(&choice("Findings of", "order", &orders, ""));
        }
        let said = self.findings.as_deref().unwrap_or_default();
        let rows = said.len().clamp(4, 9);
        // A line break right after the tag is not part of the text.
        add(&format!(
            "<label class=\"wide\"><span>Findings, a line for each output</span>\
             <textarea name=\"findings\" data-testid=\"model-findings\" translate=\"no\" rows=\"{rows}\" spellcheck=\"false\">\n{}</textarea>\
             <small>A line with - leaves an output out.</small></label>",
            escaped(&said.join("\n"))
        ));
        if said.is_empty() {
            add(
                "<p class=\"note\">The file does not say what its outputs stand for. Name them, or choose a list.</p>",
            );
        }
        add(&field(
            "Size in pixels",
            "size",
            &self.size.to_string(),
            " inputmode=\"numeric\"",
        ));
        let (kind, side) = match self.resize {
            Resize::Stretch => ("stretch", String::new()),
            Resize::ShorterSide(side) => ("crop", side.to_string()),
        };
        let kinds = [
            ("stretch".to_owned(), "stretched to a square"),
            ("crop".to_owned(), "the middle of it"),
        ];
        add(&choice("Picture", "resize", &kinds, kind));
        add(&field(
            "Shorter side before the middle is cut out, in pixels",
            "side",
            &side,
            " inputmode=\"numeric\"",
        ));
        let listed = |values: &[f32]| {
            let values: Vec<_> = values.iter().map(f32::to_string).collect();
            values.join(", ")
        };
        add(&field("Mean", "mean", &listed(&self.mean), ""));
        add(&field("Standard deviation", "std", &listed(&self.std), ""));
        add(&field("Licence", "licence", "", ""));
        add(&field("Made by", "attribution", "", ""));
        form
    }
}

fn field(label: &str, name: &str, value: &str, more: &str) -> String {
    let value = escaped(value);
    format!("<label><span>{label}</span><input name=\"{name}\" value=\"{value}\"{more}></label>")
}

fn choice(label: &str, name: &str, options: &[(String, &str)], chosen: &str) -> String {
    let mut text = format!("<label><span>{label}</span><select name=\"{name}\">");
    for (value, said) in options {
        let selected = match value == chosen {
            true => " selected",
            false => "",
        };
        let (value, said) = (escaped(value), escaped(said));
        // It fails for no text.
        let _ = write!(text, "<option value=\"{value}\"{selected}>{said}</option>");
    }
    text + "</select></label>"
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Fields of a form, by name, as settings. What is not there, or empty, is left to be recognised.
///
/// # Errors
/// When a field is not what it is to be.
pub fn settings(fields: &[(String, String)]) -> Result<Settings, ImportError> {
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        let value = found.map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    };
    let meaning = |why: String| ImportError::Meaning(why);
    let number = |name: &str| {
        let parsed = field(name).map(str::parse::<usize>).transpose();
        parsed.map_err(|_| meaning(format!("{name}: a number of pixels is wanted")))
    };
    let numbers = |name: &str| {
        let values = field(name).map(|text| {
            let values = text.split([',', ';', ' ']).filter(|part| !part.is_empty());
            values.map(str::parse::<f32>).collect::<Result<Vec<_>, _>>()
        });
        let parsed = values.transpose();
        parsed.map_err(|_| meaning(format!("{name}: numbers between 0 and 1 are wanted")))
    };
    let source = field("source").map(|wanted| {
        let mut all = Source::ALL.into_iter();
        let found = all.find(|source| source.name() == wanted);
        found.ok_or_else(|| meaning(format!("{wanted:?} is no preset")))
    });
    let resize = match field("resize") {
        Some("crop") => Some(Resize::ShorterSide(number("side")?.ok_or_else(|| {
            meaning("side: the length before the middle is cut out is wanted".to_owned())
        })?)),
        Some(_) => Some(Resize::Stretch),
        None => None,
    };
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect();
    let findings = match field("order") {
        Some(order) => Some(vec![order.to_owned()]),
        None => field("findings").map(lines),
    };
    let title = field("title").unwrap_or("Dropped model").to_owned();
    let or_not_stated = |name| field(name).unwrap_or("Not stated.").to_owned();
    Ok(Settings {
        source: source.transpose()?,
        architecture: None,
        // Of one copy among several nothing may be before the names.
        prefix: fields
            .iter()
            .find(|(field, _)| field == "prefix")
            .map(|(_, value)| value.clone()),
        name: name_of(&title),
        title,
        findings,
        size: number("size")?,
        resize,
        mean: numbers("mean")?,
        std: numbers("std")?,
        licence: or_not_stated("licence"),
        attribution: or_not_stated("attribution"),
        date: field("date").unwrap_or_default().to_owned(),
    })
}

/// A title as the name of a folder: letters, digits and single hyphens.
fn name_of(title: &str) -> String {
    let plain: String = title
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "model".to_owned(),
        false => parts.join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(said: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        said.iter().map(owned).collect()
    }

    #[test]
    fn what_a_form_says_is_taken_and_what_it_leaves_open_is_recognised() {
        let said = settings(&fields(&[
            ("source", "chexnet"),
            ("title", " My CheXNet, v2 "),
            ("findings", "Mass\r\n-\nHernia"),
            ("size", "320"),
            ("resize", "crop"),
            ("side", "350"),
            ("mean", "0.5, 0.4 0.3"),
            ("std", ""),
        ]))
        .expect("settings");
        assert_eq!(said.source, Some(Source::Chexnet));
        assert_eq!(
            (&*said.title, &*said.name),
            ("My CheXNet, v2", "my-chexnet-v2")
        );
        let findings = said.findings.expect("findings");
        assert_eq!(findings, ["Mass", "-", "Hernia"]);
        assert_eq!(
            (said.size, said.resize),
            (Some(320), Some(Resize::ShorterSide(350)))
        );
        assert_eq!((said.mean, said.std), (Some(vec![0.5, 0.4, 0.3]), None));
        let said = settings(&fields(&[("order", "nih"), ("findings", "Mass")])).expect("settings");
        assert_eq!(said.findings, Some(vec!["nih".to_owned()]));
        assert_eq!((said.prefix, &*said.licence), (None, "Not stated."));
    }

    #[test]
    fn fields_that_are_not_what_they_are_to_be_are_refused_by_name() {
        for (said, why) in [
            (("size", "many"), "size"),
            (("mean", "0.5, x"), "mean"),
            (("source", "keras"), "keras"),
            (("resize", "crop"), "side"),
        ] {
            let error = settings(&fields(&[said])).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn what_files_say_cannot_be_markup() {
        assert_eq!(escaped("<b a=\"x\">&"), "&lt;b a=&quot;x&quot;&gt;&amp;");
        assert!(!field("Name", "title", "\"><script>", "").contains("<script>"));
    }
}
