//! A model on a device, which reads radiographs: a score and a map of evidence for each finding, from one forward pass.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::asked::{Scored, Scorer, Wants};
use crate::explain::heat_map::HeatMap;
use crate::explain::lime::emulator::{CELLS, GRID};
use crate::explain::lime::split_log_odds;
use crate::features;
use crate::gate::detector::Head;
use crate::grad_cam;
use crate::input::Tensors;
use crate::network::tensor;
use crate::network::{
    self, Classifier, FeatureMaps, Inference, Network, Packed, Pooling, Unpacked,
};
use crate::package::{self, Manifest, Output, PackageError};
use crate::pictures::Pictures;
use crate::radiograph::{GreyImage, Options, Radiograph, RadiographError};
use crate::reading::{ReadError, Reading};
use crate::trust::sanity::Randomised;
use crate::view::View;

/// A package with its weights on a device.
#[derive(Debug)]
pub struct Reader {
    pub manifest: Manifest,
    network: Inference,
    device: Device,
    /// The classifier on the CPU, where the network is on a graphics card: see [`Reader::beside_classifier`].
    classifier: Option<Classifier>,
    /// The gate's detector, unpacked.
    gate: Option<Head>,
}

impl Reader {
    /// Puts a package on a device.
    ///
    /// # Errors
    /// As [`package::load`].
    pub fn load(manifest: Manifest, weights: &[u8], device: &Device) -> Result<Self, PackageError> {
        let network = package::load(&manifest, weights, &Device::flex())?;
        Ok(Self::new(manifest, network, device.clone()))
    }

    /// A network that is in memory already, as training has it; for a graphics card it may be on the CPU still. Of a gate that contradicts itself nothing is asked; [`package::load`] refuses it.
    pub fn new(manifest: Manifest, network: Network, device: Device) -> Self {
        Self::packed_by(|backbone| backbone.here(), manifest, network, device)
    }

    /// Has `pack` pack the backbones, on the CPU, where [`Reader::new`] packs them for this program.
    pub fn packed_by(
        pack: impl Fn(&Unpacked) -> Option<Box<dyn Packed>>,
        manifest: Manifest,
        network: Network,
        device: Device,
    ) -> Self {
        let gate = manifest.gate.as_ref();
        let is_small = network
            .classifier()
            .pooling()
            .iter()
            .all(|pooling| *pooling == Pooling::Average);
        let classifier =
            (is_small && !network::on_cpu(&device)).then(|| network.classifier().clone());
        Self {
            classifier: classifier.map(|classifier| classifier.fork(&Device::flex())),
            gate: gate.and_then(|detector| detector.head().ok()),
            network: Inference::packed_by(pack, network, &manifest.architecture, &device),
            manifest,
            device,
        }
    }

    /// Whether the network is on a graphics card that computes in float16.
    pub fn can_halve(&self) -> bool {
        self.network.can_halve()
    }

    /// Has feature maps computed in float16, where [`Reader::can_halve`]. A picture whose values are too large for it is computed in float32.
    pub fn halve(&mut self) {
        self.network.halve();
    }

    /// Has feature maps computed in float32 again.
    pub fn unhalve(&mut self) {
        self.network.unhalve();
    }

    /// Reads a file in the grey levels that this model asks for, with a depth that someone may have chosen.
    ///
    /// # Errors
    /// As [`Radiograph::decode_with`].
    pub fn decode(&self, file: &[u8], depth: Option<u8>) -> Result<Radiograph, RadiographError> {
        let options = Options {
            depth,
            levels: self.manifest.input.levels,
            ..Options::default()
        };
        Radiograph::decode_with(file, options)
    }

    /// A picture as this model sees it. It is to be in the levels that the model asks for: see [`Reader::decode`].
    pub fn view(&self, image: &GreyImage) -> View {
        View::new(image, &self.manifest.input)
    }

    /// Reads one picture: scores and all maps, from one forward pass.
    ///
    /// # Errors
    /// When the device fails, or its answer is no number.
    pub async fn read(&self, view: &View) -> Result<Reading, ReadError> {
        let input = &self.manifest.input;
        let input = input.tensor_of(input.normalise(&view.square), &self.device);
        self.said_of(input, async |maps| self.reading(view, maps).await)
            .await
    }

