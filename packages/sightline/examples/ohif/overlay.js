// A map over a viewport, as an extension of OHIF or another viewer on Cornerstone would draw it. Nothing of OHIF is needed to run it: the
// image has the names that Cornerstone's images have.

import { Sightline } from 'sightline';

/** What Sightline reads of an image of Cornerstone (`cache.getImage(imageId)`) in the window of its viewport (`getProperties().voiRange`). */
export function samplesOf(image, { lower, upper }) {
  return {
    width: image.columns,
    height: image.rows,
    samples: image.getPixelData(),
    // Cornerstone's range ends with the last grey; DICOM's width counts it.
    window: { center: (lower + upper + 1) / 2, width: upper - lower + 1 },
    slope: image.slope,
    intercept: image.intercept,
    inverted: image.invert,
  };
}

/** Draws the evidence for a finding, from none to the most, into a canvas that lies over the viewport. */
export function drawMap(canvas, { width, height, values, region }) {
  const cells = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  const most = Math.max(...values, 1e-6);
  values.forEach((value, at) => {
    const share = Math.max(0, value / most);
    pixels.data.set([255, 140, 0, Math.round(180 * share)], 4 * at);
  });
  cells.getContext('2d').putImageData(pixels, 0, 0);
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(
    cells,
    region.x * canvas.width,
    region.y * canvas.height,
    region.width * canvas.width,
    region.height * canvas.height
  );
}

/** Reads the image of a viewport and draws over it; gives the report. */
export async function overlay(canvas, image, range, { finding, signal, ...options }) {
  const sightline = await Sightline.load({ ...options, signal });
  try {
    const report = await sightline.read(samplesOf(image, range), { signal, file: image.imageId });
    const [highest] = report.findings.filter(one => one.trained).sort((a, b) => b.probability - a.probability);
    const { maps } = await sightline.explain({ method: 'grad-cam', finding: finding ?? highest.name, signal });
    drawMap(canvas, maps[0]);
    return report;
  } finally {
    sightline.close();
  }
}
