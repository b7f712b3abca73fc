// Where require.js finds what saved controls need, so that nothing is asked of another host. Their icons' fonts are
// looked for beside the place that a script's name stands for, though the scripts themselves are in embed-amd.js.
{
  const here = new URL("vendor/", document.currentScript.src).href;
  const [fonts, anywidget] = [here + "html-manager", here + "anywidget"];
  window.__jupyter_widgets_assets_path__ = fonts + "/";
  window.requirejs.config({
    paths: { anywidget, "@jupyter-widgets": fonts, "@jupyter-widgets/html-manager/dist": fonts },
  });
}
