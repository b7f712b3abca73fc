// From a folder of files a browser lets no page read another, which the search would for its extracts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Names for readers who listen: the theme and ipywidgets leave some out, or give one that differs from what is seen.
{
  const named = (node) => {
    for (const button of node.querySelectorAll(".search-button-field, details.hide summary")) {
      button.removeAttribute("aria-label"); // its own text says more
    }
    for (const handle of node.querySelectorAll(".widget-slider .noUi-handle")) {
      const label = handle.closest(".widget-slider").querySelector(".widget-label");
      handle.setAttribute("aria-label", label?.textContent || "slider");
    }
    for (const box of node.querySelectorAll("div.output, div.cell_output pre, .jp-RenderedHTMLCommon")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0; // so that the arrow keys reach what is wide
    }
  };
  window.addEventListener("load", () => {
    named(document);
    new MutationObserver(() => named(document)).observe(document.body, { childList: true, subtree: true });
  });
}

// Paper is white: a page that is dark on the screen is printed in the light colors.
{
  const page = document.documentElement.dataset;
  let shown = page.theme;
  window.addEventListener("beforeprint", () => { shown = page.theme; page.theme = "light"; });
  window.addEventListener("afterprint", () => { page.theme = shown; });
}
