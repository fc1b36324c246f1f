// Keeps the page, its engine and the models used on this machine, so that they read without network. It asks the page's own server only,
// and sends nothing.

// This build's files with the SHA-256 of each: `cargo xtask shrink` writes them here. Without them nothing is kept.
const BUILD = null;

const HOME = self.registration.scope;
// Another folder of the same server may have a Sightline too.
const OWN = `sightline ${HOME} `;
const PROGRAMS = OWN + BUILD?.name;
const MODELS = `${OWN}models`;

// What may change without a new build: the server is asked first. Weights are not among them: the engine keeps those by itself.
const LATEST = /^(samples|cases)\/|(^|\/)(index|manifest)\.json$|\/card\.md$|^models\/.*\.(svg|png|jpe?g)$/;
// The engine's programs: which one a browser needs depends on its graphics card. The page says which.
const ENGINE = /^engine/;
// How long the server may take where there is a kept answer, in milliseconds; once it was silent, it is not waited for again.
const PATIENCE = 4000;
const IMPATIENCE = 300;
let patience = PATIENCE;

// What happened before the page could hear: it is told when the page asks for something.
const later = [];

// Files whose kept copies were found to be whole since this worker started.
const whole = new Set();

// Files that the server was found to have of another build since then.
const strange = new Set();

addEventListener('install', event => event.waitUntil(install()));
addEventListener('activate', event => event.waitUntil(activate()));
addEventListener('message', event => {
  const [what, ...rest] = event.data;
  if (what === 'take over') skipWaiting();
  if (what === 'keep') event.waitUntil(keep(...rest));
});
addEventListener('fetch', event => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.location.origin + '/')) return;
  const name = named(request.url);
  // The latest first: samples are in the build's table too, so that they are there before anybody opens one.
  if (LATEST.test(name)) event.respondWith(latest(event));
  else if (name in BUILD.files) event.respondWith(program(name, request).then(name === 'index.html' ? isolated : response => response));
});

// The page with the headers that make it cross-origin isolated, whether its server sends them or not: only then may threads share memory.
function isolated(response) {
  // Redirections and errors are the browser's to show.
  if (response.type === 'opaqueredirect' || response.type === 'error') return response;
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return new Response(response.body, { status, statusText, headers });
}

// The address relative to the page; the page itself is index.html.
function named(url) {
  const { origin, pathname } = new URL(url);
  const path = origin + pathname;
  return path.startsWith(HOME) ? path.slice(HOME.length) || 'index.html' : pathname;
}

// Servers send some visitors of index.html to the folder: it is asked for as visitors do.
const address = name => new URL(name === 'index.html' ? './' : name, HOME).href;

// Says something to every page of this folder.
async function tell(...message) {
  for (const page of await clients.matchAll({ type: 'window', includeUncontrolled: true })) {
    if (page.url.startsWith(HOME)) page.postMessage(message);
  }
}

// Keeps all files of this build: every one, of this build, or the worker is not installed. Of the engine's programs those that were kept before.
async function install() {
  try {
    if (!BUILD) throw new Error('this copy of Sightline was built without the list of its files');
    const cache = await caches.open(PROGRAMS);
    // At the first visit, the browser has just loaded the files and has them still. Later ones may be of the build before.
    const mode = self.registration.active ? 'no-cache' : 'force-cache';
    for (const name in BUILD.files) {
      if (!ENGINE.test(name) || (await kept(name))) await copy(name, cache, mode);
    }
  } catch (error) {
    if (error.name === 'QuotaExceededError') await caches.delete(PROGRAMS);
    // The build before stays, and goes on.
    if (self.registration.active) await tell('note', `A newer version cannot be kept: ${said(error)}.`);
    else await tell('not kept', said(error));
    throw error;
  }
}

function said(error) {
  if (error.name === 'QuotaExceededError') return 'the storage that the browser gives this page is full';
  return error.message;
}

// Whether a file of this name is kept, of any build.
async function kept(name) {
  for (const key of await caches.keys()) {
    if (key.startsWith(OWN) && (await (await caches.open(key)).match(address(name)))) return true;
  }
  return false;
}

// Keeps a file of this build. One that was of another build is not asked for again while this worker runs.
async function copy(name, cache, mode) {
  if (await copied(name, cache)) return;
  const response = strange.has(name) ? undefined : await fetched(name, mode);
  if (!response) {
    strange.add(name);
    throw new Error(`${name} on the server is of another build than sw.js`);
  }
  await cache.put(address(name), response);
}

