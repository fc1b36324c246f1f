// What Sightline writes as JSON, and the messages of its page. Made of the Rust types by crates/core/tests/schemas: do not edit.

/** How far two maps agree. */
export interface Agreement {
  /** Spearman's, over the whole picture: 1 the same order, 0 none; `null` where a map is the same everywhere. */
  rank_correlation: number | null;
  /** The share of one map's top fifth that is in the other's, too; 0.2 by chance. */
  top_overlap: number;
}

/** Everything needed to build a network, as the package's manifest writes it. */
export interface Architecture {
  family: Family;
  head: Head;
  /** 1 (grey) or 3 (the grey picture three times). */
  in_channels: number;
  /** As in torchvision's names: `"121"` of `densenet121`, `"b0"` of `efficientnet_b0`, `"19_bn"` of `vgg19_bn`, `"1_0"` of `mnasnet1_0`. EfficientNet's `"b5_same"` pads as TensorFlow and `efficientnet_pytorch` do. Of a combined network `"origin"`, or its backbones' names joined by `+`. */
  variant: string;
}

/** Where the curves of baselines of one kind lie. */
export interface Band {
  /** The smallest, mean and largest area. */
  area: [number, number, number];
  /** The lowest and highest score at each of `Faithfulness::compared_at`. */
  scores: Array<[number, number]>;
}

/** What one branch of a combined network adds to the cells. */
export interface Branch {
  cells: HeatMap;
  /** As torchvision calls it, for example `densenet121`. */
  network: string;
}

/** How a logit becomes a probability, where the sigmoid alone does not do. */
export type Calibration = {
  method: "platt";
  offset: number;
  scale: number;
} | {
  method: "operating-point";
  threshold: number;
};

/** A finding that counts as called only where nothing else is. */
export interface CallRule {
  alone: Finding;
  /** What may be called beside it. */
  except: Finding[];
}

/** The score while the picture is taken away, or given back. */
export interface Curve {
  /** Under the curve; the picture counts as 1. */
  area: number;
  /** The curves of blots about the middle. */
  middle: Band;
  /** The curves of the same map laid elsewhere. */
  moved: Band;
  /** At `0, 1/steps, .. 1` of the picture. */
  scores: number[];
}

/** How many bits of a sample carry the picture, and what told it. */
export interface Depth {
  /** White is `2^bits - 1`. */
  bits: number;
  /** Where only the pixels tell: another depth that they could have. */
  other?: number | null;
  told_by: DepthSource;
}

/** What told how many bits are used. */
export type DepthSource = "format" | "tag" | "pixels" | "choice";

/** A linear head (multinomial logistic regression) on what a network makes of a picture.  Features: for each channel of the last feature maps its mean, the mean of the right half less that of the left, and of the lower half less that of the upper; then the levels of a picture of 16 x 16 pixels, from 0 to 1. */
export interface Detector {
  /** One for each row. */
  bias: number[];
  /** What the head tells apart from frontal chest radiographs, which come first. */
  kinds: Kind[];
  measured: Measured;
  /** By what each feature's weights are multiplied: float32, the lowest byte first, in Base64. */
  scales: string;
  stop: number;
  /** How it was trained, in a sentence. */
  training: string;
  /** From which value on there is a warning, and scores are shown only when asked for; but see `Detector::verdict`. */
  warn: number;
  /** Weights from -127 to 127: a row of all features for frontal chest radiographs, then one for each kind; bytes in Base64. */
  weights: string;
}

/** How long a picture took on each device when the device was chosen, in milliseconds: medians of three. */
export interface DeviceTimes {
  /** On as many cores as the engine has. */
  cpu: number;
  webgpu: number;
}

/** Everything that was drawn. */
export interface Drawn {
  /** The heart's width as a share of the chest's, where both were drawn. */
  cardiothoracic_ratio?: number | null;
  /** In the order in which they were drawn. Of widths the last one counts. */
  lines: Line[];
}

/** Where a map's positive evidence is. */
export interface Elsewhere {
  /** The share on the dark around the body. */
  background: number;
  /** The share on letters and markers. */
  markers: number;
}

/** What was painted over, and what the model said then. */
export interface Erased {
  fill: Fill;
  /** In the order of the manifest's findings; `null` for those that were not trained. */
  probabilities: Array<number | null>;
  spots: Spot[];
}

