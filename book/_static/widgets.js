// Where require.js finds what saved controls need, so that nothing is asked of another host.
{
  const here = new URL("vendor/", document.currentScript.src).href;
  window.__jupyter_widgets_assets_path__ = here + "html-manager/";
  window.requirejs.config({ paths: { anywidget: here + "anywidget" } });
}
