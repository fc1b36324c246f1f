// A runtime in a worker of its own, asked by messages.

export class Peer {
  constructor(script, options) {
    this.script = script;
    this.options = options;
  }

  ask(message, moved = []) {
    return new Promise((resolve, reject) => {
      this.worker.onerror = event => reject(new Error(event.message ?? 'the worker cannot be started'));
      this.worker.onmessage = ({ data }) => ('error' in data ? reject(new Error(data.error)) : resolve(data));
      this.worker.postMessage(message, moved);
    });
  }

  async load({ backend, cores, data, shape }) {
    this.worker = new Worker(new URL(this.script, import.meta.url), this.options);
    await this.ask({ load: { backend, cores, data: new URL(data, location.href).href, shape } });
  }

  async score(pictures) {
    const length = pictures[0].length;
    const start = performance.now();
    const values = new Float32Array(pictures.length * length);
    pictures.forEach((picture, i) => values.set(picture, i * length));
    const { logits } = await this.ask({ score: values, count: pictures.length }, [values.buffer]);
    const ms = performance.now() - start;
    const outputs = logits.length / pictures.length;
    return { ms, logits: pictures.map((_, i) => [...logits.subarray(i * outputs, (i + 1) * outputs)]) };
  }
}
