"""How large the things are that a finger is to hit."""

from __future__ import annotations

from playwright.sync_api import Page

# What a finger is to hit: about 44 px each way, on the element or on the label that stands for it. A link inside a
# sentence may be as high as its line (WCAG 2.5.8), and what is unseen until it has the focus is no target.
TARGETS = """least => {
  const inText = (e) => {
    const said = (n) => n.textContent.replace(/[\\s\u3000-\u303f\uff00-\uffef·]/g, "");
    return getComputedStyle(e).display === "inline" && said(e.parentElement) !== said(e)
      && [...e.parentElement.childNodes].some((n) => n.nodeType === 3 && said(n));
  };
  const size = (e) => {
    const boxes = [e, ...(e.labels || [])].map((each) => each.getBoundingClientRect());
    return [Math.max(...boxes.map((b) => b.width)), Math.max(...boxes.map((b) => b.height))];
  };
  const found = [];
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (e.matches(".skip, .unseen, :disabled") || e.closest(".unseen") || inText(e)) continue;
    const [width, height] = size(e);
    if (width < least || height < least) {
      found.push(`${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 20)} ${width | 0}x${height | 0}`);
    }
  }
  return found;
}"""
LEAST_PX = 43.5


def too_small(tab: Page) -> list[str]:
    """Return what is smaller than a fingertip on a phone of 390 px."""
    return tab.evaluate(TARGETS, LEAST_PX)
