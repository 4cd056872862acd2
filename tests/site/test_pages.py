"""Every page of the built site: alone on its host, without errors, readable, on a phone too."""

import pytest

pytestmark = pytest.mark.site

# WCAG's contrast of each kind of running text against the nearest opaque ground
CONTRAST = """() => {
  const parse = (text) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const pen = canvas.getContext('2d');
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255];
  };
  const kinds = 'main :is(h1, h2, h3, p, li, td, th, figcaption, a), .bd-sidebar a';
  const poor = [];
  for (const element of document.querySelectorAll(kinds)) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      continue;
    const [a, b] = [parse(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} "${element.textContent.trim().slice(0, 40)}": `
      + ratio.toFixed(2));
  }
  return [...new Set(poor)];
}"""


SEE_EVERYTHING = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 400) {
    scrollTo({ top: y, behavior: 'instant' });
    await new Promise((done) => setTimeout(done, 30));
  }
}"""


def test_page(visitor, page_path):
    """One visit for all checks: loading a page costs more than looking at it."""
    page = visitor.open(page_path, color_scheme="light")
    page.evaluate(SEE_EVERYTHING)  # what loads only when it is seen must be seen
    page.wait_for_load_state("networkidle")
    problems = page.troubles
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        page.wait_for_timeout(300)  # the theme's transitions
        problems += [f"too little contrast, {scheme}: {text}" for text in page.evaluate(CONTRAST)]
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.evaluate("scrollTo({ left: 100, behavior: 'instant' })")
    if width > 390 or page.evaluate("scrollX") > 0:
        problems.append(f"scrolls sideways on a phone: {width} pixels wide")
    assert problems == []
