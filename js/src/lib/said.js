/**
 * The line at a view's foot: what was done last, in the words of QMP and virsh, or why it failed.
 */

import { h } from "./dom.js";

/**
 * @typedef {object} Said
 * @property {string} verb
 * @property {string} [guest]
 * @property {string} [qmp]
 * @property {string} [virsh]
 * @property {string} [error]
 */

/** @returns {HTMLElement} */
export function saidLine() {
  return h("div", { class: "kvmnb-said", role: "status", "aria-live": "polite" });
}

/**
 * @param {HTMLElement} line
 * @param {Said | null} said
 * @param {string} otherwise shown where nothing has been done yet
 */
export function show(line, said, otherwise) {
  line.dataset.tone = said?.error === undefined ? "" : "error";
  if (said === null) {
    line.replaceChildren(otherwise);
  } else if (said.error !== undefined) {
    line.replaceChildren(said.error);
  } else {
    const who = said.guest === undefined ? "" : ` ${said.guest}`;
    line.replaceChildren(
      h("span", {}, h("b", {}, said.verb), who),
      ...["qmp", "virsh"].flatMap((language) => {
        const words = said[/** @type {"qmp" | "virsh"} */ (language)];
        return words ? [h("span", {}, `${language.toUpperCase()} `, h("code", {}, words))] : [];
      }),
    );
  }
}
