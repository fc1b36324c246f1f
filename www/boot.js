// Starts the page's program. A file of its own, so that the content security policy needs no inline script.

let runs = false;

// A trap ends the program: it ran out of memory, or has a bug. What it shows stays, and does nothing any more.
const ended = reason => {
  if (!runs || !(reason instanceof WebAssembly.RuntimeError)) return;
  runs = false;
  // One that is open would keep the button below from being pressed.
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  for (const part of document.body.children) part.inert = true;
  const said = document.createElement('p');
  said.textContent =
    'This page stopped: most likely it ran out of memory. Close other tabs, then reload it. What was not saved is lost; nothing was sent. ' +
    `The browser said: ${reason.message}.`;
  const reload = document.createElement('button');
  reload.type = 'button';
  reload.textContent = 'Reload the page';
  reload.addEventListener('click', () => location.reload());
  const alert = document.createElement('div');
  alert.className = 'problem ended';
  alert.setAttribute('role', 'alert');
  alert.setAttribute('data-testid', 'page-ended');
  alert.append(said, reload);
  document.body.prepend(alert);
};
addEventListener('error', event => ended(event.error));
addEventListener('unhandledrejection', event => ended(event.reason));

try {
  const { default: init } = await import('./page.js');
  await init({ module_or_path: './page_bg.wasm' });
  runs = true;
} catch (error) {
  document.body.textContent =
    'Sightline could not start. It needs a current browser (WebAssembly with SIMD); reload the page to try again. ' +
    `The browser said: ${error}`;
  throw error;
}
