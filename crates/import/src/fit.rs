//! Which network a file's tensors are of, and under which names.
//!
//! Files wrap a state dict in whatever was around it when it was saved: `module.` of a parallel training, `net.`
//! of a wrapping class, `state_dict.` of a checkpoint with the optimiser beside it. Nothing of that is listed
//! here: the prefix is found, as the one under which most of the network's tensors are there. Nor is the network
//! asked for: it is the one whose tensors are there, with their shapes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::{Architecture, ArchitectureError, Family, Head, Naming, Network};

use crate::error::ImportError;
use crate::spelling::{Layout, Spelling, natural, spellings};
use crate::tensors::Tensors;

/// The networks that are recognised without being named; several of them together are recognised too.
pub const KNOWN: [&str; 15] = [
    "densenet121",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "mnasnet1_0",
    "vgg19",
    "vgg19_bn",
];
/// The least share of a network's tensors that its file has: with fewer it is another's file.
const LEAST_SHARE: f64 = 0.5;
/// What the last layers are called.
const HEADS: [&str; 7] = [
    "classifier",
    "_fc",
    "fc",
    "head",
    "last_linear",
    "linear",
    "output",
];

/// How a file's tensors become a network's.
pub struct Fit {
    pub architecture: Architecture,
    pub naming: Naming,
    pub layout: Layout,
    pub outputs: usize,
    /// Before every name in the file.
    pub prefix: String,
    /// Prefixes under which the same network is in the file once more.
    pub copies: Vec<String>,
    /// The side of the pictures that the network was designed for.
    pub picture_side: usize,
    /// Whether it has the names that torchvision wrote until 2018.
    pub has_old_names: bool,
    /// The file's name of each tensor, by the network's.
    file_names: BTreeMap<String, String>,
    /// The last layer, as the network names it.
    output_layer: String,
}

impl Fit {
    /// The name in the file of one of the network's tensors.
    pub fn file_name(&self, name: &str) -> String {
        let file_name = self.file_names.get(name);
        file_name.map_or_else(|| format!("{}{name}", self.prefix), Clone::clone)
    }

    /// Whether a tensor belongs to the layer that makes the logits.
    pub fn is_output(&self, name: &str) -> bool {
        name.rsplit_once('.')
            .is_some_and(|(layer, _)| layer == self.output_layer)
    }
}

/// How well a file's tensors are a candidate's.
struct Match<'a> {
    architecture: Architecture,
    naming: Naming,
    spelling: &'a Spelling,
    prefix: Prefix,
    copies: Vec<String>,
    /// The tensors of the network's body, in its order.
    body: Vec<String>,
}

impl Match<'_> {
    /// The shares of the candidate's tensors that are there, with their shapes and by name alone; and how many it has.
    fn quality(&self) -> (f64, f64, usize) {
        let of_all = |count: usize| count as f64 / self.body.len().max(1) as f64;
        (
            of_all(self.prefix.fitting),
            of_all(self.prefix.named),
            self.body.len(),
        )
    }
}

/// A prefix, and how many of a network's tensors are there under it.
#[derive(Clone)]
struct Prefix {
    text: String,
    named: usize,
    /// Tensors that have the network's shape too.
    fitting: usize,
}

