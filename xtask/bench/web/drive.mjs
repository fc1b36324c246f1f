// Measures the page's engine and its peers in Chromium, in turns: node drive.mjs CONFIG. The configuration is written by `cargo xtask bench web`.

import { spawn } from 'node:child_process';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const CONTENDERS = config.contenders;
const BATCHES = config.batches.map(Number);
// Between two words on something that takes long.
const TOLD_EVERY_MS = 20_000;
const IDLE_MS = 1000;
// A browser that nobody asks anything takes this part of a core at most.
const IDLE = 0.1;
// Before a batch is timed: V8 compiles what runs often once more.
const WARM_UP_RUNS = 3;
const WARM_UP_MS = 3000;

// Folders by the first part of an address.
const FOLDERS = { bench: config.bench, page: config.dist, npm: config.npm, data: config.data };
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

const asked = new Map(); // files since the last `asked.clear()`, by address

const server = http.createServer((request, response) => {
  const [, first, ...rest] = decodeURIComponent(new URL(request.url, 'http://here').pathname).split('/');
  const path = normalize(`/${rest.join('/')}`);
  const added = first === 'page' && rest[0] === 'models' && config.packages[rest[1]];
  const file = added ? join(added, normalize(`/${rest.slice(2).join('/')}`)) : first in FOLDERS && join(FOLDERS[first], path);
  // Threads need a page that is isolated; every load is a first one.
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Cache-Control', 'no-store');
  if (!file || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  asked.set(`${first}/${rest.join('/')}`, file);
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Length': statSync(file).size });
  createReadStream(file).pipe(response);
});
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
const home = `http://127.0.0.1:${server.address().port}`;

// `fetch` gives up after five minutes, which a software adapter may take.
const ask = (port, method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers: { 'Content-Type': 'application/json' } }, answer => {
      const parts = [];
      answer.on('data', part => parts.push(part));
      answer.on('end', () => {
        const { value } = JSON.parse(Buffer.concat(parts).toString());
        if (value?.error) reject(new Error(`${value.error}: ${value.message}`));
        else resolve(value);
      });
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });

const cpus = (() => {
  const allowed = readFileSync('/proc/self/status', 'utf8').match(/Cpus_allowed_list:\s*(\S+)/)[1];
  return allowed.split(',').flatMap(range => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
})();

const open = new Set(); // browsers

// A driver that is asked to end ends its browser too.
const end = () => {
  for (const browser of open) browser.driver.kill();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    end();
    process.exit(1);
  });
}
process.on('exit', end);

