//! What files are taken for: which network, whose conventions, what its outputs and its pixels are.

use sightline::network::{Family, Head};
use sightline::package::Manifest;
use sightline::radiograph::levels::Rule;
use sightline::radiograph::{Input, Resize};
use sightline::vocabulary::{CHEXPERT, NIH, TORCHXRAYVISION};

use crate::containers;
use crate::convention::{Output, Source, as_chexpert, labels_of, order, outputs_of};
use crate::error::ImportError;
use crate::fit::{Fit, fit};
use crate::tensors::{MANIFEST, Tensors};

const IMAGENET_CLASSES: usize = 1000;

/// What is known of the weights, beside what they tell themselves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose conventions the weights follow; `None` to recognise it.
    pub source: Option<Source>,
    /// As torchvision calls it; `None` to recognise it.
    pub architecture: Option<String>,
    /// How the names of the wanted weights begin, where a file has several copies of them.
    pub prefix: Option<String>,
    /// The package's name, and what the page calls it.
    pub name: String,
    pub title: String,
    /// What each output stands for, or the name of an order.
    pub findings: Option<Vec<String>>,
    /// Height and width of the network's input in pixels.
    pub size: Option<usize>,
    pub resize: Option<Resize>,
    /// The mean and standard deviation of pixels in 0..1; one value or one per channel.
    pub mean: Option<Vec<f32>>,
    pub std: Option<Vec<f32>>,
    pub licence: String,
    pub attribution: String,
    /// The day, as 2026-01-31.
    pub date: String,
}

/// What files hold: a network's tensors, and whose conventions they follow.
pub struct Recognised<'a> {
    pub tensors: Tensors<'a>,
    pub fit: Fit,
    pub source: Source,
    /// The manifest of the package of which Sightline made the file.
    pub own: Option<Manifest>,
}

pub fn recognise<'a>(
    files: &[(&str, &'a [u8])],
    settings: &Settings,
    say: &mut impl FnMut(String),
) -> Result<Recognised<'a>, ImportError> {
    let none = || ImportError::Container("there is no file".to_owned());
    let (file, _) = *files.first().ok_or_else(none)?;
    let tensors = containers::read_all(files)?;
    let own = own_manifest(&tensors);
    let candidates = match (settings.source, settings.architecture.as_deref()) {
        (None, None) => own.as_ref().map(|own| vec![own.architecture.clone()]),
        (source, named) => source.unwrap_or(Source::Torchvision).architectures(named)?,
    };
    let fit = fit(&tensors, candidates.as_deref(), settings.prefix.as_deref())?;
    say(format!(
        "{}: {} with {} outputs and {} input channels",
        file,
        fit.architecture.branch_names()?.join(" + "),
        fit.outputs,
        fit.architecture.in_channels
    ));
    if !fit.prefix.is_empty() {
        say(format!("the weights are those under {:?}", fit.prefix));
    }
    if !fit.copies.is_empty() {
        let copies: Vec<_> = fit.copies.iter().map(|copy| format!("{copy:?}")).collect();
        say(format!(
            "the same network is in the file under {} too; --prefix chooses another",
            copies.join(", ")
        ));
    }
    let own =
        own.filter(|own| own.findings.len() == fit.outputs && own.architecture == fit.architecture);
    let source = settings.source.unwrap_or_else(|| {
        if let Some(own) = &own {
            say(format!(
                "Sightline made the file of its package {}",
                own.name
            ));
            return Source::Safetensors;
        }
        let (source, why) = Source::recognise(&fit, &tensors);
        say(format!(
            "its conventions are taken to be those of {source} ({why}); --from says otherwise"
        ));
        source
    });
    Ok(Recognised {
        tensors,
        fit,
        source,
        own,
    })
}

fn own_manifest(tensors: &Tensors<'_>) -> Option<Manifest> {
    let text = tensors.texts.get(MANIFEST)?.first()?;
    Manifest::parse(text.as_bytes()).ok()
}

impl Recognised<'_> {
    /// What each output of the file stands for.
    pub fn outputs(
        &self,
        said: Option<&[String]>,
        say: &mut impl FnMut(String),
    ) -> Result<Vec<Output>, ImportError> {
        match (&self.own, said) {
            (Some(own), None) => Ok(outputs_of(&own.vocabulary().findings)),
            _ => outputs(self.source, said, &self.fit, &self.tensors, say),
        }
    }

    /// The pixels that the network expects.
    pub fn input(&self, settings: &Settings) -> Result<Input, ImportError> {
        let Some(own) = &self.own else {
            return input(settings, self.source, &self.fit);
        };
        let own = own.input.clone();
        let known = Settings {
            size: settings.size.or(Some(own.size)),
            resize: settings.resize.or(Some(own.resize)),
            mean: settings.mean.clone().or(Some(own.mean)),
            std: settings.std.clone().or(Some(own.std)),
            ..settings.clone()
        };
        let levels = own.levels;
        input(&known, self.source, &self.fit).map(|input| Input { levels, ..input })
    }
}