/// The network of which most tensors are there. `candidates`: those that it may be; `None` for any that is known.
/// `prefix`: how the names of the wanted copy begin.
///
/// # Errors
/// When the file has next to nothing of any of them, or its first or last layer is missing.
pub fn fit(
    tensors: &Tensors<'_>,
    candidates: Option<&[Architecture]>,
    prefix: Option<&str>,
) -> Result<Fit, ImportError> {
    let spellings = spellings(tensors);
    let best = find(tensors, &spellings, candidates, prefix)?;
    let mut file_names = body_names(&best);
    let (head, layers) = head_of(tensors, &best)?;
    let mut architecture = Architecture {
        head,
        ..best.architecture.clone()
    };
    if candidates.is_none() && best.spelling.layout == Layout::Timm {
        architecture.variant = timm_variant(tensors, &architecture.variant)?;
    }
    let network = Network::new(&architecture, Finding::ALL.len(), &Device::flex())?;
    let wanted = network.state_dict(best.naming);
    let wanted: Vec<String> = wanted
        .into_iter()
        .filter(|t| t.head)
        .map(|t| t.name)
        .collect();
    // Weight and bias of one layer after the other.
    for (pair, layer) in wanted.chunks(2).zip(&layers) {
        for name in pair {
            let kind = name.rsplit('.').next().unwrap_or_default();
            file_names.insert(name.clone(), format!("{layer}.{kind}"));
        }
    }
    let (in_channels, outputs) = ends(tensors, &best, &file_names, layers.last())?;
    architecture.in_channels = in_channels;
    let picture_side = Network::new(&architecture, outputs, &Device::flex())?.picture_side();
    let output_layer = wanted.last().and_then(|name| name.rsplit_once('.'));
    let (output_layer, _) = output_layer.expect("a network has a last layer");
    Ok(Fit {
        architecture,
        naming: best.naming,
        layout: best.spelling.layout,
        outputs,
        has_old_names: file_names.values().any(|name| name.contains(".norm.1.")),
        prefix: best.prefix.text,
        copies: best.copies,
        picture_side,
        file_names,
        output_layer: output_layer.to_owned(),
    })
}

/// The file's name of each tensor of a network's body, and how the network names them.
///
/// # Errors
/// As [`fit`], but for the last layer, which is not looked at.
pub fn fit_body(
    tensors: &Tensors<'_>,
    architecture: &Architecture,
) -> Result<(Naming, BTreeMap<String, String>), ImportError> {
    let spellings = spellings(tensors);
    let best = find(
        tensors,
        &spellings,
        Some(std::slice::from_ref(architecture)),
        None,
    )?;
    Ok((best.naming, body_names(&best)))
}

fn body_names(best: &Match<'_>) -> BTreeMap<String, String> {
    let prefix = &best.prefix.text;
    let names = best.body.iter().filter_map(|name| {
        let file_name = best.spelling.names.get(&format!("{prefix}{name}"))?;
        Some((name.clone(), file_name.clone()))
    });
    names.collect()
}

/// The candidate that fits best.
fn find<'a>(
    tensors: &Tensors<'_>,
    spellings: &'a [Spelling],
    candidates: Option<&[Architecture]>,
    prefix: Option<&str>,
) -> Result<Match<'a>, ImportError> {
    let is_named = candidates.is_some();
    let candidates = match candidates {
        Some(candidates) => candidates.to_vec(),
        None => known(tensors, spellings, prefix)?,
    };
    let best = best_of(tensors, spellings, &candidates, prefix)?;
    let is_enough = |best: &Match<'_>| {
        let (fitting, named, _) = best.quality();
        (if is_named { named } else { fitting }) >= LEAST_SHARE
    };
    match best {
        Some(best) if is_enough(&best) => Ok(best),
        best => {
            let nearest = is_named.then(|| match &best {
                Some(best) => (
                    best.architecture.branch_names().unwrap_or_default(),
                    best.quality().1,
                ),
                None => {
                    let names = candidates.iter().filter_map(|c| c.branch_names().ok());
                    (names.take(1).flatten().collect(), 0.0)
                }
            });
            Err(misfit(tensors, spellings, nearest, prefix))
        }
    }
}

/// The networks that a file may be of: each that is known, and several together where the file has several.
fn known(
    tensors: &Tensors<'_>,
    spellings: &[Spelling],
    prefix: Option<&str>,
) -> Result<Vec<Architecture>, ArchitectureError> {
    let mut candidates = Vec::new();
    for name in KNOWN {
        candidates.push(Architecture::named(name, 3)?);
    }
    let plain = spellings.first().map(|spelling| &spelling.names);
    let starts = plain.into_iter().flat_map(BTreeMap::keys);
    let starts: BTreeSet<&str> = starts
        .filter_map(|name| Some(name.split_once("net_1.")?.0))
        .collect();
    for start in starts
        .into_iter()
        .filter(|start| prefix.is_none_or(|prefix| start.starts_with(prefix)))
    {
        let mut names = Vec::new();
        for index in 1.. {
            let branch = format!("{start}net_{index}.");
            let best = best_of(tensors, spellings, &candidates, Some(&branch));
            match best {
                Ok(Some(best)) if best.quality().0 > LEAST_SHARE => {
                    names.extend(best.architecture.branch_names()?);
                }
                _ => break,
            }
        }
        if names.len() > 1 {
            let origin = Architecture::named("combined", 3)?;
            let is_origins = origin.branch_names()? == names;
            let combined = Architecture::named(&names.join("+"), 3)?;
            candidates.push(if is_origins { origin } else { combined });
        }
    }
    Ok(candidates)
}

