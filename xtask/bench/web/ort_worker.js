// onnxruntime-web, as its documentation says: WebAssembly with SIMD and threads, or WebGPU.

const HOME = new URL('/npm/onnxruntime-web/dist/', self.location.href).href;
let ort, session, shape;

const load = async asked => {
  const webgpu = asked.backend !== 'cpu';
  ort = await import(`${HOME}${webgpu ? 'ort.webgpu.min.mjs' : 'ort.wasm.min.mjs'}`);
  ort.env.wasm.wasmPaths = HOME;
  ort.env.wasm.numThreads = asked.cores;
  shape = asked.shape;
  session = await ort.InferenceSession.create(`${asked.data}network.onnx`, {
    executionProviders: [webgpu ? 'webgpu' : 'wasm'],
    graphOptimizationLevel: 'all',
  });
};

const score = async (values, count) => {
  const { logits } = await session.run({ pictures: new ort.Tensor('float32', values, [count, ...shape]) });
  const read = Float32Array.from(await logits.getData());
  logits.dispose();
  return read;
};

self.onmessage = async ({ data }) => {
  try {
    if (data.load) {
      await load(data.load);
      self.postMessage({});
    } else {
      self.postMessage({ logits: await score(data.score, data.count) });
    }
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};
