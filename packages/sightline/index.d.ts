import type { Manifest, Method, Progress, Region, Report, Trust } from './types.js';

export type * from './types.js';

/** What can be given beside each thing that takes long. */
export interface Waiting {
  /** Ends it; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Hears how far it is. `total` is 0 where nobody knows. */
  onprogress?: (progress: Progress) => void;
}

export interface LoadOptions extends Waiting {
  /** The folder of this package's engine*.js and *_bg.wasm; by itself the folder of this package. */
  base?: string | URL;
  /** The folder of index.json and of the models; by itself `models/` in `base`. It is on the same server as `base`. */
  models?: string | URL;
  /** The name of a model in index.json; by itself the first. */
  model?: string;
  device?: 'best' | 'cpu' | 'webgpu';
}

/** The pixels of a detector, as viewers such as Cornerstone have them. */
export interface Samples {
  width: number;
  height: number;
  /** Row by row, one for each pixel: the stored values. */
  samples: Uint8Array | Uint8ClampedArray | Uint16Array | Int16Array;
  /** The values that are shown from black to white (VOI LUT, linear). Without it all that the bits can show is shown. */
  window?: { center: number; width: number };
  /** What a window's values are of stored values: `slope * stored + intercept` (Modality LUT). */
  slope?: number;
  intercept?: number;
  /** Whether the lowest value is white (MONOCHROME1). */
  inverted?: boolean;
  /** How many bits of a sample are used. */
  bits?: number;
}

export interface ReadOptions extends Waiting {
  /** What the report calls the picture. */
  file?: string;
}

export interface ExplainOptions extends Waiting {
  method?: Method;
  /** The name of one finding; by itself the maps of all that were trained come. */
  finding?: string;
  /** The number of LIME's samples; by itself it ends when the maps no longer change. */
  samples?: number;
  /** The seed of LIME's samples. */
  seed?: number;
}

export interface MeasureOptions extends Waiting {
  /** How the map is made that is measured. It is made first where it is not there. */
  method?: Method;
  /** By itself the one with the highest score. */
  finding?: string;
}

/** A map over the part `region` of the picture: `height` rows of `width` values. */
export interface FindingMap {
  finding: string;
  width: number;
  height: number;
  values: Float32Array;
  /** In shares of the picture's width and height. */
  region: Region;
}

export interface Explained {
  method: Method;
  maps: FindingMap[];
}

/** A model, and a worker that computes with it. What is asked for is done in order, one after another. */
export class Sightline {
  private constructor();

  static load(options?: LoadOptions): Promise<Sightline>;

  /** Names of the models in index.json. */
  readonly models: readonly string[];
  readonly manifest: Manifest;
  /** What it computes on: `"WebGPU: <name>"` or `"CPU, N workers"`. */
  readonly adapter: string;
  /** The report of what was read last, with all that was explained and measured since. */
  readonly report: Report | undefined;

  /** Reads a radiograph: a file of any kind that the page reads, the pixels of a canvas, or those of a detector. */
  read(input: Blob | ImageData | Samples, options?: ReadOptions): Promise<Report>;

  /** Maps of what was read last. */
  explain(options?: ExplainOptions): Promise<Explained>;

  /** What is measured of a map of what was read last. */
  measure(options?: MeasureOptions): Promise<Trust>;

  /** Ends the worker. What is under way is rejected. */
  close(): void;
}
