/**
 * A small line of one value over time.
 */

import { svg } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 26;

export class Spark {
  /** @type {(number | null)[]} */
  #values = [];
  #area = svg("path", { class: "kvmnb-area" });
  #line = svg("path");

  /**
   * @param {number} points how many are kept, and so wide is the line
   * @param {number} most the value at the top edge, unless one is higher
   */
  constructor(points, most) {
    this.points = points;
    this.most = most;
    const box = { class: "kvmnb-spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" };
    this.element = svg("svg", box, this.#area, this.#line);
  }

  /** @param {...(number | null)} values newest last */
  add(...values) {
    this.#values.push(...values);
    this.#values.splice(0, this.#values.length - this.points);
    this.#draw();
  }

  #draw() {
    const known = this.#values.filter((value) => value !== null);
    const top = Math.max(this.most, ...known);
    const step = WIDTH / (this.points - 1);
    const first = this.points - this.#values.length;
    let line = "";
    let area = "";
    let begun = false;
    let x = 0;
    for (const [index, value] of this.#values.entries()) {
      if (value === null) {
        if (begun) area += `L${x} ${HEIGHT}Z`;
        begun = false;
        continue;
      }
      x = Math.round((first + index) * step * 10) / 10;
      const y = Math.round((1 - value / top) * (HEIGHT - 2) * 10) / 10 + 1;
      line += `${begun ? "L" : "M"}${x} ${y}`;
      area += begun ? `L${x} ${y}` : `M${x} ${HEIGHT}L${x} ${y}`;
      begun = true;
    }
    if (begun) area += `L${x} ${HEIGHT}Z`;
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", area);
  }
}
