// Reads a file that someone chooses, and lists the scores. `?models=` says where the models are.

import { Sightline } from 'sightline';

const by = id => document.getElementById(id);
const models = new URLSearchParams(location.search).get('models') ?? undefined;
const status = text => {
  by('status').textContent = text;
};
const onprogress = ({ step, done, total }) => status(total ? `${step}: ${Math.round((100 * done) / total)} %` : step);

try {
  const sightline = await Sightline.load({ models, device: 'cpu', onprogress });
  status('ready');
  let reading;
  by('stop').addEventListener('click', () => reading?.abort());
  by('file').addEventListener('change', async event => {
    reading?.abort();
    reading = new AbortController();
    try {
      const report = await sightline.read(event.target.files[0], { signal: reading.signal, onprogress });
      const scored = report.findings.filter(finding => finding.trained);
      scored.sort((a, b) => b.probability - a.probability);
      by('scores').replaceChildren(
        ...scored.map(({ name, probability }) => {
          const row = document.createElement('tr');
          row.append(...[name, probability.toFixed(3)].map(text => Object.assign(document.createElement('td'), { textContent: text })));
          row.dataset.score = probability;
          return row;
        })
      );
      status('done');
    } catch (error) {
      status(error.name === 'AbortError' ? 'stopped' : error.message);
    }
  });
} catch (error) {
  status(error.message);
}
