// The page's engine on WebGPU. Helpers compute on the CPU alone, so the engine itself is asked: for a picture with nothing painted over, which is
// one picture's scores; and, for 8 pictures, for the first of an occlusion: from the message with which the engine says that it begins to score
// until the one that it is done with 8, it makes these 8 pictures and scores them, in one batch or in several, as it finds fastest.

import { Engine, folder, logit } from './engine.js';
import { message, text, u32, u64, variant } from './borsh.js';

const LOAD = variant(0);
const BESIDE = variant(0);
const READ = variant(1);
const EXPLAIN = variant(2);
const PROBE = variant(3);
const WEBGPU = variant(2);
const OCCLUSION = variant(2);
const PICTURE_MEAN = variant(1);
const NONE = variant(0);
const KEPT = variant(1);
const [READY, WAS_READ, EXPLAINED, PROBED, SCORING, REFUSED] = [2, 3, 4, 5, 8, 14];
const AT_ONCE = 8;

export class OursOnWebgpu {
  async prepare({ data, known }) {
    this.files = [];
    for (let number = 0; number < known.input[0]; number += 1) {
      this.files.push(await (await fetch(`${data}pictures/${number}.png`)).blob());
    }
  }

  answer(wanted) {
    return this.engine.until(answer => {
      const kind = answer.byte();
      if (kind === REFUSED) throw new Error('the engine refuses');
      return wanted(kind, answer);
    });
  }

  async load({ known }) {
    this.known = known;
    this.engine = new Engine();
    await this.engine.start(false, 'engine-webgpu');
    const [name, place] = folder(known);
    const ready = this.answer(kind => kind === READY || undefined);
    this.engine.post(message(LOAD, BESIDE, text(name), text(place), WEBGPU, u64(AT_ONCE)));
    await ready;
    this.read = null;
  }

  async reading(number) {
    if (this.read === number) return;
    const read = this.answer(kind => kind === WAS_READ || undefined);
    this.engine.post(message(READ, u32(number), text(`${number}.png`), NONE, KEPT), this.files[number]);
    await read;
    this.read = number;
  }

  // The page's first picture: a reading has the scores, and all maps.
  first() {
    return this.reading(0);
  }

  async score(pictures) {
    return pictures.length === 1 ? this.one() : this.many(pictures.length);
  }

  async one() {
    await this.reading(0);
    const start = performance.now();
    const probed = this.answer((kind, answer) => {
      if (kind !== PROBED) return undefined;
      answer.u32();
      answer.byte();
      if (answer.u32() !== 0) throw new Error('something is painted over');
      const probabilities = answer.many(() => answer.maybe(() => answer.f64()));
      answer.end();
      return probabilities;
    });
    this.engine.post(message(PROBE, u32(0), u32(0), PICTURE_MEAN));
    const row = await probed;
    return { ms: performance.now() - start, logits: [row.map((p, i) => logit(p, this.known.findings[i]))] };
  }

  async many(count) {
    await this.reading(0);
    let start, ms;
    let begun = 0;
    const done = this.answer((kind, answer) => {
      if (kind === EXPLAINED) {
        answer.u32();
        return answer.byte() === 1 || undefined;
      }
      if (kind !== SCORING || ms !== undefined) return undefined;
      // How many it begins with, and 0 when it is done with them.
      const pictures = answer.u64();
      start ??= performance.now();
      begun += pictures;
      if (pictures === 0 && begun === count) ms = performance.now() - start;
      return undefined;
    });
    // 9 windows and the whole picture: more than one batch, so that the first is full.
    this.engine.post(message(EXPLAIN, u32(0), OCCLUSION, u64(3), u64(1), u64(1), PICTURE_MEAN));
    await done;
    // Batches of sizes that are still being tried need not end with so many: then once more.
    return ms === undefined ? this.many(count) : { ms, logits: null };
  }
}
