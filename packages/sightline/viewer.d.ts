import type { MarkedFromPage, Method } from './types.js';

type Said<T extends MarkedFromPage['type']> = CustomEvent<Extract<MarkedFromPage, { type: T }>>;

export interface SightlineViewerEvents {
  'sightline-ready': Said<'ready'>;
  'sightline-state': Said<'state'>;
  'sightline-report': Said<'report'>;
  'sightline-error': Said<'error'>;
}

/** The page in a frame. Its attributes: `src` (the page's address), `model`, `method`, `finding`, `device`, `lang`. */
export class SightlineViewer extends HTMLElement {
  open(file: File | Blob, name?: string): void;
  select(finding: string): void;
  explain(method: Method, options?: { samples?: number; seed?: number }): void;
  measure(): void;
  load(model: string): void;
  cancel(): void;

  addEventListener<K extends keyof SightlineViewerEvents>(
    type: K,
    listener: (event: SightlineViewerEvents[K]) => void,
    options?: boolean | AddEventListenerOptions
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'sightline-viewer': SightlineViewer;
  }
}
