//! The gradients of one batch, computed on one device or, a part each, on several at once (data parallelism).

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use sightline::finding::Finding;
use sightline::input::Tensors;

use super::Recipe;
use super::batches::Batch;
use super::config::Trains;
use super::pointing;
use super::student::{Student, Teacher};
use crate::device::DeviceName;

/// The number type in which convolutions are computed. Weights, their gradients, normalisation and the classifier are float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    F32,
    /// bfloat16: float32's range in half the memory, with 8 bits of precision.
    Bf16,
}

/// The devices of a training.
pub struct Devices<'a> {
    recipe: &'a Recipe,
    precision: Precision,
    positive_weight: Vec<f32>,
    /// Never empty. The first has the weights.
    members: Vec<Member>,
}

/// A device, with autodiff, and what stays on it.
struct Member {
    device: Device,
    teacher: Option<Teacher>,
}

impl<'a> Devices<'a> {
    /// # Errors
    /// When a device is not there or cannot compute so, or the teacher cannot be read.
    pub fn open(
        name: &DeviceName,
        precision: Precision,
        recipe: &'a Recipe,
        positive_weight: Vec<f32>,
    ) -> Result<Self> {
        let devices = name.devices()?;
        if recipe.batch < 2 * devices.len() {
            bail!(
                "a batch of {} is too small for {} devices",
                recipe.batch,
                devices.len()
            );
        }
        if precision == Precision::Bf16 && !devices.iter().all(|d| d.supports_dtype(DType::BF16)) {
            bail!("the device does not compute in bfloat16; leave --precision bf16 away");
        }
        Self::of(devices, precision, recipe, positive_weight)
    }

    fn of(
        devices: Vec<Device>,
        precision: Precision,
        recipe: &'a Recipe,
        positive_weight: Vec<f32>,
    ) -> Result<Self> {
        let member = |device: Device| {
            let device = device.autodiff();
            let teacher = match &recipe.distillation {
                Some(distillation) => Some(Teacher::open(distillation, &device)?),
                None => None,
            };
            anyhow::Ok(Member { device, teacher })
        };
        Ok(Self {
            recipe,
            precision,
            positive_weight,
            members: devices.into_iter().map(member).collect::<Result<_>>()?,
        })
    }

    /// The device that has the weights.
    pub fn first(&self) -> &Device {
        &self.members[0].device
    }

    pub fn teacher(&self) -> Option<&Teacher> {
        self.members[0].teacher.as_ref()
    }

    /// The loss of a batch and its gradients, on the first device. Several devices take a part of the batch each; their
    /// gradients are averaged by the pictures. Each normalises by its own part, and the first one's running statistics are kept
    /// (as in PyTorch's DistributedDataParallel). Dropout's masks then depend on which device comes first to the process's one
    /// generator: a run on several devices does not repeat exactly.
    pub fn gradients(
        &self,
        student: &Student,
        batch: Batch,
        seed: u64,
    ) -> Result<(f64, GradientsParams)> {
        let pictures = batch.pictures as f32;
        let parts = batch.split(self.members.len());
        std::thread::scope(|scope| {
            let mut work = self.members.iter().zip(parts).enumerate();
            let own = work.next();
            let others = work.map(|(index, (member, part))| {
                // Copied here, before any of them changes.
                let student = student.clone().fork(&member.device);
                let seed = seed.wrapping_add(index as u64);
                let share = part.pictures as f32 / pictures;
                scope.spawn(move || self.part(member, &student, part, share, seed))
            });
            let others: Vec<_> = others.collect();
            let (_, (member, part)) = own.context("a training has a device")?;
            let share = part.pictures as f32 / pictures;
            let (mut value, found) = self.part(member, student, part, share, seed)?;
            if others.is_empty() {
                return Ok((value, found));
            }
            let mut sum = GradientsAccumulator::new();
            sum.accumulate(student, found);
            for other in others {
                let other = other
                    .join()
                    .map_err(|_| anyhow::anyhow!("a device failed"))?;
                let (loss, found) = other?;
                value += loss;
                let inner = self.first().clone().inner();
                sum.accumulate(student, found.to_device(&inner, student));
            }
            Ok((value, sum.grads()))
        })
    }