class Browser {
  async drive(cores) {
    const bound = ['-c', cpus.slice(0, cores).join(','), config.chromedriver, '--port=0'];
    this.driver = spawn('taskset', bound, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.port = await new Promise((resolve, reject) => {
      this.driver.on('error', reject);
      this.driver.on('exit', () => reject(new Error('chromedriver ended')));
      let said = '';
      this.driver.stdout.on('data', part => {
        said += part;
        const port = said.match(/started successfully on port (\d+)/);
        if (port) resolve(Number(port[1]));
      });
    });
  }

  static async start({ backend, cores }) {
    const browser = new Browser();
    open.add(browser);
    // The driver was seen to end as it starts.
    for (let tries = 3; browser.port === undefined; tries -= 1) {
      try {
        await browser.drive(cores);
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
    const off = 'OptimizationHints,MediaRouter,Translate';
    const webgpu = {
      webgpu: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--use-vulkan=swiftshader'],
      // The machine's own graphics card, which Chromium on Linux uses only if it is told to.
      card: ['--enable-unsafe-webgpu', '--ignore-gpu-blocklist', '--enable-features=Vulkan', '--use-angle=vulkan', '--disable-vulkan-surface'],
    }[backend];
    const args = ['--headless=new', '--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    args.push(...(webgpu ? [...webgpu, `--disable-features=${off}`] : [`--disable-features=${off},WebGPU,WebGPUService`]));
    const session = await ask(browser.port, 'POST', '/session', {
      capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { args }, timeouts: { script: config.limit_ms } } },
    });
    browser.path = `/session/${session.sessionId}`;
    browser.version = session.capabilities.browserVersion;
    return browser;
  }

  async open() {
    await ask(this.port, 'POST', `${this.path}/url`, { url: `${home}/bench/index.html` });
    const start = Date.now();
    while (!(await ask(this.port, 'POST', `${this.path}/execute/sync`, { script: 'return window.there === true', args: [] }))) {
      if (Date.now() - start > 30_000) throw new Error('the bench page does not start');
      await pause(50);
    }
  }

  async call(name, argument) {
    const script = `const [name, argument, done] = arguments;
      window[name](argument).then(value => done({ value: value ?? null }), error => done({ error: String(error?.stack ?? error) }));`;
    const start = Date.now();
    const slow = setInterval(() => console.log(`  ${this.who}: ${name} has taken ${Math.round((Date.now() - start) / 1000)} s`), TOLD_EVERY_MS);
    const asked = ask(this.port, 'POST', `${this.path}/execute/async`, { script, args: [name, argument ?? null] });
    const { value, error } = await asked.finally(() => clearInterval(slow));
    if (error) throw new Error(error);
    return value;
  }

  // What this browser's processes are, what they have held at most, in MB, and how long they have computed, in seconds.
  processes() {
    const all = new Map();
    for (const id of readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)) {
      try {
        const status = readFileSync(`/proc/${id}/status`, 'utf8');
        const field = name => Number(status.match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))?.[1] ?? 0);
        const times = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1].split(' ');
        const seconds = (Number(times[11]) + Number(times[12])) / 100;
        const kind = readFileSync(`/proc/${id}/cmdline`, 'utf8').match(/--type=([a-z-]+)/)?.[1];
        all.set(id, { parent: field('PPid'), held: field('VmHWM') / 1024, seconds, kind });
      } catch {
        // It ended.
      }
    }
    const own = id => id === this.driver.pid || (all.has(id) && own(all.get(id).parent));
    return [...all].filter(([id]) => own(id)).map(([, process]) => process);
  }

  // The most that the largest process of a kind has held, in MB.
  peak(kind) {
    return Math.round(Math.max(0, ...this.processes().filter(process => process.kind === kind).map(process => process.held)));
  }

  // How many cores it keeps busy while nobody asks it anything: that would slow the others.
  async idle() {
    const seconds = () => this.processes().reduce((sum, process) => sum + process.seconds, 0);
    await pause(IDLE_MS);
    const [start, before] = [Date.now(), seconds()];
    await pause(IDLE_MS);
    return (1000 * (seconds() - before)) / (Date.now() - start);
  }

  async close() {
    open.delete(this);
    this.driver.removeAllListeners('exit');
    await ask(this.port, 'DELETE', this.path).catch(() => {});
    this.driver.kill();
  }
}

const turned = (list, by) => list.map((_, i) => list[(i + by) % list.length]);

const prepared = async (which, who) => {
  const browser = await Browser.start(which);
  browser.who = who;
  await browser.open();
  await browser.call('prepare', { who, backend: which.backend, cores: which.cores, data: `/data/${which.package}/` });
  return browser;
};

