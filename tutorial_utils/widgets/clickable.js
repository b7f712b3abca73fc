/* A picture whose places can be chosen by a click or by keys: the front end of clickable.Picture, no other file needed. */

function make(kind, name, parent) {
  const element = document.createElement(kind);
  element.className = name;
  parent.append(element);
  return element;
}

/* A place is a point [x, y] or a box [left, top, right, bottom], in shares of the picture. */
function center(place) {
  return place.length === 2 ? place : [(place[0] + place[2]) / 2, (place[1] + place[3]) / 2];
}

/* The number of the box that holds the point, or of the point that is nearest; -1 where there is none. */
function hit(places, x, y, width, height) {
  let best = -1;
  let least = Infinity;
  places.forEach((place, number) => {
    const [cx, cy] = center(place);
    const inside = place.length === 2 || (place[0] <= x && x <= place[2] && place[1] <= y && y <= place[3]);
    const distance = Math.hypot((cx - x) * width, (cy - y) * height);
    if (inside && distance < least) [best, least] = [number, distance];
  });
  return best;
}

/* The nearest place that lies that way; what lies to the side counts double, so that a grid is walked along its rows. */
function toward(places, from, [dx, dy], width, height) {
  const [x, y] = center(places[from]);
  let best = from;
  let least = Infinity;
  places.forEach((place, number) => {
    const [right, down] = [(center(place)[0] - x) * width, (center(place)[1] - y) * height];
    const along = right * dx + down * dy;
    const cost = along + 2 * Math.abs(right * dy + down * dx);
    if (along > 0.01 && cost < least) [best, least] = [number, cost];
  });
  return best;
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/* The place that a key leads to; undefined for a key that is not ours. */
function led(key, places, from, width, height) {
  const last = places.length - 1;
  if (key === "Escape") return -1;
  if (key === "Home") return Math.min(0, last);
  if (key === "End") return last;
  if (key === "PageDown") return Math.min(from + 1, last);
  if (key === "PageUp") return Math.max(from - 1, Math.min(0, last));
  if (!(key in WAYS)) return undefined;
  return from < 0 ? Math.min(0, last) : toward(places, from, WAYS[key], width, height);
}

function lay(mark, place) {
  mark.hidden = place === undefined;
  if (mark.hidden) return;
  const [left, top, right, bottom] = place.length === 2 ? [...place, ...place] : place;
  mark.classList.toggle("point", place.length === 2);
  Object.assign(mark.style, { left: `${100 * left}%`, top: `${100 * top}%` });
  const size = place.length === 2 ? ["", ""] : [`${100 * (right - left)}%`, `${100 * (bottom - top)}%`];
  [mark.style.width, mark.style.height] = size;
}

function render({ model, el }) {
  const box = make("div", "picture-places", el);
  const image = make("img", "", box);
  const ring = make("div", "mark chosen", box);
  const shade = make("div", "mark hovered", box);
  const tip = make("div", "tip", box);
  const status = make("div", "picture-status", el);
  box.tabIndex = 0;
  box.setAttribute("role", "application"); // the arrow keys are ours, for screen readers too
  box.setAttribute("aria-roledescription", "picture with places");
  box.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrow keys to move between cells
  status.setAttribute("role", "status"); // read out when it changes
  shade.hidden = tip.hidden = true;

  const places = () => model.get("places");
  const says = (number) => model.get("texts")[number] ?? "";
  const choose = (number) => {
    model.set("chosen", number);
    model.save_changes();
  };
  const under = (event) => {
    const { left, top, width, height } = image.getBoundingClientRect();
    return hit(places(), (event.clientX - left) / width, (event.clientY - top) / height, width, height);
  };
  const hover = (number) => {
    lay(shade, places()[number]);
    tip.hidden = number < 0 || !says(number);
    if (tip.hidden) return;
    const [x, y] = center(places()[number]);
    tip.textContent = says(number);
    tip.style.top = `calc(${100 * y}% + 14px)`;
    Object.assign(tip.style, x < 0.5 ? { left: `${100 * x}%`, right: "" } : { left: "", right: `${100 * (1 - x)}%` });
  };

  const draw = () => {
    const png = model.get("png");
    const address = typeof png === "string" ? png : URL.createObjectURL(new Blob([png], { type: "image/png" }));
    image.onload = () => address.startsWith("blob:") && URL.revokeObjectURL(address);
    image.src = address;
  };
  const mark = () => {
    const chosen = model.get("chosen");
    lay(ring, places()[chosen]);
    image.alt = model.get("alt");
    status.textContent = says(chosen) || "Nothing chosen: click a place, or use the arrow keys.";
    box.setAttribute("aria-label", `${model.get("alt")}. ${status.textContent}`);
  };

  box.addEventListener("click", (event) => {
    const number = under(event);
    if (number >= 0) choose(number);
  });
  box.addEventListener("mousemove", (event) => hover(under(event)));
  box.addEventListener("mouseleave", () => hover(-1));
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const number = led(event.key, places(), model.get("chosen"), image.clientWidth, image.clientHeight);
    if (number === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(number);
  });
  model.on("change:png", draw);
  for (const name of ["alt", "places", "texts", "chosen"]) model.on(`change:${name}`, mark);
  model.on("change:places", () => hover(-1));
  draw();
  mark();
}

export default { render };