    /// A part's share of the loss, and of the gradients.
    fn part(
        &self,
        member: &Member,
        student: &Student,
        batch: Batch,
        share: f32,
        seed: u64,
    ) -> Result<(f64, GradientsParams)> {
        let (recipe, device) = (self.recipe, &member.device);
        // Dropout and stochastic depth: of each step its own, whatever was before.
        device.seed(seed);
        let table = |values: Vec<f32>| {
            let rows = values.len() / Finding::ALL.len();
            Tensor::from_data(TensorData::new(values, [rows, Finding::ALL.len()]), device)
        };
        let x = recipe.input.tensor_of(batch.values, device);
        let seen = match self.precision {
            Precision::F32 => x.clone(),
            Precision::Bf16 => x.clone().cast(FloatDType::BF16),
        };
        let network = &student.network;
        let maps = match recipe.trains {
            Trains::All => network.feature_maps(seen),
            Trains::Classifier => {
                let maps = network.valid().feature_maps(seen.inner());
                maps.into_iter().map(Tensor::from_inner).collect()
            }
        };
        let logits = network.classify(maps.clone());
        let mut loss = recipe.loss.of(
            logits.clone(),
            table(batch.targets),
            table(batch.mask),
            table(self.positive_weight.clone()),
        );
        if let Some(teacher) = &member.teacher {
            loss = loss + teacher.loss(student, &recipe.input, x, maps.clone(), logits)?;
        }
        if let Some(marks) = &recipe.pointing
            && let Some(missed) = pointing::loss(network, maps, &batch.marks)
        {
            loss = loss + missed * marks.weight;
        }
        let loss = loss * share;
        let value = loss.clone().into_scalar::<f32>();
        let loss = loss / recipe.accumulate as f32;
        let found = GradientsParams::from_grads(loss.backward(), student);
        Ok((f64::from(value), found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::pointing::{Mark, Pointing};
    use burn::tensor::Distribution;
    use sightline::network::{Architecture, Network};
    use std::path::Path;

    fn recipe(network: &str, accumulate: usize) -> Recipe {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("configs/efficientnet-lite0-nih-labels.json");
        let mut recipe = Recipe::read(&path).expect("a recipe");
        recipe.input.size = 64;
        recipe.accumulate = accumulate;
        recipe.architecture = Architecture::named(network, 3).expect("known");
        recipe
    }

    fn batch(recipe: &Recipe) -> Batch {
        let values = Tensor::<1>::random(
            [4 * 3 * 64 * 64],
            Distribution::Normal(0.0, 1.0),
            &Device::flex(),
        );
        assert_eq!(recipe.input.size, 64);
        Batch {
            pictures: 4,
            values: values.into_data().try_to_vec().expect("float32"),
            targets: (0..4 * 14)
                .map(|i| f32::from(u8::from(i % 3 == 0)))
                .collect(),
            mask: vec![1.0; 4 * 14],
            marks: Vec::new(),
        }
    }

    fn student(recipe: &Recipe) -> Student {
        let device = Device::flex().autodiff();
        let network = Network::new(&recipe.architecture, 14, &device).expect("known");
        Student::new(network, &recipe.input, None, &device).expect("a student")
    }

    /// All gradients in a row, in the order of the parameters.
    fn numbers(student: &Student, gradients: GradientsParams) -> Vec<f32> {
        struct Read(GradientsParams, Vec<f32>);
        impl burn::module::ModuleVisitor for Read {
            fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
                if let Some(gradient) = self.0.remove::<D>(param.id) {
                    let data = gradient.into_data();
                    self.1.extend(data.try_to_vec::<f32>().expect("float32"));
                }
            }
        }
        let mut read = Read(gradients, Vec::new());
        student.visit(&mut read);
        read.1
    }

    fn difference(a: &[f32], b: &[f32]) -> f32 {
        assert!(!a.is_empty() && a.len() == b.len());
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| x * x).sum::<f32>().sqrt();
        let apart = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
        apart / norm(&mut a.iter().copied())
    }

    #[test]
    fn two_devices_find_the_gradients_of_two_accumulated_halves() {
        // Without dropout and stochastic depth: devices draw from one generator, in whatever order they come to it.
        let [mut whole, mut halves] = [1, 2].map(|accumulate| recipe("densenet121", accumulate));
        let student = student(&whole);
        let mut batch = batch(&whole);
        let unmarked = {
            let devices = vec![Device::flex(); 2];
            let two = Devices::of(devices, Precision::F32, &whole, vec![1.0; 14]).expect("devices");
            two.gradients(&student, batch.clone(), 1)
                .expect("gradients")
                .0
        };
        // On pictures of both halves, which are not equally many.
        batch.marks = [(0, 2), (1, 4), (3, 4)]
            .map(|(p, f)| Mark::quarter(p, f))
            .to_vec();
        for recipe in [&mut whole, &mut halves] {
            recipe.pointing = Some(Pointing {
                csv: "boxes.csv".into(),
                weight: 2.0,
            });
        }
        let devices = |recipe, count| {
            let devices = vec![Device::flex(); count];
            Devices::of(devices, Precision::F32, recipe, vec![1.0; 14]).expect("devices")
        };
        let (loss, found) = devices(&whole, 2)
            .gradients(&student, batch.clone(), 1)
            .expect("gradients");
        let one = devices(&halves, 1);
        let mut sum = GradientsAccumulator::new();
        let mut mean = 0.0;
        for half in batch.clone().split(2) {
            let (loss, found) = one.gradients(&student, half, 1).expect("gradients");
            sum.accumulate(&student, found);
            mean += loss / 2.0;
        }
        assert!((loss - mean).abs() < 1e-6, "{loss} {mean}");
        // Three maps of four cells in four pictures, all of their shares still about equal.
        let missed = 2.0 * 3.0 * 4f64.ln() / 4.0;
        assert!(
            (loss - unmarked - missed).abs() < 0.5 * missed,
            "{loss} {unmarked}"
        );
        let apart = difference(&numbers(&student, sum.grads()), &numbers(&student, found));
        assert!(apart < 1e-5, "{apart}");
        // Twice the weight is twice the loss of maps.
        let mut heavier = whole.clone();
        heavier.pointing.as_mut().expect("boxes").weight = 4.0;
        let (twice, _) = devices(&heavier, 2)
            .gradients(&student, batch.clone(), 1)
            .expect("gradients");
        let off = (twice - unmarked) - 2.0 * (loss - unmarked);
        assert!(off.abs() < 1e-4 * twice.abs(), "{twice} {loss} {unmarked}");
    }

    #[test]
    fn bfloat16_finds_gradients_of_the_same_parameters() {
        let gradients = |trains, precision| {
            let mut recipe = recipe("efficientnet_lite0", 1);
            recipe.trains = trains;
            Device::flex().seed(5);
            let (student, mut batch) = (student(&recipe), batch(&recipe));
            batch.marks = vec![Mark::quarter(2, 5)];
            recipe.pointing = Some(Pointing {
                csv: "boxes.csv".into(),
                weight: 0.1,
            });
            let devices = vec![Device::flex()];
            let devices = Devices::of(devices, precision, &recipe, vec![1.0; 14]).expect("devices");
            let found = devices.gradients(&student, batch, 1).expect("gradients");
            numbers(&student, found.1)
        };
        // With random weights, four pictures and their own statistics, all layers make much of little.
        let all = gradients(Trains::All, Precision::Bf16);
        assert!(all.iter().all(|gradient| gradient.is_finite()));
        assert_eq!(all.len(), gradients(Trains::All, Precision::F32).len());
        let [exact, short] = [Precision::F32, Precision::Bf16]
            .map(|precision| gradients(Trains::Classifier, precision));
        let apart = difference(&exact, &short);
        assert!(apart > 0.0 && apart < 0.1, "{apart}");
    }
}