// What a visitor loads beside the network: files and their sizes.
const programs = () => {
  const files = [...asked].filter(([address]) => /^npm\//.test(address) || /^page\/(engine|threads)/.test(address));
  const sizes = files.map(([address, file]) => [address, statSync(file).size, gzipSync(readFileSync(file), { level: 9 }).length]);
  const sum = (which, at) => sizes.filter(([address]) => which(address)).reduce((total, size) => total + size[at], 0);
  const wasm = address => address.endsWith('.wasm');
  const all = () => true;
  return { files: sizes.map(([address]) => address), wasm: sum(wasm, 1), wasm_gzipped: sum(wasm, 2), all: sum(all, 1), all_gzipped: sum(all, 2) };
};

// All contenders on one network, backend and number of cores, in turns.
const measure = async which => {
  const results = Object.fromEntries(CONTENDERS.map(who => [who, { load: [], first: [], batches: {}, difference: null }]));
  const load = [os.loadavg()[0]];
  const browsers = {};
  const failed = (who, error) => {
    console.log(`  ${who} failed: ${error.message.split('\n')[0]}`);
    results[who].failed = error.message;
  };
  const able = () => CONTENDERS.filter(who => !results[who].failed);
  try {
    for (let round = 0; round < which.rounds; round += 1) {
      for (const who of turned(able(), round)) {
        const browser = (browsers[who] = await prepared(which, who));
        try {
          asked.clear();
          results[who].load.push(await browser.call('load'));
          results[who].programs ??= programs();
          results[who].first.push(await browser.call('first'));
        } catch (error) {
          failed(who, error);
        }
        if (round + 1 < which.rounds || results[who].failed) {
          await browser.close();
          delete browsers[who];
        }
      }
    }
    for (const who of able()) {
      results[who].peak_one_reading = browsers[who].peak('renderer');
      try {
        await browsers[who].call('ready');
      } catch (error) {
        failed(who, error);
      }
    }
    for (const batch of BATCHES) {
      for (const who of able()) {
        const start = Date.now();
        try {
          for (let run = 0; run < WARM_UP_RUNS || Date.now() - start < WARM_UP_MS; run += 1) {
            await browsers[who].call('score', batch);
            // What takes so long is compiled by then.
            if (Date.now() - start > 4 * WARM_UP_MS) break;
          }
        } catch (error) {
          failed(who, error);
        }
      }
      for (const who of able()) {
        const busy = await browsers[who].idle();
        results[who].busy_when_idle = Math.max(busy, results[who].busy_when_idle ?? 0);
        if (busy > IDLE) console.log(`  ${who} keeps ${busy.toFixed(2)} cores busy while it is asked nothing`);
      }
      for (let round = 0; round < which.rounds; round += 1) {
        for (const who of turned(able(), round)) {
          const { ms, difference } = await browsers[who].call('score', batch);
          (results[who].batches[batch] ??= []).push(ms);
          // Null where no logits are known: then there was nothing to compare.
          if (difference !== null) results[who].difference = Math.max(results[who].difference ?? 0, difference);
        }
      }
    }
    for (const who of able()) {
      results[who].peak = browsers[who].peak('renderer');
      results[who].peak_gpu_process = browsers[who].peak('gpu-process');
      results[who].chromium = browsers[who].version;
    }
  } finally {
    for (const browser of Object.values(browsers)) await browser.close();
  }
  load.push(os.loadavg()[0]);
  return { ...which, load, results };
};

const said = values => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? `${sorted[sorted.length >> 1].toFixed(0)} ms` : '-';
};

// The graphics card that the browser offers; null where there is none.
const cardOf = async which => {
  const browser = await Browser.start(which);
  try {
    await browser.open();
    return await browser.call('card');
  } finally {
    await browser.close();
  }
};

const cases = [];
try {
  for (const which of config.cases) {
    console.log(`${which.package}, ${which.backend}, ${which.cores} of ${cpus.length} cores, ${which.rounds} rounds`);
    if (which.cores > cpus.length) {
      console.log('  there are not so many');
      continue;
    }
    const card = which.backend === 'card' ? await cardOf(which) : undefined;
    if (card === null) {
      console.log('  there is none');
      continue;
    }
    const measured = { ...(await measure(which)), card };
    cases.push(measured);
    for (const [who, result] of Object.entries(measured.results)) {
      const batches = Object.entries(result.batches).map(([batch, times]) => `batch ${batch} ${said(times)}`);
      console.log(
        `  ${who}: load ${said(result.load)}, first ${said(result.first)}, ${batches.join(', ')}, ` +
          `logits off by ${result.difference?.toExponential(1) ?? '?'}, peak ${result.peak ?? '?'} MB`,
      );
    }
    // Written after each case: a later one may fail.
    const about = { cpu: os.cpus()[0].model, cpus: cpus.length, memory_mb: Math.round(os.totalmem() / 2 ** 20), versions: config.versions };
    writeFileSync(config.out, `${JSON.stringify({ about, cases }, null, 1)}\n`);
  }
} finally {
  server.close();
  server.closeAllConnections();
}