fn best_of<'a>(
    tensors: &Tensors<'_>,
    spellings: &'a [Spelling],
    candidates: &[Architecture],
    wanted: Option<&str>,
) -> Result<Option<Match<'a>>, ImportError> {
    let mut best: Option<Match<'_>> = None;
    for candidate in candidates {
        let network = Network::new(candidate, Finding::ALL.len(), &Device::flex())?;
        for naming in [Naming::Torchvision, Naming::EfficientNetPytorch] {
            let body = network.state_dict(naming);
            let body: Vec<(String, Vec<usize>)> = body
                .into_iter()
                .filter(|t| !t.head)
                .map(|t| (t.name, t.shape))
                .collect();
            for spelling in spellings {
                if spelling.layout == Layout::Timm && naming == Naming::Torchvision {
                    continue;
                }
                let mut found = prefixes(tensors, spelling, &body, wanted);
                if found.is_empty() {
                    continue;
                }
                let prefix = found.remove(0);
                let copies = found
                    .into_iter()
                    .filter(|copy| copy.fitting == prefix.fitting);
                let is_whole = prefix.fitting * 2 > body.len();
                let found = Match {
                    architecture: padded(candidate, naming, spelling.layout),
                    naming,
                    spelling,
                    copies: copies.filter(|_| is_whole).map(|copy| copy.text).collect(),
                    prefix,
                    body: body.iter().map(|(name, _)| name.clone()).collect(),
                };
                if best
                    .as_ref()
                    .is_none_or(|best| found.quality() > best.quality())
                {
                    best = Some(found);
                }
            }
        }
    }
    Ok(best)
}

/// `efficientnet_pytorch` pads as TensorFlow does, and timm as torchvision.
fn padded(candidate: &Architecture, naming: Naming, layout: Layout) -> Architecture {
    let mut architecture = candidate.clone();
    let other_padding = architecture.family == Family::EfficientNet
        && naming == Naming::EfficientNetPytorch
        && layout != Layout::Timm
        && architecture.variant.starts_with('b')
        && !architecture.variant.ends_with("_same");
    if other_padding {
        architecture.variant += "_same";
    }
    architecture
}

/// timm has each EfficientNet twice, under the same names of tensors: padded as PyTorch does, and as TensorFlow does (`tf_`).
/// Which of them a checkpoint is of, its `arch` says.
fn timm_variant(tensors: &Tensors<'_>, variant: &str) -> Result<String, ImportError> {
    let mut texts = tensors.texts.values().filter_map(|texts| texts.first());
    let is_tensorflows = texts.any(|text| text.starts_with("tf_efficientnet"));
    match (variant.starts_with("lite"), is_tensorflows) {
        (true, false) => Err(ImportError::Meaning(
            "timm's EfficientNet-Lite is there with PyTorch's padding, which Sightline does not have, and with TensorFlow's, under \
             the same names. If it is TensorFlow's (timm's tf_efficientnet_lite), say --architecture tf_efficientnet_lite0, or 1 \
             or 2"
                .to_owned(),
        )),
        (false, true) => Ok(format!("{variant}_same")),
        _ => Ok(variant.to_owned()),
    }
}