    /// What `say` says of the feature maps of pictures; of those in float32 where values are too large for float16.
    async fn said_of<T>(
        &self,
        input: Tensor<4>,
        say: impl AsyncFn(Vec<Tensor<4>>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let again = self.network.is_half().then(|| input.clone());
        match (say(self.network.feature_maps(input)).await, again) {
            (Err(ReadError::NotANumber), Some(input)) => {
                say(self.network.feature_maps_in_full(input)).await
            }
            (said, _) => said,
        }
    }

    /// What a picture's feature maps say.
    async fn reading(
        &self,
        view: &View,
        feature_maps: Vec<Tensor<4>>,
    ) -> Result<Reading, ReadError> {
        let (classifier, feature_maps) = self.beside_classifier(feature_maps).await?;
        let logits = classifier.forward(feature_maps.clone());
        let of_maps = self.gate.as_ref().map(|_| features::of_maps(&feature_maps));
        let evidence = grad_cam::evidence(classifier, feature_maps);
        let of_branches = match evidence.branches.len() {
            ..2 => Vec::new(),
            _ => evidence.branches,
        };
        let mut wanted = vec![logits.flatten(0, 1), evidence.bias.flatten(0, 1)];
        let cells = std::iter::once(evidence.cells).chain(of_branches);
        let cells: Vec<Tensor<4>> = cells.collect();
        let sides: Vec<[usize; 2]> = cells.iter().map(sides).collect();
        wanted.extend(cells.into_iter().map(|cells| cells.flatten(0, 3)));
        wanted.extend(of_maps.map(|of_maps| of_maps.flatten(0, 1)));
        let mut values = all_numbers(wanted).await?.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let (logits, bias) = (next(), next());
        let mut maps = sides.iter().map(|sides| heat_maps(*sides, &next()));
        let evidence = maps.next().unwrap_or_default();
        let mut branches = vec![Vec::new(); logits.len()];
        for maps in maps {
            for (branches, map) in branches.iter_mut().zip(maps) {
                branches.push(map);
            }
        }
        let odd = self
            .gate
            .as_ref()
            .and_then(|head| head.shares(&features::with_thumbnail(&next(), &view.square)));
        Ok(Reading {
            probabilities: self.probabilities(&logits),
            logits,
            evidence,
            branches,
            bias,
            odd,
            region: view.region,
            float16: self.network.is_half(),
        })
    }

    /// What a model says of pictures that are normalised already, `[pictures, channels, height, width]`: as much as is wanted.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn score(&self, values: Vec<f32>, wants: &Wants) -> Result<Vec<Scored>, ReadError> {
        let input = self.manifest.input.tensor_of(values, &self.device);
        if let Wants::Randomised {
            output,
            part,
            seeds,
        } = wants
        {
            return self.randomised(input, *output, *part, seeds).await;
        }
        self.said_of(input, async |maps| self.scored(maps, wants).await)
            .await
    }

    /// Begins with pictures as [`Reader::score`] takes them, while the caller does something else. Where that is not possible, they are given back.
    ///
    /// # Errors
    /// The pictures, where they cannot be begun with.
    pub fn begin(&self, values: Vec<f32>, wants: &Wants) -> Result<Begun, Vec<f32>> {
        let side = self.manifest.input.size;
        match self.network.begin(&values, [side, side]) {
            Some(branches) if wants.can_be_shared() => Ok(Begun {
                branches,
                wants: wants.clone(),
            }),
            _ => Err(values),
        }
    }