/// What each output of the file stands for.
fn outputs(
    source: Source,
    said: Option<&[String]>,
    fit: &Fit,
    tensors: &Tensors<'_>,
    say: &mut impl FnMut(String),
) -> Result<Vec<Output>, ImportError> {
    let meaning = ImportError::Meaning;
    let count = fit.outputs;
    let labels = |say: &mut dyn FnMut(String)| {
        let (path, outputs) = labels_of(tensors, count)?;
        say(format!("the file says what its outputs are, in {path}"));
        Some(outputs)
    };
    let outputs = match said {
        // What the outputs are is known, and what they are to be called is asked for.
        Some([name]) if is_chexpert(name) && has_labels(source, tensors, count) => {
            as_chexpert(match labels(say) {
                Some(outputs) => outputs,
                None => usual_outputs(source, fit, say)?,
            })
        }
        Some(names) => said_outputs(names)?,
        None => match labels(say) {
            Some(outputs) => outputs,
            None => usual_outputs(source, fit, say)?,
        },
    };
    if outputs.len() != count {
        let named = outputs.len();
        return Err(meaning(format!(
            "{named} outputs are named, and the network has {count}"
        )));
    }
    for (index, output) in outputs.iter().enumerate() {
        let earlier = outputs[..index].iter().map(|output| output.finding);
        if let Some(finding) = output.finding
            && earlier.into_iter().any(|other| other == Some(finding))
        {
            return Err(meaning(format!("{finding} is named twice")));
        }
    }
    Ok(outputs)
}

fn is_chexpert(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case("chexpert")
}

/// Whether the file or its source says what the outputs are.
fn has_labels(source: Source, tensors: &Tensors<'_>, count: usize) -> bool {
    let of_source = matches!(source, Source::Torchxrayvision | Source::Chexnet);
    of_source || labels_of(tensors, count).is_some()
}

/// What the caller says of the outputs: the name of an order, or each by itself.
fn said_outputs(names: &[String]) -> Result<Vec<Output>, ImportError> {
    if let [name] = names
        && let Some(outputs) = order(name.trim())
    {
        return Ok(outputs);
    }
    let named = |name: &String| {
        Output::named(name).map_err(|error| ImportError::Meaning(error.to_string()))
    };
    names.iter().map(named).collect()
}

/// What the outputs of a source usually are.
fn usual_outputs(
    source: Source,
    fit: &Fit,
    say: &mut impl FnMut(String),
) -> Result<Vec<Output>, ImportError> {
    let meaning = ImportError::Meaning;
    let count = fit.outputs;
    let architecture = &fit.architecture;
    // A DenseNet without the origin's head is another's: CheXNet, most likely.
    let is_origins = architecture.family != Family::DenseNet || architecture.head != Head::Linear;
    match source {
        Source::Torchxrayvision => Ok(outputs_of(&TORCHXRAYVISION)),
        Source::Chexnet => Ok(outputs_of(&NIH)),
        // The origin's networks have CheXpert's observations in their order.
        Source::Mlmip if is_origins && count == CHEXPERT.len() => Ok(outputs_of(&CHEXPERT)),
        _ if count == CHEXPERT.len() => Err(meaning(
            "the network has 14 outputs, and the file does not say which: CheXpert's observations (No Finding first) or \
             ChestX-ray14's labels (Atelectasis first, as CheXNet has them). Say --findings chexpert, --findings \
             chestx-ray14, or what each stands for, separated by commas, with - for those to leave out".to_owned(),
        )),
        _ if count == IMAGENET_CLASSES => {
            say(format!(
                "its {count} outputs are ImageNet's classes and none of the findings: the classifier is left out, and \
                 every finding is \"not trained\". Fine-tune it (train), or import what was trained on radiographs"
            ));
            Ok(vec![Output::none(); count])
        }
        _ => Err(meaning(format!(
            "the network has {count} outputs; say with --findings what each stands for, separated by commas, with \
             - for those to leave out"
        ))),
    }
}

/// The input as the source has it, with what the command line says otherwise.
fn input(settings: &Settings, source: Source, fit: &Fit) -> Result<Input, ImportError> {
    let channels = fit.architecture.in_channels;
    let usual = source.input(fit);
    let per_channel = |said: &Option<Vec<f32>>, usual: Option<Vec<f32>>, what: &str| {
        let values = said.clone().or(usual).ok_or_else(|| {
            ImportError::Meaning(format!(
                "it is not known how the pixels of a network with {channels} channels were normalised; say --{what}"
            ))
        })?;
        Ok::<_, ImportError>(match values[..] {
            [one] => vec![one; channels],
            _ => values,
        })
    };
    let input = Input {
        levels: Rule::File,
        size: settings.size.unwrap_or(usual.size),
        // A size of one's own has no margin that is known to be cropped.
        resize: match (settings.resize, settings.size) {
            (Some(resize), _) => resize,
            (None, Some(_)) => Resize::Stretch,
            (None, None) => usual.resize,
        },
        channels,
        mean: per_channel(&settings.mean, usual.mean, "mean")?,
        std: per_channel(&settings.std, usual.std, "std")?,
    };
    let sound = input.check();
    sound.map_err(|error| ImportError::Meaning(error.to_string()))?;
    Ok(input)
}
