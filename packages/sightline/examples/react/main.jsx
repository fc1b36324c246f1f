// A component that reads a file and shows the highest score. Bundle it: `esbuild main.jsx --bundle --format=esm --outfile=main.js`.

import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Sightline } from 'sightline';

function useSightline(options) {
  const [state, setState] = useState({});
  useEffect(() => {
    const loading = new AbortController();
    let loaded;
    Sightline.load({ ...options, signal: loading.signal }).then(
      sightline => {
        loaded = sightline;
        setState({ sightline });
      },
      error => loading.signal.aborted || setState({ error })
    );
    return () => {
      loading.abort();
      loaded?.close();
    };
  }, [options]);
  return state;
}

function Highest({ options }) {
  const { sightline, error } = useSightline(options);
  const [said, setSaid] = useState('');
  const read = async event => {
    try {
      const { findings } = await sightline.read(event.target.files[0]);
      const [highest] = findings.filter(finding => finding.trained).sort((a, b) => b.probability - a.probability);
      setSaid(`${highest.name}: ${highest.probability}`);
    } catch (problem) {
      setSaid(problem.message);
    }
  };
  return (
    <main>
      <label>
        A chest X-ray: <input id="file" type="file" disabled={!sightline} onChange={read} />
      </label>
      <p id="status" role="status">
        {error?.message ?? (sightline ? said || 'ready' : 'loading')}
      </p>
      <p>For research and teaching. Not a medical device.</p>
    </main>
  );
}

const asked = new URLSearchParams(location.search);
const options = { base: asked.get('base'), models: asked.get('models'), device: 'cpu' };
createRoot(document.getElementById('root')).render(<Highest options={options} />);