// Whether the file is kept already, of this build or an earlier one.
async function copied(name, cache) {
  for (const key of await caches.keys()) {
    if (!key.startsWith(OWN)) continue;
    const response = await (await caches.open(key)).match(address(name));
    if (response && (await is(name, response.clone()))) {
      if (key !== PROGRAMS) await cache.put(address(name), response);
      return true;
    }
  }
  return false;
}

// The file as the server has it, whole and of this build; undefined where it is another.
async function fetched(name, mode, say) {
  const response = await ask(address(name), mode, say);
  if (response.status !== 200 || !(await is(name, response.clone()))) return undefined;
  // Browsers refuse a page that came by a redirection, even if it is kept.
  return response.redirected ? new Response(response.body, response) : response;
}

async function is(name, response) {
  try {
    const hash = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
    const digits = Array.from(new Uint8Array(hash), byte => byte.toString(16).padStart(2, '0'));
    return digits.join('') === BUILD.files[name];
  } catch {
    // The copy on the disk cannot be read.
    return false;
  }
}

// Asks the server, and tells the page: what a worker asks is not among what the page sees of itself.
async function ask(url, mode, say = tell) {
  const at = performance.timeOrigin + performance.now();
  const silent = () => say('asked', url, at, -1, -1);
  const response = await fetch(url, { cache: mode }).catch(async error => {
    await silent();
    throw error;
  });
  const length = response.clone().arrayBuffer();
  const report = async () => {
    const { byteLength } = await length;
    const entry = performance.getEntriesByName(url, 'resource').at(-1);
    await say('asked', url, at, entry?.transferSize ?? -1, byteLength);
  };
  report().catch(silent);
  return response;
}

async function activate() {
  for (const key of await caches.keys()) {
    if (key.startsWith(OWN) && key !== PROGRAMS && key !== MODELS) await caches.delete(key);
  }
  await clients.claim();
}

// A file of this build from its copy. A damaged copy is replaced; the server's file is taken as it is where that cannot be.
async function program(name, request) {
  try {
    const cache = await caches.open(PROGRAMS);
    const response = await cache.match(address(name));
    if (response && (whole.has(name) || (await is(name, response.clone())))) {
      whole.add(name);
      return response;
    }
    const say = async (...message) => later.push(message);
    // An engine that was not needed before.
    const isNew = !response && ENGINE.test(name);
    const again = await fetched(name, isNew ? 'default' : 'no-cache', say);
    if (again) {
      if (!isNew) await say('note', `The copy of ${name} that was kept here was damaged or gone. It was fetched again.`);
      await cache.put(address(name), again.clone());
      return again;
    }
  } catch {
    // No storage, or no network: the browser says which.
  }
  return fetch(request);
}

// What the server has, or else what it had.
async function latest(event) {
  const { request } = event;
  const kept = async () => {
    const known = [await caches.open(MODELS), await caches.open(PROGRAMS)];
    for (const cache of known) {
      const response = await cache.match(request.url);
      if (response) return response;
    }
    return undefined;
  };
  // A full disk: it is asked for again next time.
  const put = async response => (await caches.open(MODELS)).put(request.url, response);
  let copying;
  const asked = ask(request.url, 'default').then(response => {
    patience = PATIENCE;
    if (response.status === 200) copying = put(response.clone()).catch(() => {});
    return response;
  });
  event.waitUntil(asked.then(() => copying, () => {}));
  const silent = new Promise(resolve => setTimeout(resolve, patience));
  const response = await Promise.race([asked, silent]).catch(() => undefined);
  if (response && response.status < 500) return response;
  if (!response) patience = IMPATIENCE;
  return (await kept().catch(() => undefined)) ?? asked;
}

// Keeps the engine's program and what the page needs of a model beside the weights, which the engine has kept, or has not; and tells which.
async function keep(weights, ...files) {
  for (const message of later.splice(0)) await tell(...message);
  try {
    const [cache, programs] = [await caches.open(MODELS), await caches.open(PROGRAMS)];
    for (const file of files) {
      if (ENGINE.test(file)) {
        if (!(await programs.match(address(file)))) await copy(file, programs, 'force-cache');
        continue;
      }
      const url = new URL(file, HOME).href;
      if (await cache.match(url)) continue;
      // The page or its engine has just loaded it.
      const response = await ask(url, 'force-cache');
      if (response.status !== 200) throw new Error(`the server answered ${response.status} for ${file}`);
      await cache.put(url, response);
    }
    if (!(await caches.match(new URL(weights, HOME).href))) {
      throw new Error("the storage that the browser gives this page has no room for the model's weights");
    }
    await clients.claim();
    await tell('kept', weights);
  } catch (error) {
    await tell('not kept', said(error));
  }
}
