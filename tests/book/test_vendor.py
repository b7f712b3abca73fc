"""The script of anywidget, beside those that npm brings."""

from book import vendor


def test_the_script_of_anywidget_is_a_module_that_require_js_can_load(tmp_path):
    vendor.widgets(tmp_path)
    assert 'define(["@jupyter-widgets/base"]' in (tmp_path / "anywidget.js").read_text(encoding="utf-8")