/** How coefficients are made of the samples' scores. */
export type Estimator = "regression" | "emulation";

export interface Evaluation {
  set: string;
  unit: Unit;
}

/** What a file says of its picture. It has nobody's name, number, date or place: only codes and numbers are taken from the file. */
export interface Facts {
  bits_stored: number;
  body_part?: string | null;
  /** The side of the body that is shown: L, R, B or U. */
  laterality?: string | null;
  /** Such as DX or CR. */
  modality?: string | null;
  /** Which way rows and columns go, such as L and F: to the person's left, and to the feet. */
  patient_orientation?: string[];
  photometric_interpretation: string;
  signed: boolean;
  /** The distance between the middles of pixels in millimetres, from row to row and from column to column. */
  spacing_mm?: [number, number] | null;
  /** The distance is measured on the detector, where a body is seen larger than it is (PS3.3, 10.7.1.3). */
  spacing_on_detector?: boolean;
  /** As the standard names it. */
  transfer_syntax: string;
  /** Such as PA or LL. */
  view?: string | null;
  /** All windows of the file. The first is shown. */
  windows?: Window[];
}

/** Both curves of one map, and how it compares with its baselines. */
export interface Faithfulness {
  /** The steps at which baselines were scored, and from which all gaps are made. */
  compared_at: number[];
  deletion: Curve;
  /** The area of insertion less the area of deletion. */
  gap: number;
  insertion: Curve;
  /** The gaps of blots about the middle, draw by draw. */
  middle: number[];
  /** The gaps of the same map laid elsewhere, draw by draw. */
  moved: number[];
  options: FaithfulnessOptions;
}

export interface FaithfulnessOptions {
  /** Baselines of each kind. At least 19: the highest of 20 is highest by chance in `LEVEL` of all cases. */
  draws: number;
  seed: number;
  /** Points of the map's curve after its first. */
  steps: number;
}

/** Which family of networks. */
export type Family = "densenet" | "efficientnet" | "mnasnet" | "vgg" | "combined";

/** What the pixels of a hidden region become. Each name means the same wherever something is hidden. */
export type Fill = "mean" | "picture-mean" | {
  grey: number;
} | "blur";

/** What an output stands for: a name of printable characters, without a space at its ends. */
export type Finding = string;

/** One output of the network. */
export interface FindingCard {
  auc: number | null;
  /** 95% interval of the AUC, by bootstrap over patients. */
  auc_ci95: [number, number] | null;
  /** `null`: the sigmoid of the logit is the score. */
  calibration: Calibration | null;
  /** How well maps point at what radiologists marked. */
  localisation: { [name: string]: Localisation };
  name: Finding;
  negatives: number;
  /** The score from which on the finding counts as called (Youden's J on the validation images). */
  operating_point: number | null;
  /** Evaluation images with and without the finding. */
  positives: number;
  /** Whether any training image was labelled for it; if not, its score means nothing and is not shown. */
  trained: boolean;
}

/** What LIME says of one finding. */
export interface FindingLime {
  /** What showing each region adds to the score. */
  coefficients: number[];
  intercept: number;
  /** Half the width of each coefficient's 95% interval, which holds what LIME's regression would say of infinitely many samples. */
  margins: number[];
  /** Share of the scores' variance, near the whole picture, that the regions explain. */
  r_squared: number;
}

export interface FindingReport {
  /** Whether it counts as found, by its operating point and the rules of the package. */
  called: boolean;
  grad_cam: GradCam;
  logit: number;
  name: Finding;
  operating_point: number | null;
  probability: number | null;
  trained: boolean;
}

/** How grey depends on a value in a window. */
export type Function = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/** Evidence for one finding. `sum(cells.values) + bias = logit`; Grad-CAM is its positive part. */
export interface GradCam {
  bias: number;
  /** The parts that the branches of a combined network give, each on its own grid. */
  branches?: Branch[];
  cells: HeatMap;
  /** The part of the picture that the cells cover. */
  region: Region;
}

/** A File or a Blob, as structured clones have it. No JSON has one. */
export type Handle = File | Blob;

/** What sits between the pooled features and the logits. */
export type Head = "linear" | "bottleneck" | "mlp";

