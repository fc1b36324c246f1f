// Sightline for programs: the session and the engine of the page, without the page.
//
// Everything that lasts is in `sightline_bg.wasm`, which talks to a worker with the engine. Here are promises, their order and their end.

import init, { Engine, samplesAsFile, pixelsAsFile } from './sightline.js';

/** The program, once it was asked for: one for all that are loaded, from the first `base`. */
let program;

/** An address relative to the page, or to the worker that this runs in. */
const address = (relative, home = globalThis.document?.baseURI ?? location.href) => new URL(relative, home).href;

const folder = path => (path.endsWith('/') ? path : `${path}/`);

async function listed(models, signal) {
  const where = address('index.json', models);
  const failed = why => new Error(`The list of models (${where}) cannot be fetched: ${why}.`);
  const answer = await fetch(where, { signal }).catch(error => {
    throw signal?.aborted ? signal.reason : failed('the server does not answer');
  });
  if (!answer.ok) throw failed(`the server answered ${answer.status}`);
  const { models: entries } = await answer.json().catch(() => {
    throw signal?.aborted ? signal.reason : failed('it is no JSON');
  }) ?? {};
  if (!Array.isArray(entries) || !entries.every(entry => typeof entry?.name === 'string')) throw failed('it lists no models');
  return entries.map(({ name, path }) => ({ name, folder: address(path ?? name, models) }));
}

/** A file of what there is to read, and its name. */
function asFile(input, named) {
  if (input instanceof Blob) return [input, named ?? input.name ?? ''];
  if (typeof ImageData !== 'undefined' && input instanceof ImageData) {
    return [new Blob([pixelsAsFile(input.width, input.height, input.data)]), named ?? ''];
  }
  const { width, height, samples, window, slope = 1, intercept = 0, inverted = false, bits } = input ?? {};
  if (!ArrayBuffer.isView(samples)) throw new TypeError('A File, a Blob, an ImageData or {width, height, samples} can be read.');
  const [signed, allocated] = new Map([
    [Uint8Array, [false, 8]], [Uint8ClampedArray, [false, 8]], [Uint16Array, [false, 16]], [Int16Array, [true, 16]],
  ]).get(samples.constructor) ?? [];
  if (!allocated) throw new TypeError('Samples can be a Uint8Array, a Uint16Array or an Int16Array.');
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  const levels = [window?.center ?? NaN, window?.width ?? NaN, slope, intercept];
  return [new Blob([samplesAsFile(width, height, bytes, allocated, bits ?? allocated, signed, inverted, ...levels)]), named ?? ''];
}

export class Sightline {
  /** Names of the models that can be loaded. */
  models;
  #engine;
  /** What hears that something changed. */
  #hears;
  /** The last thing that was asked for: the next begins when it has ended. */
  #last = Promise.resolve();

  constructor(key) {
    if (key !== Sightline.#key) throw new TypeError('Use Sightline.load().');
  }

  static #key = Symbol();

  static async load({ base, models, model, device = 'best', signal, onprogress } = {}) {
    signal?.throwIfAborted();
    const home = base === undefined ? address('./', import.meta.url) : folder(address(base));
    const entries = await listed(folder(models === undefined ? address('models/', home) : address(models)), signal);
    program ??= init({ module_or_path: address('sightline_bg.wasm', home) });
    await program.catch(error => {
      program = undefined;
      throw error;
    });
    signal?.throwIfAborted();
    const made = new Sightline(Sightline.#key);
    made.models = entries.map(entry => entry.name);
    made.#engine = new Engine(home, device, entries, () => made.#hears?.());
    const name = model ?? made.models[0];
    try {
      if (!made.models.includes(name)) throw new Error(`There is no model ${name}. There are: ${made.models.join(', ')}.`);
      await made.#do(() => made.#engine.load(name), { signal, onprogress });
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  get manifest() {
    return this.#open().manifest();
  }

  get adapter() {
    return this.#open().adapter();
  }

  get report() {
    return this.#open().report();
  }

  async read(input, { file, ...options } = {}) {
    const [blob, name] = asFile(input, file);
    return this.#do(() => this.#open().read(blob, name), options, () => this.report);
  }

  async explain({ method = 'grad-cam', finding, samples, seed, ...options } = {}) {
    return this.#do(
      () => this.#open().explain(method, finding, samples, seed),
      options,
      () => ({ method, maps: this.#open().maps(method, finding) })
    );
  }

  async measure({ method = 'grad-cam', finding, ...options } = {}) {
    return this.#do(
      () => this.#open().measure(method, finding),
      options,
      () => {
        const about = finding ?? this.#open().highest();
        return this.report.trust.find(trust => trust.method === method && trust.finding === about);
      }
    );
  }

  close() {
    const engine = this.#engine;
    this.#engine = undefined;
    // It may have called whoever closes this.
    queueMicrotask(() => engine?.free());
    this.#hears?.();
  }

  [Symbol.dispose ?? Symbol()]() {
    this.close();
  }

  #open() {
    if (!this.#engine) throw new Error('This Sightline was closed.');
    return this.#engine;
  }

  /** Does one thing once those before it have ended. */
  #do(begin, { signal, onprogress } = {}, result = () => {}) {
    const before = this.#last;
    const turn = (async () => {
      await before;
      signal?.throwIfAborted();
      await this.#until(begin, signal, onprogress);
      return result();
    })();
    this.#last = turn.catch(() => {});
    // Whoever waits for a turn need not wait for it to be told of an end.
    const aborted = new AbortController();
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { signal: aborted.signal });
      turn.then(resolve, reject);
    }).finally(() => aborted.abort());
  }

  #until(begin, signal, onprogress) {
    return new Promise((resolve, reject) => {
      let told;
      const end = (settle, value) => {
        this.#hears = undefined;
        signal?.removeEventListener('abort', abort);
        settle(value);
      };
      const abort = () => {
        this.#hears = undefined;
        this.#engine?.cancel();
        end(reject, signal.reason);
      };
      this.#hears = () => {
        if (!this.#engine) return end(reject, new Error('This Sightline was closed.'));
        const progress = this.#engine.progress();
        const text = JSON.stringify(progress);
        if (progress && text !== told) {
          told = text;
          onprogress?.(progress);
        }
        const outcome = this.#engine.outcome();
        if (outcome === '') end(resolve);
        else if (outcome !== undefined) end(reject, new Error(outcome));
      };
      signal?.addEventListener('abort', abort);
      try {
        begin();
      } catch (error) {
        end(reject, error);
      }
      // It may be there already.
      this.#hears?.();
    });
  }
}
