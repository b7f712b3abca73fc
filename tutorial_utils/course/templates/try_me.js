"use strict";
const about = JSON.parse(document.getElementById("about").textContent);
const find = id => document.getElementById(id);

// What the page carries: base64 of gzip.
async function unpack(id) {
  const plain = new Blob([fromBase64(find(id).textContent.trim())]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

async function load() {
  if (!globalThis.DecompressionStream || !globalThis.createImageBitmap)
    throw new Error("This browser is too old for this page. Use Chrome, Edge, Firefox or Safari from 2023 or later.");
  const [code, binary, model, known] = await Promise.all(["runtime-code", "runtime", "model", "known"].map(unpack));
  ort.env.wasm.numThreads = 1;  // more would need headers that a file on disk does not have
  ort.env.wasm.wasmBinary = binary.buffer;
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([code], { type: "text/javascript" })) };
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  return { session, known: unitRows(known) };
}

// The features of training photos: 16-bit floats, a row a photo; returns rows of length 1.
function unitRows(bytes) {
  const table = Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = bits >> 10 & 31, fraction = (bits & 1023) / 1024;
    return (bits & 32768 ? -1 : 1) * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
  const rows = Float32Array.from(new Uint16Array(bytes.buffer), bits => table[bits]);
  for (let first = 0; first < rows.length; first += about.channels) unit(rows.subarray(first, first + about.channels));
  return rows;
}

function unit(row) {
  const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1;
  for (let place = 0; place < row.length; place++) row[place] /= length;
  return row;
}

// How far a photo lies from what was learned: the distance to the n-th nearest training photo, 0 to 2.
function distance(features, known) {
  const feature = unit(features), channels = about.channels, found = [];
  for (let first = 0; first < known.length; first += channels) {
    let cosine = 0;
    for (let place = 0; place < channels; place++) cosine += feature[place] * known[first + place];
    found.push(1 - cosine);
  }
  return Math.sqrt(2 * Math.max(0, found.sort((a, b) => a - b)[about.nearest - 1]));
}

// A photo's pixels as Pillow gives them to the model: upright, sRGB, on white, and as large as they are stored.
async function readPixels(file) {
  const start = new Uint8Array(await file.arrayBuffer());
  if (start[0] === 255 && start[1] === 216 && !hasEnd(start))
    throw new Error(`${file.name} has lost a part of its picture. Copy it again, or choose another photo.`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name} is no photo that this browser can read. Choose a JPEG or a PNG.`);
  }
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
  let pixels = null;
  try {
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    pixels = context.getImageData(0, 0, width, height);
  } catch { /* some browsers throw where a canvas is too large, others leave it empty */ }
  bitmap.close();
  if (pixels?.data[3] !== 255) throw new Error(`${file.name} has more pixels than this browser can hold. Save it smaller.`);
  return pixels;
}

function hasEnd(bytes) {  // of a JPEG's picture: its headers may hold a thumbnail with an end of its own
  let place = 2;
  while (bytes[place] === 255 && bytes[place + 1] !== 218) place += 2 + 256 * bytes[place + 2] + bytes[place + 3];
  while (place < bytes.length - 1 && !(bytes[place] === 255 && bytes[place + 1] === 217)) place++;
  return place < bytes.length - 1;
}

// Resize to a square as Pillow does: a triangle filter, as wide as the photo shrinks, in whole numbers of 22 bits.
// Pillow 13 begins with the columns where that is less work; the rounding between the two passes depends on it.
function resize(image, side) {
  const { width, height } = image, across = filters(width, side), down = filters(height, side);
  const pixels = height > side && 2 * width < height + side
    ? resizeRows(resizeColumns(image.data, width, down), width, across)
    : resizeColumns(resizeRows(image.data, width, across), side, down);
  return Float32Array.from({ length: 3 * side * side }, (_, place) => pixels[place + Math.trunc(place / 3)]);
}

function resizeRows(pixels, width, filters) {  // red, green, blue and alpha, of which the last stays 0
  const side = filters.length, height = pixels.length / (4 * width), found = new Uint8Array(4 * side * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < side; x++) {
    const { first, weights } = filters[x];
    let red = 1 << 21, green = 1 << 21, blue = 1 << 21, from = 4 * (y * width + first);
    for (let step = 0; step < weights.length; step++, from += 4) {
      red += pixels[from] * weights[step];
      green += pixels[from + 1] * weights[step];
      blue += pixels[from + 2] * weights[step];
    }
    const to = 4 * (y * side + x);
    found[to] = red >> 22;
    found[to + 1] = green >> 22;
    found[to + 2] = blue >> 22;
  }
  return found;
}

function resizeColumns(pixels, width, filters) {
  const found = new Uint8Array(4 * width * filters.length);
  for (let y = 0; y < filters.length; y++) {
    const { first, weights } = filters[y];
    for (let x = 0; x < 4 * width; x++) {
      let sum = 1 << 21;
      for (let step = 0; step < weights.length; step++) sum += pixels[4 * width * (first + step) + x] * weights[step];
      found[4 * width * y + x] = sum >> 22;
    }
  }
  return found;
}

function filters(from, to) {
  const scale = from / to, reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(from, Math.trunc(center + reach + 0.5));
    const row = Array.from({ length: last - first }, (_, step) =>
      Math.max(0, 1 - Math.abs((first + step - center + 0.5) / reach)));
    const sum = row.reduce((a, b) => a + b, 0);
    return { first, weights: Int32Array.from(row, value => Math.trunc(0.5 + value / sum * (1 << 22))) };
  });
}

// What `predict` does: pixels 0-255 to probabilities, and whether the photo is unlike all that was learned.
async function predict(file) {
  const { session, known } = await ready, side = about.size;
  const pixels = new ort.Tensor("float32", resize(await readPixels(file), side), [1, side, side, 3]);
  const found = await session.run({ [session.inputNames[0]]: pixels });
  const [probabilities, features] = session.outputNames.map(name => found[name].data);
  return { probabilities, unknown: distance(features, known) > about.limit };
}

const percent = share => `${(100 * share).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;
let asked = 0;

async function show(file) {
  const turn = ++asked, photo = find("photo"), answer = find("answer");
  answer.dataset.state = "busy";
  find("headline").textContent = "Looking …";
  for (const id of ["note", "more"]) find(id).textContent = "";
  find("bars").replaceChildren();
  URL.revokeObjectURL(photo.src);
  photo.src = URL.createObjectURL(file);
  photo.hidden = answer.hidden = false;
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));  // let the browser draw that
  try {
    const { probabilities, unknown } = await predict(file);
    if (turn === asked) tell(probabilities, unknown);
    answer.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (turn !== asked) return;
    photo.hidden = true;
    answer.dataset.state = "error";
    find("headline").textContent = "Could not read this photo";
    find("note").textContent = error.message;
  }
}

