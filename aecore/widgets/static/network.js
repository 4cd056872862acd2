// Runs the networks that packing.py packs.
//
//   const decode = network(layers, bytes);
//   const y = decode(x); // one example, or N of them one after the other: (N, inputs) to (N, outputs)
//
// Inside, N examples lie side by side: a layer reads and writes (features, N), with the example as
// the fastest index. An image is the features (C, H, W). So a linear layer is one matrix product,
// and a convolution is one on (C, H, W, N) with the places beside each other as columns.
//
// A layer kind is one entry in LAYERS: from its description and a reader of tensors to a function
// from activations and their number of examples to activations.

const LAYERS = {
  linear({ inputs, outputs, weight, bias }, read) {
    return multiplier(read(weight), bias ? read(bias) : new Float32Array(outputs), outputs, inputs);
  },

  // every patch under the kernel is a column; the weights (C', C kh kw) times these
  convolution(layer, read) {
    const { weight, bias, from, to } = layer;
    const collect = gather(landing(layer, to, from), from);
    const depth = from[0] * layer.kernel[0] * layer.kernel[1];
    const product = multiplier(read(weight), bias ? read(bias) : new Float32Array(to[0]), to[0], depth);
    const places = to[1] * to[2];
    return (x, count) => product(collect(x, count), places * count);
  },

  // every pixel becomes a patch, (C' kh kw, C) times its channels, and the patches are added
  transposed(layer, read) {
    const { weight, bias, from, to } = layer;
    const rows = to[0] * layer.kernel[0] * layer.kernel[1];
    const turned = transpose(read(weight), from[0], rows); // from (C, C' kh kw)
    const product = multiplier(turned, new Float32Array(rows), rows, from[0]);
    const add = scatter(landing(layer, from, to), to, bias ? read(bias) : new Float32Array(to[0]));
    const places = from[1] * from[2];
    return (x, count) => add(product(x, places * count), count);
  },

  // nearest neighbours: every pixel becomes a block of itself
  upsample({ from, to, factor: [down, right] }) {
    const source = Int32Array.from({ length: to[1] * to[2] }, (_, place) => {
      const [y, x] = [Math.floor(place / to[2]), place % to[2]];
      return Math.floor(y / down) * from[2] + Math.floor(x / right);
    });
    return gather(source, from);
  },

  // every factor² channels become one, each a pixel of its blocks: seen as one tall image, they
  // only change places
  shuffle({ from, to, factor }) {
    const source = Int32Array.from({ length: to[1] * to[2] }, (_, place) => {
      const [y, x] = [Math.floor(place / to[2]), place % to[2]];
      const channel = (y % factor) * factor + (x % factor);
      return (channel * from[1] + Math.floor(y / factor)) * from[2] + Math.floor(x / factor);
    });
    return gather(source, [to[0], factor * factor * from[1], from[2]]);
  },

  // a channel times its weight, plus its bias
  affine({ weight, bias }, read) {
    const [gain, shift] = [read(weight), read(bias)];
    return (x) => {
      const size = x.length / gain.length;
      for (let i = 0; i < x.length; i++) {
        const channel = Math.floor(i / size);
        x[i] = gain[channel] * x[i] + shift[channel];
      }
      return x;
    };
  },

  // (C, H, W) and as many features lie in memory alike
  unflatten: () => (x) => x,
  flatten: () => (x) => x,

  relu: () => elementwise((v) => Math.max(v, 0)),
  sigmoid: () => elementwise((v) => 1 / (1 + Math.exp(-v))),
  silu: () => elementwise((v) => v / (1 + Math.exp(-v))),
  softplus: () => elementwise((v) => (v > 20 ? v : Math.log1p(Math.exp(v)))),
  tanh: () => elementwise(Math.tanh),
};

// layers: JSON; bytes: DataView. Returns a function from numbers to a Float32Array, which is
// overwritten by the next call.
function network(layers, bytes) {
  const steps = layers.map((layer) => {
    if (!(layer.kind in LAYERS)) throw new Error(`unknown layer kind ${layer.kind}`);
    return LAYERS[layer.kind](layer, (entry) => readTensor(entry, bytes));
  });
  const { inputs } = layers.find((layer) => "inputs" in layer);
  return (input) => {
    const count = input.length / inputs;
    const x = transpose(input, count, inputs); // a copy: layers write over what they read
    const y = steps.reduce((before, step) => step(before, count), x);
    return transpose(y, y.length / count, count);
  };
}

// in place: every buffer belongs to this network
function elementwise(f) {
  return (x) => {
    for (let i = 0; i < x.length; i++) x[i] = f(x[i]);
    return x;
  };
}

// (rows, columns) to (columns, rows), into a new array
function transpose(x, rows, columns) {
  const turned = new Float32Array(rows * columns);
  if (rows === 1 || columns === 1) {
    turned.set(x);
    return turned;
  }
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = x[i++];
  }
  return turned;
}

// ---- convolutions: a kernel that steps over a fine grid rests at the places of a coarse one

// Where its taps land: for each tap (kh, kw) and each place of the coarse grid, a place of the
// fine one, or -1 beyond the edge. Of the grids, (C, H, W), C does not matter here.
function landing({ kernel, stride, padding }, [, height, width], [, tall, wide]) {
  const places = new Int32Array(kernel[0] * kernel[1] * height * width);
  let i = 0;
  for (let down = 0; down < kernel[0]; down++) {
    for (let right = 0; right < kernel[1]; right++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const y = row * stride[0] - padding[0] + down;
          const x = column * stride[1] - padding[1] + right;
          places[i++] = y >= 0 && y < tall && x >= 0 && x < wide ? y * wide + x : -1;
        }
      }
    }
  }
  return places;
}

// In each channel, what lies at `places`; zero beyond the edge.
function gather(places, [channels, height, width]) {
  let y = new Float32Array(0);
  return (x, count) => {
    const size = channels * places.length * count;
    if (y.length !== size) y = new Float32Array(size);
    for (let channel = 0, to = 0; channel < channels; channel++) {
      const start = channel * height * width;
      for (let i = 0; i < places.length; i++) {
        const place = places[i];
        if (count === 1) y[to++] = place < 0 ? 0 : x[start + place]; // the usual case, quickly
        else for (let n = 0; n < count; n++) y[to++] = place < 0 ? 0 : x[(start + place) * count + n];
      }
    }
    return y;
  };
}

// The other way round: each channel starts from its bias, and at `places` is added to.
function scatter(places, [channels, height, width], bias) {
  let y = new Float32Array(0);
  return (x, count) => {
    const size = height * width * count; // of a channel
    if (y.length !== channels * size) y = new Float32Array(channels * size);
    for (let channel = 0, from = 0; channel < channels; channel++) {
      y.fill(bias[channel], channel * size, (channel + 1) * size);
      const start = channel * height * width;
      for (let i = 0; i < places.length; i++, from += count) {
        const place = places[i];
        if (place < 0) continue;
        if (count === 1) y[start + place] += x[from];
        else for (let n = 0; n < count; n++) y[(start + place) * count + n] += x[from + n];
      }
    }
    return y;
  };
}

// ---- weights

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
