// Runs the networks that packing.py packs. A layer kind is one entry in LAYERS: from its
// description and a reader of tensors to a function from activations to activations.

const LAYERS = {
  linear({ inputs, outputs, weight, bias }, read) {
    const w = read(weight); // (outputs, inputs)
    const b = bias ? read(bias) : new Float32Array(outputs);
    const y = new Float32Array(outputs);
    return (x) => {
      for (let row = 0, k = 0; row < outputs; row++) {
        let sum = b[row];
        for (let i = 0; i < inputs; i++) sum += w[k++] * x[i];
        y[row] = sum;
      }
      return y;
    };
  },
  relu: () => elementwise((v) => Math.max(v, 0)),
  sigmoid: () => elementwise((v) => 1 / (1 + Math.exp(-v))),
  silu: () => elementwise((v) => v / (1 + Math.exp(-v))),
  softplus: () => elementwise((v) => (v > 20 ? v : Math.log1p(Math.exp(v)))),
  tanh: () => elementwise(Math.tanh),
};

// in place: every buffer belongs to this network, the input was copied
function elementwise(f) {
  return (x) => {
    for (let i = 0; i < x.length; i++) x[i] = f(x[i]);
    return x;
  };
}

// layers: JSON; bytes: DataView. Returns a function from numbers to a Float32Array, which is
// overwritten by the next call.
function network(layers, bytes) {
  const steps = layers.map((layer) => {
    if (!(layer.kind in LAYERS)) throw new Error(`unknown layer kind ${layer.kind}`);
    return LAYERS[layer.kind](layer, (entry) => readTensor(entry, bytes));
  });
  return (input) => steps.reduce((x, step) => step(x), Float32Array.from(input));
}

function readTensor({ shape, dtype, offset, scales }, bytes) {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = new Float32Array(count);
  if (dtype === "float16") {
    for (let i = 0; i < count; i++) values[i] = half(bytes.getUint16(offset + 2 * i, true));
  } else {
    const width = count / shape[0];
    for (let i = 0; i < count; i++) {
      const scale = bytes.getFloat32(scales + 4 * Math.floor(i / width), true);
      values[i] = bytes.getInt8(offset + i) * scale;
    }
  }
  return values;
}

const POWERS = Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  // below the smallest exponent there is no leading one
  return sign * (exponent ? (1024 + fraction) * POWERS[exponent] : fraction * POWERS[1]);
}