/// The prefixes under which tensors of a body are there: the best first. Of equals those that are no average of others,
/// then the shortest.
fn prefixes(
    tensors: &Tensors<'_>,
    spelling: &Spelling,
    body: &[(String, Vec<usize>)],
    wanted: Option<&str>,
) -> Vec<Prefix> {
    let wanted = wanted.map(|wanted| wanted.trim_end_matches('.'));
    let is_wanted = |prefix: &str| match wanted {
        None => true,
        Some("") => prefix.is_empty(),
        Some(wanted) => prefix
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('.')),
    };
    // Any prefix with the whole network has its first tensors; a few are asked for in case one is missing.
    let texts: BTreeSet<&str> = body
        .iter()
        .take(4)
        .flat_map(|(anchor, _)| {
            let names = spelling.names.keys();
            let prefixes = names.filter_map(|name| name.strip_suffix(anchor.as_str()));
            prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        })
        .filter(|prefix| is_wanted(prefix))
        .collect();
    let counted = texts.into_iter().map(|text| {
        let (mut named, mut fitting) = (0, 0);
        for (name, shape) in body {
            let Some(file_name) = spelling.names.get(&format!("{text}{name}")) else {
                continue;
            };
            named += 1;
            let found = tensors.shape(file_name).unwrap_or_default();
            fitting += usize::from(same_shape(shape, found));
        }
        Prefix {
            text: text.to_owned(),
            named,
            fitting,
        }
    });
    let mut counted: Vec<_> = counted.collect();
    counted.sort_by_key(|prefix| {
        let Prefix {
            text,
            named,
            fitting,
        } = prefix;
        (
            Reverse((*fitting, *named)),
            is_average(text),
            text.len(),
            text.clone(),
        )
    });
    counted
}

/// Whether a prefix says that what is under it was averaged over the training, and not trained itself.
fn is_average(prefix: &str) -> bool {
    const WORDS: [&str; 8] = [
        "ema", "swa", "teacher", "average", "averaged", "shadow", "momentum", "target",
    ];
    let words = prefix.split(|c: char| !c.is_alphanumeric());
    words
        .map(str::to_lowercase)
        .any(|word| WORDS.contains(&word.as_str()))
}

/// Equal but for the channels of the picture.
fn same_shape(wanted: &[usize], found: &[usize]) -> bool {
    match (wanted, found) {
        ([out, 3, size @ ..], [found, _, rest @ ..]) => out == found && size == rest,
        _ => wanted == found,
    }
}

/// The head of that many layers in the file, and their names there.
fn head_of(tensors: &Tensors<'_>, best: &Match<'_>) -> Result<(Head, Vec<String>), ImportError> {
    let body: BTreeSet<String> = body_names(best).into_values().collect();
    let mut level = best.prefix.text.as_str();
    let mut layers = Vec::new();
    loop {
        for head in HEADS {
            let start = format!("{level}{head}.");
            let names = tensors.names().filter(|name| name.starts_with(&start));
            let names =
                names.filter_map(|name| name.strip_suffix(".weight").map(|layer| (name, layer)));
            layers.extend(
                names
                    .filter(|(name, _)| !body.contains(*name))
                    .map(|(_, layer)| layer.to_owned()),
            );
            if !layers.is_empty() {
                break;
            }
        }
        if !layers.is_empty() || level.is_empty() {
            break;
        }
        // A class may have its last layer beside the network that it wraps.
        level = level
            .trim_end_matches('.')
            .rsplit_once('.')
            .map_or("", |(outer, _)| &level[..=outer.len()]);
    }
    layers.sort_by_key(|layer| natural(layer));
    let head = match layers.len() {
        1 => Head::Linear,
        2 => Head::Bottleneck,
        3 => Head::Mlp,
        0 => {
            let prefix = &best.prefix.text;
            return Err(ImportError::Misfit(format!(
                "the file lacks the network's last layer, such as {prefix}classifier.weight"
            )));
        }
        count => {
            return Err(ImportError::Misfit(format!(
                "the file has {count} last layers: {}. A network here has one, two or three",
                layers.join(", ")
            )));
        }
    };
    Ok((head, layers))
}

