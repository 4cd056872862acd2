// A matrix product for network.js: W x + b for many columns x at once, on four numbers at a time
// where the browser has WebAssembly with SIMD, else in plain JavaScript.
//
//   const product = multiplier(weights, bias, rows, depth); // (rows, depth), (rows,)
//   const y = product(x, columns); // (depth, columns) to (rows, columns), row after row
//
// The result is overwritten by the next call of the same product.

const TILE = [4, 8]; // rows and columns of the result that the machine's registers hold at once

function multiplier(weights, bias, rows, depth, simd = SIMD) {
  const plain = plainProduct(weights, bias, rows, depth);
  let fast = null; // made when it is first worth it
  return (x, columns) => {
    if (!simd || columns < TILE[1] / 2) return plain(x, columns);
    fast ??= simdProduct(simd, weights, bias, rows, depth);
    return fast(x, columns);
  };
}

// Four steps of the sum at a time: the result is read and written a quarter as often.
function plainProduct(weights, bias, rows, depth) {
  let y = new Float32Array(rows);
  return (x, columns) => {
    if (y.length !== rows * columns) y = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      const end = start + columns;
      y.fill(bias[row], start, end);
      let i = 0;
      let k = row * depth;
      for (; i + 4 <= depth; i += 4, k += 4) {
        const w0 = weights[k];
        const w1 = weights[k + 1];
        const w2 = weights[k + 2];
        const w3 = weights[k + 3];
        let x0 = i * columns;
        let x1 = x0 + columns;
        let x2 = x1 + columns;
        let x3 = x2 + columns;
        for (let j = start; j < end; j++) {
          y[j] += w0 * x[x0++] + w1 * x[x1++] + w2 * x[x2++] + w3 * x[x3++];
        }
      }
      for (; i < depth; i++, k++) {
        for (let j = start, x0 = i * columns; j < end; j++) y[j] += weights[k] * x[x0++];
      }
    }
    return y;
  };
}

// In the memory of the kernel: the weights in blocks of four rows, each a bias and then a column
// after the other; x in panels of eight columns, row after row; the result as it is returned, but
// with rows and columns rounded up to full tiles.
function simdProduct(module, weights, bias, rows, depth) {
  const { memory, run } = new WebAssembly.Instance(module).exports;
  const [high, wide] = TILE;
  const blocks = Math.ceil(rows / high);
  const packed = new Float32Array(blocks * high * (depth + 1));
  for (let row = 0; row < rows; row++) {
    const start = Math.floor(row / high) * high * (depth + 1) + (row % high);
    packed[start] = bias[row];
    for (let i = 0; i < depth; i++) packed[start + high * (i + 1)] = weights[row * depth + i];
  }
  let a, b, c;
  let known = 0; // panels that the memory is laid out for

  function layOut(panels) {
    const sizes = [packed.length, panels * depth * wide, blocks * high * panels * wide];
    const bytes = 4 * sizes.reduce((sum, size) => sum + size);
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536)); // pages
    let offset = 0;
    [a, b, c] = sizes.map((size) => {
      const part = new Float32Array(memory.buffer, offset, size);
      offset += 4 * size;
      return part;
    });
    a.set(packed);
    b.fill(0);
    known = panels;
  }

  return (x, columns) => {
    const panels = Math.ceil(columns / wide);
    if (panels !== known) layOut(panels);
    for (let panel = 0, to = 0; panel < panels; panel++) {
      const left = panel * wide;
      const count = Math.min(wide, columns - left);
      for (let i = 0, from = left; i < depth; i++, to += wide, from += columns) {
        if (count < wide) {
          for (let j = 0; j < count; j++) b[to + j] = x[from + j];
          continue;
        }
        b[to] = x[from]; // as a loop, this takes twice as long
        b[to + 1] = x[from + 1];
        b[to + 2] = x[from + 2];
        b[to + 3] = x[from + 3];
        b[to + 4] = x[from + 4];
        b[to + 5] = x[from + 5];
        b[to + 6] = x[from + 6];
        b[to + 7] = x[from + 7];
      }
    }
    run(a.byteOffset, b.byteOffset, c.byteOffset, blocks, depth, panels);
    const width = panels * wide;
    if (width === columns) return c.subarray(0, rows * columns);
    // the rows move together, over what was rounded up; each starts before where it was
    for (let row = 1; row < rows; row++) {
      c.copyWithin(row * columns, row * width, row * width + columns);
    }
    return c.subarray(0, rows * columns);
  };
}

// ---- the kernel, put together from its instructions: no compiler, no file of bytes

const SIMD = kernel();

