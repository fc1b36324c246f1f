// <sightline-viewer>: the page in a frame, spoken to by its messages. It needs no other file of this package.

/** Attributes that the page's address has. Another value of one of these opens the page anew. */
const ADDRESS = ['model', 'method', 'finding', 'device', 'lang'];
const EVENTS = ['ready', 'state', 'report', 'error'];

export class SightlineViewer extends HTMLElement {
  static observedAttributes = ['src', ...ADDRESS];

  #frame;
  #origin;
  #ready = false;
  /** What is to be said once the page is there. */
  #waiting = [];
  #hear = event => {
    if (event.source !== this.#frame?.contentWindow || event.origin !== this.#origin) return;
    const { sightline, type } = event.data ?? {};
    if (sightline !== 1 || !EVENTS.includes(type)) return;
    if (type === 'ready') {
      this.#ready = true;
      for (const message of this.#waiting.splice(0)) this.#post(message);
    }
    this.dispatchEvent(new CustomEvent(`sightline-${type}`, { detail: event.data, bubbles: true, composed: true }));
  };

  connectedCallback() {
    addEventListener('message', this.#hear);
    this.#load();
  }

  disconnectedCallback() {
    removeEventListener('message', this.#hear);
    this.#frame?.remove();
    this.#frame = undefined;
  }

  attributeChangedCallback(_, before, now) {
    if (this.#frame && before !== now) this.#load();
  }

  open(file, name) {
    this.#say({ type: 'open', file, name });
  }

  select(finding) {
    this.#say({ type: 'select', finding });
  }

  explain(method, { samples, seed } = {}) {
    this.#say({ type: 'explain', method, samples, seed });
  }

  measure() {
    this.#say({ type: 'measure' });
  }

  load(model) {
    this.#say({ type: 'load', model });
  }

  cancel() {
    this.#say({ type: 'cancel' });
  }

  #load() {
    const src = this.getAttribute('src');
    this.#frame?.remove();
    this.#frame = undefined;
    if (src === null) return;
    const address = new URL(src, document.baseURI);
    address.searchParams.set('embed', '1');
    address.searchParams.set('origins', location.origin);
    for (const name of ADDRESS) {
      if (this.hasAttribute(name)) address.searchParams.set(name, this.getAttribute(name));
    }
    this.#origin = address.origin;
    this.#ready = false;
    this.#frame = document.createElement('iframe');
    this.#frame.title = this.getAttribute('title') ?? 'Sightline';
    this.#frame.allow = 'clipboard-write; cross-origin-isolated';
    // By its properties: a strict policy forbids inline styles.
    Object.assign(this.#frame.style, { border: '0', width: '100%', height: '100%' });
    if (getComputedStyle(this).display === 'inline') this.style.display = 'block';
    this.#frame.src = address.href;
    (this.shadowRoot ?? this.attachShadow({ mode: 'open' })).append(this.#frame);
  }

  #say(message) {
    if (this.#ready) this.#post(message);
    else this.#waiting.push(message);
  }

  #post(message) {
    const said = Object.entries({ sightline: 1, ...message }).filter(([, value]) => value !== undefined);
    this.#frame?.contentWindow.postMessage(Object.fromEntries(said), this.#origin);
  }
}

if (!customElements.get('sightline-viewer')) customElements.define('sightline-viewer', SightlineViewer);
