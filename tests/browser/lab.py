"""JupyterLab, the real thing: a server of its own, and what a reader does with a notebook in a browser."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
TOKEN = "a-token-for-this-machine-only"


def browser():
    """Return the path of Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def pages():
    """A function that opens a page of a headless browser, in a window of its own of 1280 x 1500 pixels."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])

        def page():
            page = chromium.new_page(viewport={"width": 1280, "height": 1500})
            page.set_default_timeout(60_000)
            return page

        try:
            yield page
        finally:
            chromium.close()


class Lab:
    """A JupyterLab server with folders of its own; `with Lab(folder) as lab: lab.address`. It shows `folder`/notebooks.

    variables : of the environment of the kernels
    """

    def __init__(self, folder, **variables):
        self.notebooks, self.log = folder / "notebooks", folder / "lab.log"
        self.notebooks.mkdir(exist_ok=True)
        (folder / "config" / "labconfig").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        own = {f"JUPYTER_{name.upper()}_DIR": str(folder / name) for name in ("config", "data", "runtime")}
        own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "desks")}
        own |= {"IPYTHONDIR": str(folder / "ipython")}
        self.environment = {**os.environ, **own, **{name: str(value) for name, value in variables.items()}}

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        options += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
        options += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
        command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={self.notebooks}"]
        self.address = f"http://127.0.0.1:{port}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.notebooks)
        try:
            self._await()
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.end_kernels()
            self.ask("/api/shutdown", "POST")  # a signal would orphan kernels
            self.process.wait(60)
        finally:
            self.process.kill()

    def _await(self):
        for _ in range(300):
            try:
                return self.ask("/api/status")
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"JupyterLab has ended:\n{self.log.read_text()[-3000:]}") from None
                time.sleep(0.2)
        raise RuntimeError(f"JupyterLab did not answer in a minute:\n{self.log.read_text()[-3000:]}")

    def ask(self, path, method="GET"):
        """Return what the server answers, from JSON; None for nothing."""
        request = urllib.request.Request(self.address + path, method=method)
        request.add_header("Authorization", f"token {TOKEN}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def end_kernels(self, name=None):
        """Shut down the kernel of a notebook (str), or of all that are open."""
        for session in self.ask("/api/sessions"):
            if name in (None, session["path"]):
                self.ask(f"/api/sessions/{session['id']}", "DELETE")


CELLS = "jupyterapp.shell.currentWidget.content.widgets"
READY = """() => {
  const kernel = globalThis.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle"; }"""
STATE = """() => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session?.kernel;
  const code = CELLS.filter(cell => cell.model.type === "code" && cell.model.sharedModel.source.trim());
  return {status: kernel?.status ?? "no kernel", left: code.filter(cell => !cell.model.executionCount).length,
    errors: code.flatMap(cell => cell.model.outputs.toJSON()).filter(one => one.output_type === "error")
      .map(one => `${one.ename}: ${one.evalue}`)}; }""".replace("CELLS", CELLS)


class Notebook:
    """A notebook that is open in a page of JupyterLab, on a desk (Lab: a workspace) of its own."""

    def __init__(self, page, lab, name):
        self.page, self.lab, self.name = page, lab, name
        page.goto(f"{lab.address}/lab/workspaces/{pathlib.Path(name).stem}/tree/{name}?token={TOKEN}&reset")
        self._await_kernel()

    def _await_kernel(self, seconds=180):
        for _ in range(4 * seconds):
            if self.page.evaluate(READY):
                return
            self.page.wait_for_timeout(250)
        said = self.page.locator("body").inner_text()[-500:]
        raise TimeoutError(f"{self.name} has no kernel that is ready after {seconds} s; the page says: {said}")

    def close(self):
        """End the kernel and close the page."""
        self.lab.end_kernels(self.name)
        self.page.close()

    def run_all(self, seconds=420):
        """Run all cells and wait for the end; return the errors that cells showed (list of str)."""
        self.start()
        return self.end(seconds)

    def start(self):
        """Set all cells running; `end` waits for them."""
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")  # not awaited

    def end(self, seconds=420):
        """Wait until all cells have run, or one has failed; return the errors that cells showed (list of str)."""
        for _ in range(4 * seconds):
            state = self.page.evaluate(STATE)
            if state["errors"] or (state["status"] == "idle" and not state["left"]):
                return state["errors"]
            self.page.wait_for_timeout(250)
        raise TimeoutError(f"The notebook did not end in {seconds} s: {state}")

    def sources(self):
        """Return the text of every cell, in order (list of str)."""
        return self.page.evaluate(f"() => {CELLS}.map(cell => cell.model.sharedModel.source)")

    def find(self, text):
        """Return the number of the only cell whose source holds a text."""
        found = [number for number, source in enumerate(self.sources()) if text in source]
        if len(found) != 1:
            raise LookupError(f"Expected one cell that holds {text!r}; found {found}.")
        return found[0]

    def cell(self, number):
        """Return the cell's element (a Locator), after it was scrolled into view."""
        self.page.evaluate(f"number => {CELLS}[number].node.scrollIntoView({{block: 'start'}})", number)
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number):
        """Return the element of a cell's outputs (a Locator); none (count() is 0) for a cell of text."""
        return self.cell(number).locator(".jp-Cell-outputArea")

    def each_output(self, function):
        """Return what a function (JavaScript, of an element) says of the outputs of each cell; None for a text."""
        area = "cell.node.querySelector('.jp-Cell-outputArea')"
        return self.page.evaluate(f"() => {CELLS}.map(cell => {area} && ({function})({area}))")

    def write(self, number, code):
        """Click into a cell, replace what stands there by typing, and run it (Shift+Enter)."""
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)
        self.run_selected()

    def run(self, number):
        """Click into a cell, or on its output where its source is folded away, and run it (Shift+Enter)."""
        editor = self.cell(number).locator(".cm-content")
        (editor if editor.is_visible() else self.output(number)).click()
        self.run_selected()

    def run_selected(self):
        """Press Shift+Enter and wait until the kernel is idle again."""
        self.page.keyboard.press("Shift+Enter")
        self.rest()

    def rest(self, seconds=120):
        """Wait until the kernel has been idle for a moment: what a move or a cell has set going is done."""
        idle = 0
        for _ in range(10 * seconds):
            idle = idle + 1 if self.page.evaluate(READY) else 0
            if idle == 4:
                return
            self.page.wait_for_timeout(100)
        raise TimeoutError(f"The kernel was not idle within {seconds} s.")
