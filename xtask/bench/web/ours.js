// The page's engine on the CPU: one of its helpers, which score pictures and do nothing else, with as many threads as there are cores, as the page's
// engine has on a page that is cross-origin isolated, which this one is.

import { Engine, folder, logit } from './engine.js';
import { floats, message, text, u32, variant } from './borsh.js';

const LOAD = variant(0);
const BESIDE = variant(0);
const SEVERAL_CORES = variant(1);
const SCORE = variant(1);
const SCORES_ALONE = variant(0);
const [LOADED, NOT_LOADED, SCORED] = [0, 1, 2];
// As app/engine/src/model.rs: pictures that a core scores at once.
const AT_ONCE = 2;

class Helper extends Engine {
  async load(known) {
    await this.start(true, 'engine');
    const [name, place] = folder(known);
    const loaded = this.until(answer => {
      const kind = answer.byte();
      if (kind === NOT_LOADED) throw new Error('the package cannot be loaded');
      return kind === LOADED || undefined;
    });
    this.post(message(LOAD, BESIDE, text(name), text(place), SEVERAL_CORES));
    await loaded;
  }

  // Probabilities of batches, which are all posted at once.
  score(batches) {
    const scored = new Map();
    const all = this.until(answer => {
      if (answer.byte() !== SCORED) throw new Error('no scores');
      const ticket = answer.u32();
      const pictures = answer.maybe(() =>
        answer.many(() => {
          const probabilities = answer.many(() => answer.maybe(() => answer.f64()));
          if (answer.u32() !== 0 || answer.u32() !== 0) throw new Error('more than scores');
          return probabilities;
        }),
      );
      answer.end();
      if (!pictures) throw new Error('the pictures cannot be scored');
      scored.set(ticket, pictures);
      return scored.size === batches.length ? scored : undefined;
    });
    for (const { ticket, pictures } of batches) {
      const values = new Float32Array(pictures.length * pictures[0].length);
      pictures.forEach((picture, i) => values.set(picture, i * picture.length));
      this.post(message(SCORE, u32(ticket), SCORES_ALONE, floats(values)));
    }
    return all;
  }
}

export class Ours {
  async load({ known, cores }) {
    this.known = known;
    this.atOnce = AT_ONCE * cores;
    this.helper = new Helper();
    await this.helper.load(known);
  }

  async score(pictures) {
    const start = performance.now();
    const batches = [];
    for (let first = 0; first < pictures.length; first += this.atOnce) {
      batches.push({ ticket: batches.length, pictures: pictures.slice(first, first + this.atOnce) });
    }
    const scored = await this.helper.score(batches);
    const ms = performance.now() - start;
    const rows = batches.flatMap(({ ticket }) => scored.get(ticket));
    return { ms, logits: rows.map(row => row.map((probability, i) => logit(probability, this.known.findings[i]))) };
  }
}
