"""The controls of a notebook in a browser: found, moved by mouse and by keys, and what then changed."""

import io
import json
import time

import PIL.Image


def _png(color):
    """Return a small picture of one color (bytes)."""
    file = io.BytesIO()
    PIL.Image.new("RGB", (64, 64), color).save(file, "PNG")
    return file.getvalue()


RED, BLUE = _png((170, 40, 30)), _png((40, 60, 170))
SELECTORS = {
    "slider": ".noUi-handle",
    "menu": "select",
    "box": "input[type=checkbox]",
    "button": ".jupyter-button:not(.widget-upload)",
    "file": ".widget-upload",
    "picture": ".picture-places",
    "text": "input[type=text], input[type=number], textarea",
}
FOUND = """area => {
  const beside = one => one.closest(".widget-inline-hbox")?.querySelector(".widget-label")?.textContent;
  const on = {button: one => one.textContent, box: one => one.closest("label").textContent, picture: () => "picture",
    file: one => one.textContent.replace(/ \\(\\d+\\)$/, "")}; // without how many files it has
  const named = (one, kind) => (on[kind] ?? beside)(one);
  return Object.entries(SELECTORS).flatMap(([kind, selector]) => [...area.querySelectorAll(selector)].map(
    one => ({kind, label: named(one, kind)?.trim() ?? ""}))); }"""
FOUND = FOUND.replace("SELECTORS", json.dumps(SELECTORS))
AWKWARD = """area => {
  const blank = [...area.querySelectorAll("select")].filter(one => one.selectedIndex < 0);
  const short = [...area.querySelectorAll(".noUi-target")].filter(one => one.getBoundingClientRect().width < 80);
  const named = one => one.closest(".widget-inline-hbox").textContent.trim().slice(0, 40);
  return [...blank.map(one => `a menu that shows no choice: ${named(one)}`),
    ...short.map(one => `a slider shorter than 80 pixels: ${named(one)}`)]; }"""

SEEN = """async area => {
  const pixels = image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    if (!canvas.width) return "";
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL(); };
  const digest = async text => [...new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)))]
    .join(",");
  const images = [...area.querySelectorAll("img")];
  await Promise.all(images.map(image => image.decode().catch(() => {})));
  const texts = [...area.querySelectorAll(".widget-html-content, .widget-html, .picture-status, .widget-label")];
  return {picture: await digest(images.map(pixels).join()), alt: images.map(image => image.alt),
    text: texts.map(one => one.textContent.trim()).join("\\n")}; }"""


