// Times speed.rs in WebAssembly under node, in turns with ONNX Runtime Web on one thread if it is there.
//
//   node speed.mjs plain=speed-plain.wasm relaxed=speed-relaxed.wasm [ort=FOLDER] [batches=1,8] [networks=0,1] [times=9]
//
// FOLDER: has node_modules/onnxruntime-web, and NAME-BATCH.onnx of the networks below.
import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const options = Object.fromEntries(process.argv.slice(2).map((word) => word.split("=")));
const names = ["lite0", "densenet121", "efficientnet_b0", "mnasnet1_0", "vgg19"];
const times = Number(options.times ?? 9);
const builds = [];
for (const build of ["plain", "relaxed", "other"]) {
  if (!options[build]) continue;
  const module = await WebAssembly.compile(fs.readFileSync(options[build]));
  builds.push([build, (await WebAssembly.instantiate(module, {})).exports]);
}
let ort;
if (options.ort) {
  const require = createRequire(`${fs.realpathSync(options.ort)}/package.json`);
  ort = await import(pathToFileURL(require.resolve("onnxruntime-web")));
  ort.env.wasm.numThreads = 1;
}
for (const batch of (options.batches ?? "1").split(",").map(Number)) {
  for (const network of (options.networks ?? "0,1").split(",").map(Number)) {
    const runs = builds.map(([build, exports]) => {
      exports.prepare(network, batch);
      return [build, async () => exports.pass()];
    });
    if (ort) {
      const bytes = new Uint8Array(fs.readFileSync(`${options.ort}/${names[network]}-${batch}.onnx`));
      const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
      const shape = [batch, 3, 224, 224];
      const x = new ort.Tensor("float32", Float32Array.from({ length: batch * 3 * 224 * 224 }, Math.random), shape);
      runs.push(["ort-web", () => session.run({ x })]);
    }
    const milliseconds = runs.map(() => []);
    const sums = [];
    for (let turn = -2; turn < times; turn += 1) {
      for (const [index, [, pass]] of runs.entries()) {
        const start = performance.now();
        sums[index] = await pass();
        if (turn >= 0) milliseconds[index].push(performance.now() - start);
      }
    }
    const medians = milliseconds.map((values) => values.sort((a, b) => a - b)[values.length >> 1]);
    const theirs = ort ? medians.at(-1) : undefined;
    for (const [index, [build]] of runs.entries()) {
      const ratio = theirs ? `, ${(medians[index] / theirs).toFixed(2)} of ort-web's` : "";
      const sum = typeof sums[index] === "number" ? `, sum ${sums[index].toPrecision(7)}` : "";
      const least = milliseconds[index][0];
      console.log(`${names[network]}-${batch} ${build}: ${medians[index].toFixed(1)} ms (least ${least.toFixed(1)})${ratio}${sum}`);
    }
  }
}
