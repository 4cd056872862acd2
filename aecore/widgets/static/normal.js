// Normal numbers and normal densities.

// ---- random numbers: draws.py draws the same

// A small generator of numbers in [0, 1), by 32-bit arithmetic alone.
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let r = Math.imul(state ^ (state >>> 15), state | 1);
    r ^= r + Math.imul(r ^ (r >>> 7), r | 61);
    return ((r ^ (r >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Standard normal numbers, each from two uniform ones as Box and Muller make it.
function normals(seed, count) {
  const random = mulberry32(seed);
  const [first, second] = [0, 1].map(() => Array.from({ length: count }, random));
  return first.map((u, i) => Math.sqrt(-2 * Math.log1p(-u)) * Math.cos(2 * Math.PI * second[i]));
}

// ---- densities

const normalDensity = (z, mu, sigma) =>
  Math.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI));

// log(q(z) / p(z))
const logRatio = (z, mu, sigma) => 0.5 * z ** 2 - 0.5 * ((z - mu) / sigma) ** 2 - Math.log(sigma);

function divergences(mu, sigma) {
  const mean = mu ** 2 / 2;
  const width = (sigma ** 2 - 1 - 2 * Math.log(sigma)) / 2;
  const reverse = ((1 + mu ** 2) / sigma ** 2 - 1 + 2 * Math.log(sigma)) / 2;
  return { mean, width, forward: mean + width, reverse };
}

// The area of q log(q/p) where it is above zero, by the midpoint rule out to nine σ.
function positivePart(mu, sigma) {
  const step = 0.005;
  let area = 0;
  for (let e = -9 + step / 2; e < 9; e += step) {
    area += step * normalDensity(e, 0, 1) * Math.max(0, logRatio(mu + sigma * e, mu, sigma));
  }
  return area;
}

// Places on an axis from -span to span, closer where a narrow density needs them.
function placesFor(mu, sigma, span) {
  const even = (low, high, count) =>
    Array.from({ length: count + 1 }, (_, i) => low + (i / count) * (high - low));
  return [...even(-span, span, 400), ...even(mu - 5 * sigma, mu + 5 * sigma, 160)]
    .filter((z) => Math.abs(z) <= span)
    .sort((a, b) => a - b);
}
