//! A package on a device, the picture that was read with it last, and scoring.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::join;
use sightline::asked::{Progress, Scored, Scorer, Step, Wants};
use sightline::batch_size::BatchSize;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::method::{Asking, Explanation};
use sightline::package::{Manifest, Output};
use sightline::pictures::Pictures;
use sightline::radiograph::Radiograph;
use sightline::reader::Reader;
use sightline::reading::ReadError;
use sightline::report::DeviceTimes;
use sightline::view::View;
use sightline_session::messages::{Adapter, Answer, DeviceChoice, PackagePlace, Reason};
use sightline_wire as wire;

use crate::clock::now;
use crate::device::{self, Opened};
use crate::device_times;
use crate::line::{Line, Stop};
use crate::pool::{self, Pool, Scoring};
use crate::precision;
use crate::threads;
use crate::weights;

/// Pictures that a core scores at once. It is fastest with one at a time; a second lets less of it be lost between them.
const CPU_BATCH: usize = 2;
const GPU_BATCH: usize = 16;
/// The largest tensor that a network makes of a picture, in bytes for each of its pixels: 64 channels of float32, as VGG's first
/// layers have them at full size; the other families' are smaller.
const BYTES_PER_PIXEL: f64 = 64.0 * 4.0;

pub struct Model {
    pub reader: Reader,
    pub adapter: Adapter,
    /// By which the device was chosen, where there was a choice.
    pub times: Option<DeviceTimes>,
    /// Pictures that are scored at once, here.
    at_once: RefCell<BatchSize>,
    /// Where other engines find the package.
    package: PackagePlace,
    /// How many other engines may help.
    helpers: usize,
    /// How many pictures are being scored, in all jobs together.
    scoring: Cell<usize>,
    /// The helpers, which are started when there is work for them.
    pool: RefCell<Option<Rc<Pool>>>,
    /// The picture that was read last.
    study: RefCell<Option<Rc<Study>>>,
}

/// A picture that was read, and what is known of it.
pub struct Study {
    /// The number of its reading.
    pub id: u32,
    pub view: View,
    /// For whoever looks closer.
    pub radiograph: Radiograph,
    /// Grad-CAM's map of each output.
    pub evidence: Vec<HeatMap>,
    /// The explanations that the page was told of: of each way to make one, the newest.
    explanations: RefCell<Vec<Explanation>>,
}

impl Study {
    pub fn new(id: u32, view: View, evidence: Vec<HeatMap>, radiograph: Radiograph) -> Self {
        Self {
            id,
            view,
            radiograph,
            evidence,
            explanations: RefCell::default(),
        }
    }

    /// Keeps an explanation that the page is told of.
    pub fn keep(&self, explanation: Explanation) {
        let mut all = self.explanations.borrow_mut();
        all.retain(|known| known.asking() != explanation.asking());
        all.push(explanation);
    }

    /// The map of an output that was made so; Grad-CAM's if `asking` is none.
    ///
    /// # Errors
    /// When there is no such map.
    pub fn map(&self, asking: Option<&Asking>, output: Output) -> Result<HeatMap, Reason> {
        let map = match asking {
            None => self.evidence.get(output.0).cloned(),
            Some(asking) => {
                let all = self.explanations.borrow();
                let mut made = all.iter().filter(|known| known.asking() == *asking);
                made.next().and_then(|made| made.map(output))
            }
        };
        map.ok_or(Reason::NoMap)
    }
}

/// The CPU, where an adapter was measured to be slower.
fn slower(adapter: &str, DeviceTimes { webgpu, cpu }: DeviceTimes) -> Opened {
    Opened::cpu(&format!(
        "it is slower here, a picture took {webgpu:.0} ms on it ({adapter}) and {cpu:.0} ms on the CPU"
    ))
}

/// A package on a device, ready to read.
async fn fetched(
    line: &Line,
    package: &PackagePlace,
    manifest: &Manifest,
    Opened {
        device, adapter, ..
    }: &Opened,
) -> Result<Reader, Stop> {
    let start = async {
        if let Adapter::Cpu { .. } = adapter {
            threads::start(threads::MOST).await;
        }
    };
    let (step, total) = (Step::FetchModel, manifest.weights.bytes);
    let network = weights::network(package, manifest, |done| {
        line.report(Progress { step, done, total });
    });
    let (network, ()) = join(network, start).await;
    let network = network.map_err(Reason::Package)?;
    Ok(Reader::packed_by(
        threads::pack,
        manifest.clone(),
        network,
        device.clone(),
    ))
}

