// Diffusion, forwards as a chain of noise and back by a trained network, as diffusion.py computes
// it. A time t is a number from 0, the data, to T, the noise; between whole numbers log ᾱ is linear.

// `bars` has ᾱ_1 … ᾱ_T; `ask(x, t)` is what the network says, in the sense of `prediction`.
function chain(bars, prediction, ask) {
  const logs = [0, ...Array.from(bars, Math.log)];
  const last = logs.length - 1;

  const bar = (t) => {
    const i = Math.min(last - 1, Math.floor(t));
    return Math.exp(logs[i] + (t - i) * (logs[i + 1] - logs[i]));
  };

  // what is clean and what is noise, as the network sees them
  function guess(x, t) {
    const out = ask(x, t).slice();
    const [a, b] = [Math.sqrt(bar(t)), Math.sqrt(1 - bar(t))];
    const mix = (f) => x.map((v, i) => f(v, out[i]));
    if (prediction === "epsilon") return [mix((v, o) => (v - b * o) / a), out];
    if (prediction === "x0") return [out, mix((v, o) => (v - a * o) / b)];
    return [mix((v, o) => a * v - b * o), mix((v, o) => b * v + a * o)];
  }

  // From x at time t towards the noise z: where it is at a later time s.
  const forth = (x, t, z) => (s) => {
    const kept = bar(s) / bar(t);
    return x.map((v, i) => Math.sqrt(kept) * v + Math.sqrt(1 - kept) * z[i]);
  };

  // From x at time t to the data, adding noise z if given: where it is at an earlier s.
  function back(x, t, z) {
    const [clean, noise] = guess(x, t);
    return (s) => {
      const [a, b] = [bar(t), bar(s)];
      const variance = z ? ((1 - b) / (1 - a)) * (1 - a / b) : 0;
      const rest = Math.sqrt(Math.max(0, 1 - b - variance));
      const extra = Math.sqrt(variance);
      return x.map((_, i) => Math.sqrt(b) * clean[i] + rest * noise[i] + (z ? extra * z[i] : 0));
    };
  }

  return { last, bar, guess, forth, back };
}

// A diffusion of points of the plane; `model` is a widget's.
function diffusion(model) {
  const run = network(model.get("layers"), model.get("weights"));
  const frequencies = numbers(model.get("frequencies"), Float32Array); // (F, 3)
  const bars = numbers(model.get("alpha_bars"), Float64Array);

  // (N, 2) to (N, 3 + 2F)
  function features(x, t) {
    const width = 3 + (2 * frequencies.length) / 3;
    const found = new Float32Array((x.length / 2) * width);
    for (let n = 0; n < x.length / 2; n++) {
      const u = [x[2 * n], x[2 * n + 1], t / bars.length];
      found.set(u, n * width);
      for (let f = 0, k = n * width + 3; f < frequencies.length; f += 3, k++) {
        const phase = u[0] * frequencies[f] + u[1] * frequencies[f + 1] + u[2] * frequencies[f + 2];
        found[k] = Math.sin(phase);
        found[k + frequencies.length / 3] = Math.cos(phase);
      }
    }
    return found;
  }

  const steps = chain(bars, model.get("prediction"), (x, t) => run(features(x, t)));
  const data = numbers(model.get("points"), Float32Array); // (N, 2)
  const centres = numbers(model.get("centres"), Float32Array); // (K, 2)
  return { ...steps, features, data, centres, scale: model.get("scale") };
}

// The times at which the network is asked, and 0.
const timesBack = (steps, last) =>
  Array.from({ length: steps }, (_, i) => Math.floor((i * last) / steps + 0.5));

// Of every point, (N, 2), the nearest centre, of (K, 2), and how far it is.
function toNearest(points, centres) {
  const distance = new Float64Array(points.length / 2).fill(Infinity);
  const centre = new Int32Array(points.length / 2);
  for (let n = 0; n < points.length; n += 2) {
    for (let k = 0; k < centres.length; k += 2) {
      const far = Math.hypot(points[n] - centres[k], points[n + 1] - centres[k + 1]);
      if (far < distance[n / 2]) [distance[n / 2], centre[n / 2]] = [far, k / 2];
    }
  }
  return { distance, centre };
}
