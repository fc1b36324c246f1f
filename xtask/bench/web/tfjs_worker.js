// TensorFlow.js: the network's steps, channels last, on its WebAssembly backend with SIMD and threads, or on WebGPU. Convolutions take bias
// and activation with them, as its converter makes them.

const HOME = '/npm/@tensorflow/';
let plan, weights, shape;

const load = async asked => {
  importScripts(`${HOME}tfjs-core/dist/tf-core.min.js`);
  if (asked.backend !== 'cpu') {
    importScripts(`${HOME}tfjs-backend-webgpu/dist/tf-backend-webgpu.min.js`);
  } else {
    importScripts(`${HOME}tfjs-backend-wasm/dist/tf-backend-wasm.min.js`);
    tf.wasm.setWasmPaths(new URL(`${HOME}tfjs-backend-wasm/dist/`, self.location.href).href);
    tf.wasm.setThreadsCount(asked.cores);
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', asked.cores > 1);
  }
  if (!(await tf.setBackend(asked.backend !== 'cpu' ? 'webgpu' : 'wasm'))) throw new Error('the backend does not start');
  await tf.ready();
  shape = asked.shape;
  const [steps, bytes] = await Promise.all([
    fetch(`${asked.data}steps.json`).then(answer => answer.json()),
    fetch(`${asked.data}steps.bin`).then(answer => answer.arrayBuffer()),
  ]);
  plan = steps;
  const tensor = at => {
    if (!at) return undefined;
    const length = at.shape.reduce((a, b) => a * b);
    return tf.tensor(new Float32Array(bytes, at.offset, length), at.shape);
  };
  for (const step of plan.steps) {
    for (const key of ['filter', 'bias', 'mean', 'variance', 'offset', 'scale', 'matrix']) step[key] = tensor(step[key]);
  }
};

// TensorFlow's name of a padding, where it has one.
const padding = (step, x) => {
  const pads = step.pads.slice(1, 3);
  if (pads.flat().every(pad => pad === 0)) return 'valid';
  const same = pads.every(([before, after], axis) => {
    const size = x.shape[axis + 1];
    const total = Math.max((Math.ceil(size / step.strides[axis]) - 1) * step.strides[axis] + step.kernel[axis] - size, 0);
    return before === Math.floor(total / 2) && after === total - before;
  });
  if (same) return 'same';
  return pads.flat().every(pad => pad === pads[0][0]) ? pads[0][0] : step.pads;
};

const OPS = {
  Conv: (step, [x]) => {
    const { filter, strides, bias, activation } = step;
    const asked = { x, filter, strides, pad: padding(step, x), bias, activation: activation ?? 'linear' };
    return step.depthwise ? tf.fused.depthwiseConv2d(asked) : tf.fused.conv2d(asked);
  },
  BatchNormalization: (step, [x]) => tf.batchNorm4d(x, step.mean, step.variance, step.offset, step.scale, step.epsilon),
  relu: (_, [x]) => tf.relu(x),
  relu6: (_, [x]) => tf.relu6(x),
  Add: (_, [a, b]) => tf.add(a, b),
  Concat: (_, all) => (all.length === 1 ? tf.clone(all[0]) : tf.concat(all, 3)),
  MaxPool: (step, [x]) => tf.maxPool(x, step.kernel, step.strides, padding(step, x)),
  AveragePool: (step, [x]) => tf.avgPool(x, step.kernel, step.strides, padding(step, x)),
  Sigmoid: (_, [x]) => tf.sigmoid(x),
  Mul: (_, [a, b]) => tf.mul(a, b),
  GlobalAveragePool: (_, [x]) => tf.mean(x, [1, 2], true),
  Flatten: (_, [x]) => tf.reshape(x, [x.shape[0], -1]),
  Gemm: (step, [x]) => tf.fused.matMul({ a: x, b: step.matrix, bias: step.bias }),
};

const score = async (values, count) => {
  const [channels, height, width] = shape;
  const logits = tf.tidy(() => {
    const planes = tf.tensor(values, [count, channels, height, width]);
    const tensors = { [plan.input]: tf.transpose(planes, [0, 2, 3, 1]) };
    for (const step of plan.steps) {
      tensors[step.output] = OPS[step.op](step, step.inputs.map(name => tensors[name]));
      for (const name of step.last_used) tensors[name].dispose();
    }
    return tensors[plan.output];
  });
  const read = await logits.data();
  logits.dispose();
  return Float32Array.from(read);
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
