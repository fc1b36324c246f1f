// A worker with one of the page's engines, started as app/wire starts it.

import { Read } from './borsh.js';

const HOME = new URL('/page/', location.href).href;

const program = (helper, name) => `
  self.home = ${JSON.stringify(HOME)};
  self.isHelper = ${helper};
  self.sightlineChannel = 'bench';
  addEventListener('unhandledrejection', event => postMessage('ended ' + event.reason));
  importScripts(new URL('${name}.js', self.home).href);
  wasm_bindgen({ module_or_path: new URL('${name}_bg.wasm', self.home).href }).catch(error => postMessage('failed ' + error));
`;

export class Engine {
  // `heard` takes each answer, and `failed` why there will be none.
  async start(helper, name) {
    const address = URL.createObjectURL(new Blob([program(helper, name)], { type: 'text/javascript' }));
    this.worker = new Worker(address);
    await new Promise((resolve, reject) => {
      this.failed = reject;
      this.worker.onerror = event => this.failed(new Error(event.message));
      this.worker.onmessage = ({ data }) => {
        if (typeof data !== 'string') this.heard(new Read(data[0]));
        else if (data.startsWith('ready ')) resolve();
        else this.failed(new Error(data));
      };
    });
  }

  post(bytes, file) {
    this.worker.postMessage([bytes, file], [bytes.buffer]);
  }

  // Waits for the answer of which `wanted` makes something other than undefined.
  until(wanted) {
    return new Promise((resolve, reject) => {
      this.failed = reject;
      this.heard = answer => {
        try {
          const value = wanted(answer);
          if (value !== undefined) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
    });
  }
}

const logOdds = probability => Math.log(probability / (1 - probability));

// The logit behind a calibrated probability; null where the probability has too few digits to tell.
export const logit = (probability, { trained, calibration }) => {
  if (!trained || probability === null) return null;
  if (probability < 1e-6 || probability > 1 - 1e-6) return null;
  if (calibration === null) return logOdds(probability);
  if (calibration.method !== 'platt') throw new Error(`the calibration ${calibration.method} is not written here`);
  return (logOdds(probability) - calibration.offset) / calibration.scale;
};

export const folder = known => [known.package, `models/${known.package}`];