class Control:
    """A slider, menu, box, button, picture, or place for files in the output of a cell.

    area : Locator of the cell's output; label : what stands beside or on it, "picture" for a picture
    """

    def __init__(self, area, label, kind):
        self.label, self.kind, self.page = label, kind, area.page
        labels = [one["label"] for one in controls(area) if one["kind"] == kind]
        if label not in labels:
            raise LookupError(f"no {kind} {label!r} among {labels}")
        self.element = area.locator(SELECTORS[kind]).nth(labels.index(label))

    def by_mouse(self):
        """Move it with the mouse: drag a slider, choose from a menu, click what can be clicked."""
        self.element.scroll_into_view_if_needed()
        getattr(self, f"_{self.kind}_by_mouse")()

    def by_keys(self):
        """Move it with the keys that such a control has."""
        self.element.focus()
        getattr(self, f"_{self.kind}_by_keys")()

    def _slider_by_mouse(self):
        """Drag the handle to the end that is farther away."""
        handle = self.element.bounding_box()
        track = self.element.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
        across, down = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        share = 0.05 if across - track["x"] > track["width"] / 2 else 0.95
        self.page.mouse.move(across, down)
        self.page.mouse.down()
        self.page.mouse.move(track["x"] + share * track["width"], down, steps=3)
        self.page.mouse.up()

    def _slider_by_keys(self):
        low, high, now = (float(self.element.get_attribute(f"aria-value{name}")) for name in ("min", "max", "now"))
        self.page.keyboard.press("ArrowRight" if now - low < high - now else "ArrowLeft")

    def _menu_by_mouse(self):
        """The system draws a menu's list, outside the page: the click is real, the choice is made through the page."""
        count, now = self.element.evaluate("one => [one.options.length, one.selectedIndex]")
        self.element.click()
        self.page.keyboard.press("Escape")
        self.element.select_option(index=(now + 1) % count)

    def _menu_by_keys(self):
        """Space opens the list first: JupyterLab takes the arrow keys of a closed one, to move between cells."""
        now = self.element.evaluate("one => one.selectedIndex")
        self.page.keyboard.press("Space")
        self._until("one => one.matches(':open')")
        for key in ("ArrowUp" if now else "ArrowDown", "Enter"):
            self.page.keyboard.press(key)
        self._until("one => !one.matches(':open')")

    def _until(self, said):
        """Wait until a function (JavaScript, of the element) says so."""
        self.page.wait_for_function(said, arg=self.element.element_handle())

    def _box_by_mouse(self):
        self.element.click()

    def _box_by_keys(self):
        self.page.keyboard.press("Space")

    def _button_by_mouse(self):
        self.element.click()

    def _button_by_keys(self):
        """Space: JupyterLab takes Enter, to begin writing in the cell."""
        self.page.keyboard.press("Space")

    def _file_by_mouse(self):
        self._give(self.element.click, "by_mouse.png", RED)

    def _file_by_keys(self):
        """One press of a key must open the dialog, once the page has come to rest."""
        self._keep_focus()
        self._give(self._button_by_keys, "by_keys.png", BLUE)

    def _keep_focus(self):
        """Focus it until it stays so: JupyterLab puts the focus on a cell some time after a click into it."""
        for _ in range(20):
            self.element.focus()
            self.page.wait_for_timeout(300)
            if self.element.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"{self.label!r} loses the focus again and again.")

    def _give(self, ask, name, content):
        """Choose a file in the dialog that opens."""
        self.page.bring_to_front()  # in a page behind another no dialog opens
        with self.page.expect_file_chooser() as dialog:
            ask()
        dialog.value.set_files({"name": name, "mimeType": "image/png", "buffer": content})

    def _picture_by_mouse(self):
        """Click here and there until something is chosen that was not."""
        before, box = self._chosen(), self.element.bounding_box()
        for across, down in [(0.5, 0.5), (0.35, 0.4), (0.6, 0.3), (0.4, 0.7), (0.7, 0.6), (0.25, 0.25), (0.5, 0.2)]:
            self.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
            if self._chosen() != before:
                return
        raise AssertionError(f"No click on the picture of {self.label!r} chooses anything.")

    def _picture_by_keys(self):
        """Go to the next place, or from the last to the one before."""
        before = self._chosen()
        self.page.keyboard.press("PageDown")
        if self._chosen() == before:
            self.page.keyboard.press("PageUp")

    def _chosen(self):
        return self.element.locator("xpath=..").locator(".picture-status").text_content()


def controls(area):
    """Return what can be moved in the output of a cell, in the order of its kinds: [{kind, label}]."""
    return area.evaluate(FOUND)


def seen(area):
    """Return what a reader has before them in the output of a cell: picture (a digest of pixels), alt, text."""
    return area.evaluate(SEEN)


def changed(area, before, what, seconds=60):
    """Wait until all of `what` (names of `seen`) differ from before; return the seconds.

    Raises AssertionError if something stays as it was.
    """
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        now = seen(area)
        same = [name for name in what if now[name] == before[name]]
        if not same:
            return time.monotonic() - started
        area.page.wait_for_timeout(100)
    raise AssertionError(f"{same} stayed as it was: {str(now)[:600]}")


WATCH = """area => {
  const watch = globalThis.watch = {moved: null, drawn: null};
  const shown = () => requestAnimationFrame(() => { watch.drawn = performance.now(); });
  const after = () => watch.moved !== null;
  for (const name of ["keydown", "change"])
    document.addEventListener(name, event => { watch.moved = event.timeStamp; }, true);
  area.addEventListener("load", () => after() && shown(), true); // a picture that was decoded
  const observer = new MutationObserver(changes => {
    const pictures = changes.some(one => [...one.addedNodes].some(node => node.querySelector?.("img") ?? false));
    if (after() && !pictures) shown(); });
  for (const one of area.querySelectorAll(".widget-html-content")) observer.observe(one, {childList: true}); }"""


def stopwatch(area):
    """Return a function that gives the seconds from the last key or choice to the redrawn output of a cell.

    It takes the time in the browser, from the event to the frame that shows the new picture (or words), and starts anew
    each time it is read; None: nothing has been drawn since.
    """
    area.evaluate(WATCH)

    def read():
        moved, drawn = area.page.evaluate("() => [watch.moved, watch.drawn]")
        area.page.evaluate("() => { watch.moved = watch.drawn = null; }")
        return None if moved is None or drawn is None else (drawn - moved) / 1000

    read()
    return read
