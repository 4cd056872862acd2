// Images in colour that a decoder draws: for the widgets that have portraits.py in Python.

function portraits(model) {
  const decode = network(model.get("layers"), model.get("weights"));
  const codes = numbers(model.get("codes"), Float32Array); // (N, q)
  const [, height, width] = model.get("shape");
  const size = height * width;
  const centre = readTensor({ shape: [3 * size], dtype: "float16", offset: 0 }, model.get("centre"));
  const spread = model.get("scale");
  const latents = model.get("layers").find((layer) => "inputs" in layer).inputs;

  const code = (i) => codes.subarray(i * latents, (i + 1) * latents);

  // the image of a code: planes of red, green and blue, (3 size) in [0, 1]
  function draw(z) {
    const pixels = decode(z);
    for (let i = 0; i < pixels.length; i++) {
      pixels[i] = Math.min(1, Math.max(0, centre[i] + spread * pixels[i]));
    }
    return pixels;
  }

  // as many pixels as the image has, which the browser enlarges smoothly
  const canvas = (attributes) => make("canvas", { class: "aew-portrait", width, height, ...attributes });

  const image = new ImageData(width, height);
  image.data.fill(255);
  function show(canvas, pixels) {
    for (let i = 0, k = 0; i < size; i++, k += 4) {
      image.data[k] = 255 * pixels[i]; // rounds by itself
      image.data[k + 1] = 255 * pixels[size + i];
      image.data[k + 2] = 255 * pixels[2 * size + i];
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  const count = codes.length / latents;
  const images = Array.from({ length: count }, (_, i) => draw(code(i)));
  // small pictures of them, for a row of buttons
  const thumbs = () => images.map((pixels) => show(canvas({ "aria-hidden": "true" }), pixels));

  return { images, size, code, draw, canvas, show, thumbs };
}
