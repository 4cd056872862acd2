// The published page's stand-in for a kernel: <aecore-widget> gives a widget's front-end the
// model it expects, made from the JSON inside the element. Large buffers are scripts beside this
// one, each handing over its bytes, because a page opened from disk may load scripts but not
// fetch files.

const HERE = document.currentScript.src.replace(/[^/]*$/, "");
const fronts = {};
const deliveries = new Map();

function define(kind, render) {
  fronts[kind] = render;
}

// called by the buffer files
window.aecoreDeliver = (name, text) => deliveries.get(name).resolve(decodeBase64(text));

function decodeBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return new DataView(bytes.buffer);
}

function load(name) {
  if (!deliveries.has(name)) {
    const delivery = {};
    delivery.promise = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${HERE}${name}.js`;
      // after a delivery this rejection comes too late to matter; without one, it tells
      script.onload = script.onerror = () => reject(new Error(`no bytes in ${script.src}`));
      Object.assign(delivery, { resolve });
      document.head.append(script);
    });
    deliveries.set(name, delivery);
  }
  return deliveries.get(name).promise;
}

class Model {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
  }
  get(field) {
    return this.state[field];
  }
  set(field, value) {
    this.state[field] = value;
    for (const listener of this.listeners.get(`change:${field}`) ?? []) listener();
  }
  save_changes() {} // nobody to tell
  on(event, listener) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }
  off(event, listener) {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
  }
}

class AecoreWidget extends HTMLElement {
  connectedCallback() {
    this.dataset.state = "waiting";
    this.seen = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && this.start(),
      { rootMargin: "300px" },
    );
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.seen.disconnect();
    this.end?.();
    this.stage?.remove();
  }

  async start() {
    this.seen.disconnect();
    this.dataset.state = "loading";
    try {
      const { kind, state, buffers } = JSON.parse(this.querySelector("script").textContent);
      for (const [field, { file, data }] of Object.entries(buffers)) {
        state[field] = file ? await load(file) : decodeBase64(data);
      }
      this.stage = document.createElement("div");
      this.append(this.stage);
      this.end = fronts[kind]({ model: new Model(state), el: this.stage });
      this.dataset.state = "ready";
    } catch (error) {
      // the picture stays: it is hidden only when the widget is ready
      this.stage?.remove();
      this.dataset.state = "error";
      console.error(`${this.getAttribute("name")}: ${error.message}`);
    }
  }
}