function tell(probabilities, unknown) {
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]);
  const best = order[0], sure = probabilities[best], answer = find("answer");
  answer.dataset.state = unknown ? "unknown" : "known";
  answer.dataset.probabilities = JSON.stringify(Array.from(probabilities));
  find("headline").replaceChildren(...(unknown ? ["I don’t know"] : [label(best), `, ${percent(sure)} sure`]));
  const unsure = about.threshold === null || sure < about.threshold;
  find("note").textContent = unknown ? "This photo is unlike all the photos that the model learned from. "
    + "If it had to choose, it would say:" : unsure ? about.unsure : "";
  find("bars").replaceChildren(...order.slice(0, 5).map(place => {
    const row = document.createElement("li"), bar = document.createElement("span");
    const value = Object.assign(document.createElement("span"), { textContent: percent(probabilities[place]) });
    bar.className = "bar";
    bar.style.setProperty("--share", probabilities[place]);
    row.append(label(place), value, bar);
    return row;
  }));
  find("more").textContent = order.length > 5 ? `The top five of ${order.length} classes.` : "";
}

function label(place) {
  const name = Object.assign(document.createElement("bdi"), { textContent: about.labels[place] });
  if (about.language) name.lang = about.language;
  return name;
}

document.body.classList.toggle("touch", navigator.maxTouchPoints > 0);  // a device that may have a camera
const ready = load();
ready.then(
  () => { find("status").textContent = "Ready."; },
  error => { find("status").textContent = error.message; document.body.dataset.failed = "yes"; });
for (const input of document.querySelectorAll("input[type=file]")) input.addEventListener("change", () => {
  if (input.files[0]) show(input.files[0]);
  input.value = "";  // so that the same photo can be asked again
});
for (const button of document.querySelectorAll("[data-example]")) button.addEventListener("click", async () => {
  const [head, body] = button.querySelector("img").src.split(",");
  show(new File([fromBase64(body)], button.dataset.example, { type: head.slice(5, head.indexOf(";")) }));
});
const zone = find("zone");
for (const kind of ["dragover", "dragleave", "drop"]) addEventListener(kind, event => {
  event.preventDefault();  // or the browser would leave the page for the photo
  zone.classList.toggle("over", kind === "dragover");
  const file = kind === "drop" && event.dataTransfer.files[0];
  if (file) show(file);
});
addEventListener("paste", event => {
  const file = event.clipboardData.files[0];
  if (file) show(file);
});
