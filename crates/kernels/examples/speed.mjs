// Times builds of speed.rs in WebAssembly, in turns with ONNX Runtime Web on one thread if it is there; under node, or in a worker of Chromium.
//
//   node speed.mjs plain=speed-plain.wasm relaxed=speed-relaxed.wasm [ort=FOLDER] [chromium=PROGRAM] [batches=1,8] [networks=0,1] [times=9]
//
// FOLDER: has node_modules/onnxruntime-web, and NAME-BATCH.onnx of the networks below. Under node what counts is the processor's time, which other programs
// disturb less; a node before 24 needs --experimental-wasm-relaxed-simd.
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";

const options = Object.fromEntries(process.argv.slice(2).map((word) => word.split("=")));
const builds = ["plain", "relaxed"].filter((build) => options[build]);
const distribution = options.ort && path.join(fs.realpathSync(options.ort), "node_modules/onnxruntime-web/dist");
const numbers = (text, otherwise) => (text ?? otherwise).split(",").map(Number);
const plan = {
  builds,
  batches: numbers(options.batches, "1"),
  networks: numbers(options.networks, "0,1"),
  times: Number(options.times ?? 9),
};

// Of its own text a worker is made: it may use its parameters and nothing else.
async function measure({ builds, batches, networks, times }, read, ort, clock, say) {
  const names = ["lite0", "densenet121", "efficientnet_b0", "mnasnet1_0", "vgg19"];
  const programs = [];
  for (const build of builds) {
    const { instance } = await WebAssembly.instantiate(await read(build), {});
    programs.push([build, instance.exports]);
  }
  for (const batch of batches) {
    for (const network of networks) {
      const runs = programs.map(([build, { prepare, pass }]) => {
        prepare(network, batch);
        return [build, async () => pass()];
      });
      if (ort) {
        const model = await read(`${names[network]}-${batch}.onnx`);
        const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
        const values = Float32Array.from({ length: batch * 3 * 224 * 224 }, Math.random);
        const x = new ort.Tensor("float32", values, [batch, 3, 224, 224]);
        runs.push(["ort-web", () => session.run({ x })]);
      }
      const milliseconds = runs.map(() => []);
      for (let turn = -3; turn < times; turn += 1) {
        for (const [index, [, pass]] of runs.entries()) {
          const start = clock();
          await pass();
          if (turn >= 0) milliseconds[index].push(clock() - start);
        }
      }
      const sorted = milliseconds.map((values) => values.sort((a, b) => a - b));
      const medians = sorted.map((values) => values[values.length >> 1]);
      for (const [index, [build]] of runs.entries()) {
        const figures = `median ${medians[index].toFixed(1)} ms, least ${sorted[index][0].toFixed(1)} ms`;
        const ratio = ort ? `, ${(medians[index] / medians.at(-1)).toFixed(2)} of ort-web's median` : "";
        say(`${names[network]}, batch ${batch}, ${build}: ${figures}${ratio}`);
      }
    }
  }
}

const file = (name) => fs.readFileSync(options[name] ?? path.join(options.ort, path.basename(name)));

async function underNode() {
  let ort;
  if (distribution) {
    ort = await import(pathToFileURL(path.join(distribution, "ort.node.min.mjs")));
    ort.env.wasm.numThreads = 1;
  }
  const clock = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  };
  await measure(plan, async (name) => new Uint8Array(file(name)), ort, clock, console.log);
}

function inChromium() {
  const worker = `
    ${distribution ? 'import * as ort from "/ort/ort.wasm.min.mjs"; ort.env.wasm.numThreads = 1; ort.env.wasm.wasmPaths = "/ort/";' : "const ort = undefined;"}
    ${measure}
    const read = async (name) => new Uint8Array(await (await fetch("/file/" + name)).arrayBuffer());
    const say = (text) => fetch("/say", { method: "POST", body: text });
    await measure(${JSON.stringify(plan)}, read, ort, () => performance.now(), say).catch((error) => say("failed: " + error.stack));
    await say("");`;
  const page = '<script type="module">new Worker("/worker.js", { type: "module" })</script>';
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "speed-"));
  let browser;
  const server = http.createServer(async (request, response) => {
    const give = (type, body) => response.writeHead(200, { "content-type": type }).end(body);
    if (request.url === "/") return give("text/html", page);
    if (request.url === "/worker.js") return give("text/javascript", worker);
    if (request.url.startsWith("/file/")) return give("application/octet-stream", file(request.url.slice(6)));
    if (request.url.startsWith("/ort/")) {
      const type = request.url.endsWith(".wasm") ? "application/wasm" : "text/javascript";
      return give(type, fs.readFileSync(path.join(distribution, path.basename(request.url))));
    }
    if (request.url !== "/say") return response.writeHead(404).end();
    let text = "";
    for await (const part of request) text += part;
    response.end();
    if (text) return console.log(text);
    browser.once("exit", () => fs.rmSync(profile, { recursive: true, force: true }));
    browser.kill();
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, () => {
    const url = `http://localhost:${server.address().port}/`;
    const words = ["--headless=new", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`, url];
    browser = spawn(options.chromium, words, { stdio: "ignore" });
  });
}

await (options.chromium ? inChromium() : underNode());
