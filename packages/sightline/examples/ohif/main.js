// A viewport with a picture of 12 bits, and the map over it. `?image=` is a picture, of which 12 bits are made; `?models=` where models are.

import { overlay } from './overlay.js';

const asked = new URLSearchParams(location.search);
const by = id => document.getElementById(id);

/** An image with the names of Cornerstone's. */
async function image(address) {
  const bitmap = await createImageBitmap(await (await fetch(address)).blob());
  const canvas = by('image');
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const samples = Uint16Array.from({ length: bitmap.width * bitmap.height }, (_, at) => data[4 * at] * 16);
  return {
    imageId: 'viewport', columns: bitmap.width, rows: bitmap.height,
    slope: 1, intercept: 0, invert: false, getPixelData: () => samples,
  };
}

try {
  const shown = await image(asked.get('image'));
  const map = by('map');
  [map.width, map.height] = [shown.columns, shown.rows];
  const options = { models: asked.get('models') ?? undefined, finding: asked.get('finding') ?? undefined, device: 'cpu' };
  const report = await overlay(map, shown, { lower: 0, upper: 4080 }, options);
  window.report = report;
  by('status').textContent = 'read';
} catch (error) {
  by('status').textContent = error.message;
}
