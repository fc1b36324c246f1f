// One contender on a page of its own: `load`, then `score` as often as the driver asks. What is timed is the same for all: from posting
// pictures to a worker until their answer is on the page.

import { Ours } from './ours.js';
import { OursOnWebgpu } from './ours_webgpu.js';
import { Peer } from './peer.js';

const CONTENDERS = {
  sightline: ({ backend }) => (backend === 'cpu' ? new Ours() : new OursOnWebgpu()),
  onnxruntime: () => new Peer('ort_worker.js', { type: 'module' }),
  tensorflow: () => new Peer('tfjs_worker.js', {}),
};

let contender, pictures, known;

const json = async address => (await fetch(address)).json();

// What the network is given, NCHW; `known` has PyTorch's logits of it.
window.prepare = async ({ who, data, ...asked }) => {
  known = await json(`${data}case.json`);
  const [count, ...shape] = known.input;
  const values = new Float32Array(await (await fetch(`${data}pictures.f32`)).arrayBuffer());
  const length = shape.reduce((a, b) => a * b);
  pictures = Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
  contender = CONTENDERS[who](asked);
  await contender.prepare?.({ ...asked, data, shape, known });
  window.asked = { ...asked, data, shape, known };
};

// How often a browser that has just started is asked for a graphics card: at first it may say that it has none.
const ASKED_FOR_CARD = 10;
const ASKED_AGAIN_MS = 500;

// The name of the graphics card; null where there is none, or one that is computed on the CPU.
window.card = async () => {
  let info;
  for (let tries = 0; tries < ASKED_FOR_CARD && !info; tries += 1) {
    if (tries > 0) await new Promise(resolve => setTimeout(resolve, ASKED_AGAIN_MS));
    info = (await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' }))?.info;
  }
  if (!info || info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(`${info.description} ${info.architecture}`)) return null;
  return info.description || `${info.vendor} ${info.architecture}`.trim();
};

// Milliseconds from nothing to a network that can be asked.
window.load = async () => {
  const start = performance.now();
  await contender.load(window.asked);
  return performance.now() - start;
};

// Milliseconds that the first answer takes then.
window.first = async () => {
  const start = performance.now();
  await (contender.first?.() ?? contender.score(pictures.slice(0, 1)));
  return performance.now() - start;
};

// What is needed for larger work alone, and not timed.
window.ready = async () => contender.ready?.(window.asked);

// Milliseconds for so many pictures, and how far the logits are from PyTorch's, at most.
window.score = async count => {
  const { ms, logits } = await contender.score(pictures.slice(0, count));
  let difference = null;
  logits?.forEach((row, picture) =>
    row.forEach((logit, output) => {
      if (logit === null) return;
      const off = Math.abs(logit - known.logits[picture][output]);
      // Not a number is as wrong as can be.
      difference = Math.max(difference ?? 0, Number.isNaN(off) ? Infinity : off);
    }),
  );
  return { ms, difference: difference === Infinity ? 1e9 : difference };
};

window.there = true;
