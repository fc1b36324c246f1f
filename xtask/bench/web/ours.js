// The page's engine on the CPU: its helpers, which score pictures and do nothing else. The first computes a picture that comes by itself on all
// cores, as the page's engine does. With two cores there are two, one core for each where there are more pictures, and the second loads then, as on
// the page.

import { Engine, folder, logit } from './engine.js';
import { floats, message, text, u32, variant } from './borsh.js';

const LOAD = variant(0);
const BESIDE = variant(0);
const [ONE_CORE, SEVERAL_CORES] = [variant(0), variant(1)];
const SCORE = variant(1);
const SCORES_ALONE = variant(0);
const [LOADED, NOT_LOADED, SCORED] = [0, 1, 2];
// As app/engine/src/model.rs: the engine gives each worker so many pictures at once.
const AT_ONCE = 2;

class Helper extends Engine {
  async load(known, cores) {
    await this.start(true, 'engine');
    const [name, place] = folder(known);
    const loaded = this.until(answer => {
      const kind = answer.byte();
      if (kind === NOT_LOADED) throw new Error('the package cannot be loaded');
      return kind === LOADED || undefined;
    });
    this.post(message(LOAD, BESIDE, text(name), text(place), cores));
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
  async load({ known }) {
    this.known = known;
    this.helpers = [new Helper()];
    await this.helpers[0].load(known, SEVERAL_CORES);
  }

  async ready({ cores, known }) {
    while (this.helpers.length < cores) {
      const helper = new Helper();
      await helper.load(known, ONE_CORE);
      this.helpers.push(helper);
    }
  }

  async score(pictures) {
    const start = performance.now();
    const batches = this.helpers.map(() => []);
    let number = 0;
    for (let first = 0; first < pictures.length; first += AT_ONCE, number += 1) {
      batches[number % batches.length].push({ ticket: number, pictures: pictures.slice(first, first + AT_ONCE) });
    }
    const asked = this.helpers.filter((_, i) => batches[i].length > 0);
    const scored = await Promise.all(asked.map((helper, i) => helper.score(batches[i])));
    const ms = performance.now() - start;
    const byTicket = new Map(scored.flatMap(some => [...some]));
    const rows = [...byTicket.keys()].sort((a, b) => a - b).flatMap(ticket => byTicket.get(ticket));
    return { ms, logits: rows.map(row => row.map((probability, i) => logit(probability, this.known.findings[i]))) };
  }
}
