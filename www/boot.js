// Starts the page's program. A file of its own, so that the content security policy needs no inline script.

// What is said while the page's program is not there to say it, in the page's languages. `language.rs` has the rule by which one is chosen.
const TEXTS = {
  en: {
    ended:
      'This page stopped: most likely it ran out of memory. Close other tabs, then reload it. What was not saved is lost; nothing was sent.',
    reload: 'Reload the page',
    failed: 'Sightline could not start. It needs a current browser (WebAssembly with SIMD); reload the page to try again.',
    browser: 'The browser said:',
  },
  de: {
    ended:
      'Diese Seite wurde beendet, wahrscheinlich aus Speichermangel. Schließen Sie andere Tabs und laden Sie sie neu. Nicht Gespeichertes ging verloren; nichts wurde gesendet.',
    reload: 'Seite neu laden',
    failed:
      'Sightline konnte nicht starten. Gebraucht wird ein aktueller Browser (WebAssembly mit SIMD); laden Sie die Seite neu, um es erneut zu versuchen.',
    browser: 'Der Browser meldet:',
  },
};
const kept = () => {
  try {
    return localStorage.getItem('sightline-language');
  } catch {
    return null;
  }
};
const named = name => TEXTS[name?.split('-')[0]];
const asked = new URLSearchParams(location.search).get('lang');
const atFirst = named(asked) ?? named(kept()) ?? named(navigator.language) ?? TEXTS.en;

let runs = false;

// A trap ends the program: it ran out of memory, or has a bug. What it shows stays, and does nothing any more.
const ended = reason => {
  if (!runs || !(reason instanceof WebAssembly.RuntimeError)) return;
  runs = false;
  // One that is open would keep the button below from being pressed.
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  for (const part of document.body.children) part.inert = true;
  const texts = named(document.documentElement.lang) ?? TEXTS.en;
  const said = document.createElement('p');
  said.textContent = `${texts.ended} ${texts.browser} ${reason.message}.`;
  const reload = document.createElement('button');
  reload.type = 'button';
  reload.textContent = texts.reload;
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
  document.body.textContent = `${atFirst.failed} ${atFirst.browser} ${error}`;
  throw error;
}