// A WebAssembly module with a memory and run(a, b, c, blocks, depth, panels), or null where the
// browser refuses it. Of every tile of the result it keeps the sums in registers:
//
//   for each block of rows at a:
//     for each panel at b:
//       sums[row] = bias[row], of two times four columns
//       for each step of depth: sums[row] += a[row] * b
//       write the sums to c
function kernel() {
  // arguments, further whole numbers, and vectors of four floats, by their index
  const [a, b, c, blocks, depth, panels, width, from, at, panel, step] = Array.from({ length: 11 }, (_, i) => i);
  const [x0, x1, weight] = [11, 12, 13];
  const rows = Array.from({ length: TILE[0] }, (_, row) => ({ row, left: 14 + 2 * row, right: 15 + 2 * row }));

  const whole = (value) => [0x41, ...signed(value)]; // i32.const
  const get = (local) => [0x20, local];
  const set = (local, ...value) => [...value, 0x21, local];
  const add = (one, other) => [...one, ...other, 0x6a]; // i32.add
  const times = (one, other) => [...one, ...other, 0x6c]; // i32.mul
  const move = (pointer, bytes) => set(pointer, ...add(get(pointer), bytes));
  const load = (pointer, offset) => [...get(pointer), 0xfd, 0x00, 2, offset]; // v128.load
  const splat = (pointer, offset) => [...get(pointer), 0xfd, 0x09, 2, offset]; // v128.load32_splat
  const store = (pointer, offset, vector) => [...get(pointer), ...get(vector), 0xfd, 0x0b, 2, offset];
  const gain = (sum, vector) => // sum += weight * vector, by f32x4.mul and f32x4.add
    set(sum, ...get(sum), ...get(weight), ...get(vector), 0xfd, 0xe6, 0x01, 0xfd, 0xe4, 0x01);
  const repeat = (counter, times, ...body) => [
    ...set(counter, ...get(times)),
    ...[0x03, 0x40], // loop
    ...body.flat(),
    ...[...get(counter), ...whole(1), 0x6b, 0x22, counter], // one less
    ...[0x0d, 0, 0x0b], // again, if any are left; end
  ];

  const tile = [
    set(at, ...get(a)),
    ...rows.map(({ row, left, right }) => [
      ...set(left, ...splat(at, 4 * row)),
      ...set(right, ...get(left)),
    ]),
    move(at, whole(16)),
    repeat(
      step,
      depth,
      set(x0, ...load(from, 0)),
      set(x1, ...load(from, 16)),
      ...rows.map(({ row, left, right }) => [
        ...set(weight, ...splat(at, 4 * row)),
        ...gain(left, x0),
        ...gain(right, x1),
      ]),
      move(at, whole(16)),
      move(from, whole(32)),
    ),
    set(at, ...get(c)),
    ...rows.map(({ left, right }) => [
      ...store(at, 0, left),
      ...store(at, 16, right),
      ...move(at, get(width)),
    ]),
    move(c, whole(32)),
  ];
  const body = [
    set(width, ...times(get(panels), whole(32))), // bytes of a row of the result
    repeat(
      blocks,
      blocks,
      set(from, ...get(b)),
      repeat(panel, panels, ...tile),
      move(c, times(get(width), whole(3))), // the first row is behind it already
      set(a, ...add(get(a), add(whole(16), times(get(depth), whole(16))))),
    ),
  ].flat();

  const sized = (bytes) => [...unsigned(bytes.length), ...bytes];
  const text = (word) => sized([...word].map((letter) => letter.charCodeAt(0)));
  const section = (id, ...content) => [id, ...sized(content.flat())];
  const locals = [2, 5, 0x7f, 3 + 2 * TILE[0], 0x7b]; // two kinds: five i32, the rest v128
  const code = [...locals, ...body, 0x0b];
  const bytes = [
    ...[0x00, ...[..."asm"].map((letter) => letter.charCodeAt(0)), 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]), // six i32, no result
    ...section(3, [1, 0]), // one function of that type
    ...section(5, [1, 0, 1]), // one memory, of a page at first
    ...section(7, [2], text("memory"), [2, 0], text("run"), [0, 0]),
    ...section(10, [1], sized(code)),
  ];
  try {
    return new WebAssembly.Module(Uint8Array.from(bytes));
  } catch {
    return null; // no SIMD, or a page that forbids it
  }
}

// Whole numbers as WebAssembly writes them: seven bits a byte, the lowest first.
function unsigned(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >> 7)];
}

function signed(value) {
  return value < 64 ? [value] : [(value & 127) | 128, ...signed(value >> 7)];
}
