// Starts the page's program. A file of its own, so that the content security policy needs no inline script.
import init from './page.js';

await init({ module_or_path: './page_bg.wasm' });