impl Model {
    /// Opens a device, fetches a package and gets ready to read with it.
    ///
    /// # Errors
    /// When there is no such device, the package cannot be had, or it was cancelled.
    pub async fn load(
        line: &Line,
        package: PackagePlace,
        choice: DeviceChoice,
        most: usize,
    ) -> Result<Self, Stop> {
        line.begin(Step::OpenDevice).await?;
        let mut opened = device::open(choice).await.map_err(Reason::Device)?;
        line.answer(&Answer::Opened(opened.adapter.clone()));
        line.begin(Step::FetchModel).await?;
        let manifest = weights::manifest(&package).await.map_err(Reason::Package)?;
        let size = manifest.input.size;
        let may_be_cpu = choice != DeviceChoice::WebGpu;
        let name = match &opened.adapter {
            Adapter::WebGpu { name, .. } if may_be_cpu => Some(name.clone()),
            _ => None,
        };
        let mut times = match &name {
            Some(name) => device_times::known(&manifest, name).await,
            None => None,
        };
        if let (Some(name), Some(times)) = (&name, times)
            && times.cpu < times.webgpu
        {
            opened = slower(name, times);
        }
        let mut reader = fetched(line, &package, &manifest, &opened).await?;
        if let Adapter::WebGpu {
            name: adapter,
            float16,
            ..
        } = &mut opened.adapter
        {
            // The first pass compiles every shader; better now than under the reader's first picture.
            line.begin(Step::CompileShaders).await?;
            *float16 = precision::choose(&mut reader, adapter).await?;
            device_times::get_ready(&reader).await?;
            // Without a copy, the weights would be fetched twice.
            if let (Some(name), None) = (&name, times)
                && weights::are_kept(&package, &manifest).await
            {
                let webgpu = device_times::measured(&reader).await?;
                let cpu = Opened::cpu("");
                let other = fetched(line, &package, &manifest, &cpu).await?;
                line.begin(Step::CompileShaders).await?;
                device_times::get_ready(&other).await?;
                let cpu = device_times::measured(&other).await?;
                let measured = DeviceTimes { webgpu, cpu };
                device_times::keep(&manifest, name, measured).await;
                times = Some(measured);
                if cpu < webgpu {
                    (reader, opened) = (other, slower(name, measured));
                }
            }
        }
        let Opened {
            mut adapter,
            largest_buffer,
            ..
        } = opened;
        let threads = threads::count();
        let mut helpers = 0;
        let picture = BYTES_PER_PIXEL * (size * size) as f64;
        let at_once = match &mut adapter {
            Adapter::Cpu { workers, .. } => {
                // Threads that share memory need no helpers, which hold the model once more each.
                if threads == 1 {
                    let more = (most / CPU_BATCH).saturating_sub(1);
                    helpers = pool::helpers(&reader.manifest).min(more);
                }
                *workers = threads + helpers;
                BatchSize::known(CPU_BATCH.max(threads).min(most))
            }
            Adapter::WebGpu { .. } => {
                let fitting = (largest_buffer / picture) as usize;
                BatchSize::new(fitting.min(GPU_BATCH).min(most))
            }
        };
        Ok(Self {
            reader,
            adapter,
            times,
            at_once: RefCell::new(at_once),
            package,
            helpers,
            scoring: Cell::new(0),
            pool: RefCell::default(),
            study: RefCell::default(),
        })
    }

    /// The picture that was read as number `id`.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn study(&self, id: u32) -> Result<Rc<Study>, Reason> {
        let study = self.study.borrow().clone();
        study
            .filter(|study| study.id == id)
            .ok_or(Reason::NoPicture)
    }

    pub fn keep(&self, study: Study) {
        self.study.replace(Some(Rc::new(study)));
    }

    /// How many engines there are, with this one: helpers are started when there is work for them.
    fn helped_by(&self) -> usize {
        self.pool.borrow().as_ref().map_or(1, |pool| pool.workers())
    }

    /// Starts the helpers, if they are not yet.
    pub fn start_helpers(&self) {
        self.pool();
    }

    /// The other engines; started here if they are not yet.
    fn pool(&self) -> Rc<Pool> {
        let start = || Rc::new(Pool::start(self.helpers, &self.package));
        self.pool.borrow_mut().get_or_insert_with(start).clone()
    }
}

/// The model with its helpers, which are started when there is work that they can share.
pub struct Together<'a> {
    model: &'a Model,
    scoring: Scoring<'a>,
}

impl<'a> Together<'a> {
    pub fn new(model: &'a Model) -> Self {
        Self {
            model,
            scoring: Scoring::new(&model.reader),
        }
    }
}

impl Scorer for Together<'_> {
    type Error = Stop;

    async fn score(
        &mut self,
        wants: &Wants,
        next: &mut dyn FnMut(usize) -> Pictures,
    ) -> Result<Vec<Vec<Scored>>, Stop> {
        let batch = self.model.at_once.borrow().size();
        let pictures = match wants.can_be_shared() {
            true => batch * self.scoring.shared_with(self.model.pool()).workers(),
            // The work is of one picture, and helpers that were started before hold their memory.
            false => self.model.helped_by(),
        };
        self.model.scoring.set(self.model.scoring.get() + pictures);
        wire::answer(&Answer::Scoring(self.model.scoring.get()));
        let scored = async {
            let start = now();
            self.scoring.step(batch, wants, next).await?;
            let milliseconds = now() - start;
            let mut all = Vec::new();
            while let Some(scored) = self.scoring.take().await? {
                all.push(scored);
            }
            // A graphics card has no helpers: this is what it scored.
            let count = all.iter().map(Vec::len).sum();
            self.model.at_once.borrow_mut().took(count, milliseconds);
            Ok(all)
        };
        let scored: Result<_, ReadError> = scored.await;
        // A batch that ended, well or not, is not what a later death is due to. A device that failed is this engine's end.
        if !matches!(scored, Err(ReadError::Device(_))) {
            self.model.scoring.set(self.model.scoring.get() - pictures);
            wire::answer(&Answer::Scoring(self.model.scoring.get()));
        }
        Ok(scored?)
    }
}