/** Values over a grid that covers the network's square input. What is read of one is checked: there is a value for each cell. */
export interface HeatMap {
  height: number;
  /** `height * width` values, row by row. */
  values: number[];
  width: number;
}

/** A map for each output. */
export interface Hirescam {
  /** In logits, in the order of the manifest's findings. */
  maps: HeatMap[];
  options: HirescamOptions;
}

/** There is nothing to choose. */
export type HirescamOptions = { [name: string]: unknown };

export interface Image {
  /** Bits of a sample in the file. */
  bits: number;
  /** How many of them are used, and what told it. */
  depth?: Depth | null;
  /** What a DICOM file says of its picture. */
  dicom?: Facts | null;
  /** As the file was called; empty for a pasted picture. */
  file: string;
  height: number;
  /** Which values are shown from black to white, and why. */
  levels?: Used | null;
  /** What else is to be known of the file: see `Notice`(crate::radiograph::Notice). */
  notices?: string[];
  /** The hash of the file's bytes. */
  sha256: string;
  width: number;
}

/** A network's input, as the manifest writes it. */
export interface Input {
  /** 1, or 3 for the grey picture three times. */
  channels: number;
  /** Which grey levels of a file are shown to the network. */
  levels: Rule;
  /** Per channel, of values in 0..1. */
  mean: number[];
  resize: Resize;
  /** Height and width in pixels. */
  size: number;
  std: number[];
}

/** What the gate says of a picture. */
export interface Judgement {
  /** What it seems to be instead; `null` where it passes, or nothing could be checked. */
  kind?: Kind | null;
  /** How likely the detector holds it for something else than a frontal chest radiograph, from 0 to 1; `null` where the package has no detector. */
  value?: number | null;
  verdict: Verdict;
  /** Why, in a sentence or two. */
  why: string;
}

/** What a picture may be in place of a frontal chest radiograph. */
export type Kind = "not-a-radiograph" | "another-body-part" | "lateral" | "mirrored" | "inverted" | "cropped" | "child" | "blank" | "turned";

/** LIME's explanation of every finding, as far as it got. */
export interface Lime {
  /** In the order of the manifest's findings; `null` for those that were not trained. */
  findings: Array<FindingLime | null>;
  options: LimeOptions;
  /** Scored so far. */
  samples: number;
  segments: Segments;
  /** Whether the maps had stopped changing. */
  stable: boolean;
}

export interface LimeOptions {
  estimator: Estimator;
  fill: Fill;
  /** At most; the whole picture is the first. */
  samples: number;
  sampling: Sampling;
  seed: number;
  segmentation: Segmentation;
  /** Whether to stop before that when the maps no longer change. */
  until_stable: boolean;
}

/** A line on a radiograph. */
export interface Line {
  /** Where it ends on both sides, as shares of the picture's width and height from the top left. */
  ends: [[number, number], [number, number]];
  /** In millimetres, where the file tells the spacing of its pixels. */
  millimetres?: number | null;
  /** In pixels of the file. */
  pixels: number;
  purpose: Purpose;
}

/** How well a method's maps of a finding point at it, with 95% intervals by patient. */
export interface Localisation {
  /** Mean intersection over union of the boxes and the map above Otsu's threshold. */
  iou: number;
  iou_ci95?: [number, number] | null;
  /** Mean intersection over union of the boxes and as much of the map as they cover. */
  iou_same_area?: number | null;
  iou_same_area_ci95?: [number, number] | null;
  /** Images. */
  n: number;
  /** How much better the maps are than a Gaussian in the middle of the same pictures, image by image. */
  over_middle?: OverMiddle | null;
  /** Share of boxes that contain the map's maximum (the pointing game). */
  pointing_hit: number;
  pointing_hit_ci95?: [number, number] | null;
  /** The samples that LIME could take, at most. */
  samples?: number | null;
}

/** All about a model but its weights. */
export interface Manifest {
  architecture: Architecture;
  attribution: string;
  /** On which images the AUCs below were measured; `null` where nothing was. */
  evaluation: Evaluation | null;
  /** One for each of the network's outputs, in their order. */
  findings: FindingCard[];
  /** What tells pictures that are no frontal chest radiographs. */
  gate?: Detector | null;
  input: Input;
  intended_use: string;
  licence: string;
  limits: string[];
  /** The folder's name: lower case, digits and hyphens. */
  name: string;
  /** Which findings count as called only where nothing else is. Without it, No Finding does where the package has it. */
  rules?: CallRule[] | null;
  schema_version: 1;
  title: string;
  training: Training;
  weights: Weights;
}

