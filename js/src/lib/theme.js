/**
 * Colours: of lines, the same for everyone and told apart by colour-blind people too (Okabe and
 * Ito, "Color Universal Design"); of everything else, those of the page's theme.
 */

const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C00"];
// a dark ground swallows the two darkest of them
const ON_DARK = ["#3D9BE0", "#E69F00", "#00B886", "#E29CC5", "#8CCBF0", "#F27B35", "#F0E442"];

/**
 * @param {number} index
 * @param {boolean} dark
 * @returns {string}
 */
export function lineColor(index, dark) {
  const palette = dark ? ON_DARK : PALETTE;
  return palette[index % palette.length] ?? "gray";
}

/**
 * Return the dashes of a line: solid until the colours begin again.
 *
 * @param {number} index
 * @returns {number[]}
 */
export function lineDash(index) {
  return index < PALETTE.length ? [] : [4, 3];
}

/**
 * What canvas is drawn with, read from the page.
 *
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {string} text
 * @property {string} grid
 * @property {string} accent
 * @property {string} ground
 * @property {string} font
 */

/**
 * @param {Element} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  return {
    dark: brightness(style.color) > 0.5,
    text: style.getPropertyValue("--kvmnb-canvas-text").trim() || style.color,
    grid: style.getPropertyValue("--kvmnb-canvas-grid").trim() || "rgba(128,128,128,.25)",
    ground: style.getPropertyValue("--kvmnb-ground").trim() || "transparent",
    accent: style.getPropertyValue("--kvmnb-accent").trim() || style.color,
    font: `11px ${style.fontFamily}`,
  };
}

/**
 * Call back whenever the page's theme may have changed.
 *
 * @param {() => void} callback
 * @returns {() => void} ends it
 */
export function onThemeChange(callback) {
  // JupyterLab says its theme on <body>, Sphinx's and others' on <html>
  const observer = new MutationObserver(callback);
  const attributeFilter = ["class", "data-jp-theme-name", "data-theme"];
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", callback);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", callback);
  };
}

/**
 * @param {string} color as computed styles give it: `rgb(r, g, b)`
 * @returns {number} from 0 to 1
 */
function brightness(color) {
  const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}