/// The channels of the picture, and the outputs.
fn ends(
    tensors: &Tensors<'_>,
    best: &Match<'_>,
    file_names: &BTreeMap<String, String>,
    last: Option<&String>,
) -> Result<(usize, usize), ImportError> {
    let misfit = ImportError::Misfit;
    let prefix = &best.prefix.text;
    let lacking = |name: &str| misfit(format!("the file lacks {name}"));
    let first = best.body.first().expect("a network has tensors");
    let file_name = file_names
        .get(first)
        .ok_or_else(|| lacking(&format!("{prefix}{first}")))?;
    let shape = tensors.shape(file_name).ok_or_else(|| lacking(file_name))?;
    let channels = *shape
        .get(1)
        .ok_or_else(|| misfit(format!("{first} is no convolution")))?;
    let last = last.expect("a head has a layer");
    let (weight, bias) = (format!("{last}.weight"), format!("{last}.bias"));
    let shape = tensors.shape(&weight).ok_or_else(|| lacking(&weight))?;
    let [outputs, _] = *shape else {
        return Err(misfit(format!(
            "{weight} has the shape {shape:?}; the last layer must be a matrix"
        )));
    };
    let shape = tensors.shape(&bias).ok_or_else(|| lacking(&bias))?;
    if shape != [outputs] {
        return Err(misfit(format!(
            "{bias} has the shape {shape:?}; {weight} has {outputs} outputs"
        )));
    }
    Ok((channels, outputs))
}

/// Why a file fits nothing, with the name of the network that it is of where that is known. `nearest`: the networks that
/// it was said to be of, and the share of their tensors that is there.
fn misfit(
    tensors: &Tensors<'_>,
    spellings: &[Spelling],
    nearest: Option<(Vec<String>, f64)>,
    prefix: Option<&str>,
) -> ImportError {
    let names: Vec<_> = tensors.names().take(4).map(String::as_str).collect();
    let (count, first) = (tensors.len(), names.join(", "));
    if let Some(prefix) = prefix {
        let known = known(tensors, spellings, None);
        let all = known
            .ok()
            .and_then(|known| best_of(tensors, spellings, &known, None).ok()?);
        let there = all.map(|all| {
            let texts = std::iter::once(all.prefix.text).chain(all.copies);
            texts
                .map(|text| format!("{text:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        });
        return ImportError::Misfit(format!(
            "no network's tensors begin with {prefix:?}; there are those under {}",
            there.unwrap_or_default()
        ));
    }
    let other = other_network(tensors);
    let have = "Sightline has densenet121, 169 and 201, efficientnet_b0 to b5, efficientnet_lite0 to 2, mnasnet1_0, vgg19 \
                and vgg19_bn, and several of them together";
    ImportError::Misfit(match (other, nearest) {
        (Some(other), None) => {
            format!("the weights are of {other}, which Sightline does not have. {have}")
        }
        (other, Some((names, share))) => {
            let other = other.map_or(String::new(), |other| format!(" They are of {other}."));
            format!(
                "the weights are not of {}: of its tensors {:.0}% are there. The file has {count} tensors, the first being \
                 {first}.{other}",
                names.join(" + "),
                100.0 * share
            )
        }
        (None, None) => format!(
            "the weights are of none of the networks that are known here. The file has {count} tensors, the first being \
             {first}. {have}"
        ),
    })
}

/// Networks that there are not here, by a part of a name that only they have.
fn other_network(tensors: &Tensors<'_>) -> Option<&'static str> {
    const MARKS: [(&str, &str); 10] = [
        ("layer1.0.conv1.weight", "a ResNet"),
        ("attn.qkv.weight", "a vision transformer"),
        ("self_attention.in_proj_weight", "a vision transformer"),
        ("attention.attention.query.weight", "a vision transformer"),
        ("relative_position_bias_table", "a Swin transformer"),
        ("Mixed_5b.branch1x1.conv.weight", "an Inception network"),
        ("dwconv.weight", "a ConvNeXt"),
        ("block.0.layer_scale", "a ConvNeXt"),
        ("features.18.0.weight", "a MobileNet"),
        (
            "denseblock4.denselayer24.conv2.weight",
            "a DenseNet of another depth or width",
        ),
    ];
    let has = |mark: &str| tensors.names().any(|name| name.contains(mark));
    MARKS
        .iter()
        .find(|(mark, _)| has(mark))
        .map(|(_, name)| *name)
}