/** A message: which version it is of, and what it says. */
export type MarkedFromPage = {
  sightline: 1;
} & ({
  /** The model's findings, in the order of reports. */
  findings: Finding[];
  model: string;
  type: "ready";
} | {
  /** How far that is, from 0 to 1, where it is known. */
  progress: number | null;
  state: State;
  type: "state";
} | {
  report: Report;
  type: "report";
} | {
  type: "error";
  why: string;
});

/** A message: which version it is of, and what it says. */
export type MarkedToPage = {
  sightline: 1;
} & ({
  file: Handle;
  /** As the file is called, where the handle does not know it. */
  name?: string | null;
  type: "open";
} | {
  finding: string;
  type: "select";
} | {
  method: Method;
  /** The number of LIME's samples, at most. */
  samples?: number | null;
  /** The seed of LIME's samples. */
  seed?: number | null;
  type: "explain";
} | {
  type: "measure";
} | {
  model: string;
  type: "load";
} | {
  type: "cancel";
});

/** What was measured of a detector on images that it was not trained on. */
export interface Measured {
  /** Frontal chest radiographs of other sources, by the name of the table. */
  elsewhere?: { [name: string]: Part };
  frontal: Part;
  /** Other pictures by the names of their kinds. */
  kinds: { [name: string]: Part };
  /** All other pictures together. */
  odd: Part;
  /** Which frontal chest radiographs. */
  set: string;
}

/** Any message, in one direction or the other. */
export type Message = MarkedToPage | MarkedFromPage;

/** How a map is made. */
export type Method = "grad-cam" | "lime" | "hirescam" | "occlusion";

export interface Model {
  name: string;
  title: string;
  weights_sha256: string;
}

/** The maps, as far as windows were scored. */
export interface Occlusion {
  /** In the order of the manifest's findings; `null` for those that were not trained. How much the score falls where a cell is hidden. */
  maps: Array<HeatMap | null>;
  options: OcclusionOptions;
  /** Windows that were scored. */
  windows: number;
}

/** In cells of a grid over the network's view. */
export interface OcclusionOptions {
  /** What hidden pixels become. */
  fill: Fill;
  /** Cells along each side; 1 to `Options::FINEST`. */
  grid: number;
  /** How far the window moves, in cells; 1 to `window`, so that every cell is covered. */
  stride: number;
  /** Side of the window, in cells; 1 to `grid`. */
  window: number;
}

/** How much better maps are than a Gaussian in the middle of the same pictures. */
export interface OverMiddle {
  /** Hits less the middle's, as a share of the images. */
  hit: number;
  /** The p-value of the paired test of that: patients' differences with random signs (McNemar's exact test, with several images of a patient). */
  hit_p: number;
  /** Mean IoU above Otsu's threshold less the middle's. */
  iou: number;
  iou_p: number;
}

/** Some pictures, and what came of them. */
export interface Part {
  /** AUC between them and the frontal chest radiographs, of other pictures. */
  auc?: number | null;
  images: number;
  /** The part that is called by its kind. */
  named?: number | null;
  /** Parts of them. */
  stopped: number;
  warned: number;
}

/** How far a step is; `total` 0 where nobody knows. */
export interface Progress {
  done: number;
  step: Step;
  total: number;
}

/** What a line was drawn for. */
export type Purpose = "length" | "heart" | "chest";

/** How much of a network loses what it has learned, from the top down. */
export type Randomised = "classifier" | "last-stage";

/** A part of a picture, as fractions of its width and height. */
export interface Region {
  height: number;
  width: number;
  x: number;
  y: number;
}