    /// What the model says of pictures that were begun with.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn finish(&self, begun: Begun) -> Result<Vec<Scored>, ReadError> {
        let maps = begun.branches.into_iter().map(|branch| {
            let FeatureMaps { shape, values } = branch.finish();
            tensor(values, shape, &self.device)
        });
        self.scored(maps.collect(), &begun.wants).await
    }

    /// What the model says of pictures of these feature maps.
    async fn scored(
        &self,
        feature_maps: Vec<Tensor<4>>,
        wants: &Wants,
    ) -> Result<Vec<Scored>, ReadError> {
        let (classifier, feature_maps) = self.beside_classifier(feature_maps).await?;
        let logits = classifier.forward(feature_maps.clone());
        let mut wanted = vec![logits.flatten(0, 1)];
        let mut of_maps = [0; 2];
        if *wants != Wants::Scores {
            let cells = grad_cam::evidence(classifier, feature_maps).cells;
            let cells = match wants {
                Wants::Evidence => grad_cam::regrid(&cells, GRID, GRID),
                _ => cells,
            };
            of_maps = sides(&cells);
            wanted.push(cells.flatten(0, 3));
        }
        let mut values = all_numbers(wanted).await?.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let (logits, cells) = (next(), next());
        let findings = self.manifest.findings.len();
        let rows = logits.chunks_exact(findings).map(|logits| Scored {
            probabilities: self.probabilities(logits),
            ..Scored::default()
        });
        let mut scored: Vec<Scored> = rows.collect();
        match wants {
            Wants::Evidence => {
                let rows = cells.chunks_exact(findings * CELLS);
                for (scored, cells) in scored.iter_mut().zip(rows) {
                    scored.evidence = self.split(&scored.probabilities, cells);
                }
            }
            Wants::Maps => {
                let mut maps = heat_maps(of_maps, &cells).into_iter();
                for scored in &mut scored {
                    scored.maps = maps.by_ref().take(findings).collect();
                }
            }
            _ => {}
        }
        Ok(scored)
    }

    /// One picture's feature maps are read back from a graphics card, and given with the classifier on the CPU: that has less to compute than the card
    /// has to compile and to start. A batch stays where it is.
    async fn beside_classifier(
        &self,
        feature_maps: Vec<Tensor<4>>,
    ) -> Result<(&Classifier, Vec<Tensor<4>>), ReadError> {
        let shapes: Vec<[usize; 4]> = feature_maps.iter().map(Tensor::dims).collect();
        let Some(classifier) = self.classifier.as_ref().filter(|_| shapes[0][0] == 1) else {
            return Ok((self.network.network().classifier(), feature_maps));
        };
        let maps = feature_maps.into_iter().map(|map| map.flatten(0, 3));
        let values = all_numbers(maps.collect()).await?.into_iter();
        let maps = values
            .zip(shapes)
            .map(|(values, shape)| tensor(values, shape, &Device::flex()));
        Ok((classifier, maps.collect()))
    }

    /// The log-odds of each probability, split over the cells of LIME's grid; 0 for outputs that were not trained.
    fn split(&self, probabilities: &[Option<f64>], cells: &[f32]) -> Vec<f32> {
        let mut evidence = cells.to_vec();
        for (output, cells) in evidence.chunks_exact_mut(CELLS).enumerate() {
            match probabilities[output] {
                Some(probability) => {
                    let scale = self.manifest.scale(Output(output));
                    split_log_odds(probability, scale, cells);
                }
                None => cells.fill(0.0),
            }
        }
        evidence
    }

    /// The evidence for an output in the first picture if a part of the network were drawn at random: a map for each seed.
    async fn randomised(
        &self,
        input: Tensor<4>,
        output: Output,
        part: Randomised,
        seeds: &[u64],
    ) -> Result<Vec<Scored>, ReadError> {
        // Where a single picture's maps are wanted.
        let network = self.network.network().clone();
        let network = match &self.classifier {
            Some(classifier) => network.with_classifier(classifier.clone()),
            None => network,
        };
        // What lies below the part is the same for all.
        let kept = match part {
            Randomised::Classifier => {
                let maps = self.network.feature_maps_in_full(input.clone());
                Some(self.beside_classifier(maps).await?.1)
            }
            Randomised::LastStage => None,
        };
        let mut scored = Scored::default();
        for seed in seeds {
            let network = network.clone().randomised(part, *seed);
            let maps = match &kept {
                Some(maps) => maps.clone(),
                None => {
                    let maps = network.feature_maps(input.clone());
                    self.beside_classifier(maps).await?.1
                }
            };
            let cells = grad_cam::evidence(network.classifier(), maps).cells;
            let sides = sides(&cells);
            let maps = heat_maps(sides, &numbers(cells).await?).into_iter();
            scored.maps.extend(maps.skip(output.0).take(1));
        }
        Ok(vec![scored])
    }

    /// The probabilities of one picture's logits.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<Option<f64>> {
        let logits = logits.iter().enumerate();
        logits
            .map(|(index, logit)| self.manifest.probability(Output(index), *logit))
            .collect()
    }
}

/// Pictures that are being scored while the caller does something else.
pub struct Begun {
    branches: Vec<Box<dyn network::Begun>>,
    wants: Wants,
}

impl Begun {
    /// Whether nothing is left to compute but what [`Reader::finish`] does.
    pub fn is_over(&self) -> bool {
        self.branches.iter().all(|branch| branch.is_over())
    }

    /// Computes a picture here, if nobody has begun with it; tells whether there was one.
    pub fn help(&self) -> bool {
        self.branches.iter().any(|branch| branch.help())
    }
}

/// A model that scores pictures by itself, so many at once.
#[derive(Clone, Copy, Debug)]
pub struct InBatches<'a> {
    pub reader: &'a Reader,
    pub batch: usize,
}

impl Scorer for InBatches<'_> {
    type Error = ReadError;

    async fn score(
        &mut self,
        wants: &Wants,
        next: &mut dyn FnMut(usize) -> Pictures,
    ) -> Result<Vec<Vec<Scored>>, ReadError> {
        let pictures = next(self.batch);
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![self.reader.score(pictures.values(), wants).await?])
    }
}

/// Height and width of maps.
fn sides(maps: &Tensor<4>) -> [usize; 2] {
    let [_, _, height, width] = maps.dims();
    [height, width]
}

/// The maps of pictures, `[pictures, outputs, h, w]`, picture by picture and output by output.
fn heat_maps([height, width]: [usize; 2], values: &[f32]) -> Vec<HeatMap> {
    let maps = values.chunks_exact((width * height).max(1));
    maps.map(|values| HeatMap::new(width, height, values.to_vec()))
        .collect()
}

/// The values of each tensor, read back at once: a graphics card takes as long for one transfer as for many layers.
async fn all_numbers(mut tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>, ReadError> {
    // Joining one to none is a copy, too.
    if tensors.len() == 1 {
        return Ok(vec![numbers(tensors.remove(0)).await?]);
    }
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let all = numbers(Tensor::cat(tensors, 0)).await?;
    let mut rest = &all[..];
    let parts = lengths.iter().map(|length| {
        let (part, others) = rest.split_at(*length);
        rest = others;
        part.to_vec()
    });
    Ok(parts.collect())
}

/// The values of a tensor, read back without blocking (a blocking read panics in a browser).
async fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|e| ReadError::Device(e.to_string()))?;
    let values = data
        .try_to_vec::<f32>()
        .map_err(|e| ReadError::Device(format!("{e:?}")))?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(ReadError::NotANumber);
    }
    Ok(values)
}
