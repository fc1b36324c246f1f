// Starts the page's program. A file of its own, so that the content security policy needs no inline script.
try {
  const { default: init } = await import('./page.js');
  await init({ module_or_path: './page_bg.wasm' });
} catch (error) {
  document.body.textContent =
    'Sightline could not start. It needs a current browser (WebAssembly with SIMD); reload the page to try again. ' +
    `The browser said: ${error}`;
  throw error;
}