/** One reading of one picture by one model. */
export interface Report {
  /** `"WebGPU: <name>"` or `"CPU, N workers"`. */
  adapter: string;
  /** What a reader drew on the picture. */
  drawn?: Drawn | null;
  /** What was painted over, and the scores without it. */
  erased?: Erased | null;
  findings: FindingReport[];
  /** Whether feature maps were computed in float16, which has three digits, where their values were not too large for it. Scores and maps are then not those of another device to the last digit. */
  float16?: boolean;
  /** Whether the picture is one that the model knows. */
  gate?: Judgement | null;
  hirescam?: Hirescam | null;
  image: Image;
  lime?: Lime | null;
  model: Model;
  /** Said in every report. */
  notice: string;
  occlusion?: Occlusion | null;
  preprocessing: Input;
  schema_version: number;
  /** What made the report, and its version. */
  software: string;
  timings: Timings;
  /** What was measured of the maps that were asked for. */
  trust?: Trust[];
}

/** How a picture of any shape becomes a square. */
export type Resize = "stretch" | {
  shorter_side: number;
};

/** Which levels a network is given: the manifest's `input.levels`. */
export type Rule = "file" | "window" | "percentile";

/** How samples are drawn. */
export type Sampling = "bernoulli" | "antithetic" | "orthogonal";

/** Maps of networks of which a part was drawn at random, beside the map of the network as it is. */
export interface Sanity {
  /** The map of the first draw, to be shown. */
  map: HeatMap;
  randomised: Randomised;
  /** With the map of the network as it is, draw by draw; `null` where one of the two is the same everywhere. */
  rank_correlations: Array<number | null>;
}

/** How the picture is cut into regions. */
export type Segmentation = "quickshift" | "slic";

/** A region's number for each pixel. Written as runs of equal numbers. */
export interface Segments {
  count: number;
  height: number;
  /** A region's number and how many pixels in a row, row after row, have it. */
  runs: Array<[number, number]>;
  width: number;
}

/** A round place on the whole picture. */
export interface Spot {
  /** As a share of the picture's width. */
  radius: number;
  /** The middle, as shares of the picture's width and height. */
  x: number;
  y: number;
}

/** The state of the page's status line. */
export type State = "loading" | "idle" | "reading" | "explaining" | "ready" | "error";

/** What takes so long that people are told of it. */
export type Step = "open-device" | "compile-shaders" | "decode" | "read" | "fetch-model" | "prepare" | "explain" | "measure" | "randomise";

/** In milliseconds. */
export interface Timings {
  decode: number;
  /** By which the device was chosen; absent where there was no choice. */
  devices?: DeviceTimes | null;
  /** Forward pass and all maps. */
  read: number;
}

/** What is known of a model's training; of imported weights that is next to nothing. */
export interface Training {
  /** The commit of the source code. */
  commit: string;
  data: string;
  /** `YYYY-MM-DD`. */
  date: string;
  epochs: number | null;
  images: number | null;
  patients: number | null;
  recipe: string;
  seed: number | null;
  /** Whether boxes that radiologists drew on training images taught Grad-CAM where to point. */
  taught_with_boxes?: boolean;
}

/** What was measured of one map of this picture. */
export interface Trust {
  /** With the map of another method, where both are there. */
  agreement: Agreement | null;
  /** Which method that is, where it is said. */
  agreement_with?: Method | null;
  /** Where the map's evidence is beside the patient; `null` if there is no evidence for the finding. */
  elsewhere: Elsewhere | null;
  faithfulness: Faithfulness;
  finding: Finding;
  method: Method;
  /** The sanity check of Grad-CAM: the maps of the same network with a part drawn at random. */
  sanity?: Sanity[];
}

/** What one score stands for. */
export type Unit = "image" | "study";

/** Which levels were used, for the report. */
export interface Used {
  /** The highest value is black. */
  inverted?: boolean;
  rule: Rule;
  shown: UsedLevels;
  /** Why these. */
  why: string;
}

/** What was shown of a picture's values. Values are those that the modality's rescale gives. */
export type UsedLevels = {
  window: Window;
} | "table" | {
  range: [number, number];
};

/** What is done with a picture's scores. */
export type Verdict = "pass" | "warn" | "stop";

export interface Weights {
  bytes: number;
  /** The type of the convolutions' and linear layers' weights; batch normalisation is float32. */
  dtype: string;
  /** Beside the manifest. */
  file: string;
  sha256: string;
}

/** A window: the values that are shown from black to white (C.11.2.1.2). */
export interface Window {
  center: number;
  /** What the file says that it is for, such as NORMAL or HARDER. */
  explanation?: string | null;
  function: Function;
  width: number;
}

