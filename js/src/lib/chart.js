/**
 * One chart: a uPlot, its legend with the newest values, and marks of what happened.
 */

import uPlot from "uplot";

import { h, say } from "./dom.js";
import { format } from "./format.js";
import { lineColor, lineDash } from "./theme.js";

/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./theme.js").Theme} Theme */
/** @typedef {{time: number, label: string, strong: boolean}} Mark */
/** @typedef {{id: string, title: string, unit: string, empty: string}} Panel */

const HEIGHT_PX = 132;
const LEAST_WIDTH_PX = 120;
const LEAST_SPAN_S = 30;
/** So near to a mark the cursor says its label. */
const NEAR_PX = 5;
const LABEL_PX = 12;
const LABEL_ROWS = 2;

// Steps of an axis of bytes: powers of two, so that its numbers are round ones.
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const PERCENT_STEPS = [5, 10, 25, 50];

export class Chart {
  /** Which of the table's columns are shown here. @type {number[]} */
  #columns = [];
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {HTMLElement[]} */
  #shown = [];
  #legend = h("div", { class: "kvmnb-legend" });
  #empty = h("div", { class: "kvmnb-empty" });
  #place = h("div", { class: "kvmnb-plot" });

  /**
   * @param {Panel} panel
   * @param {Table} table
   * @param {readonly Mark[]} marks
   * @param {Theme} theme
   * @param {string} group charts of one group share their cursor
   */
  constructor(panel, table, marks, theme, group) {
    this.panel = panel;
    this.table = table;
    this.marks = marks;
    this.theme = theme;
    this.group = group;
    const title = h("span", { class: "kvmnb-title" }, panel.title);
    this.element = h(
      "section",
      { class: "kvmnb-chart kvmnb-without", "data-panel": panel.id, "aria-label": panel.title },
      h("div", { class: "kvmnb-heading" }, title, this.#legend),
      this.#place,
      this.#empty,
    );
    this.#empty.textContent = panel.empty;
  }

  /** @param {Theme} theme */
  setTheme(theme) {
    this.theme = theme;
    this.#rebuild();
  }

  /** Show what the table holds now. */
  update() {
    const columns = this.table.columns.flatMap((column, index) =>
      column.panel === this.panel.id ? [index] : [],
    );
    if (columns.length !== this.#columns.length) {
      this.#columns = columns;
      this.#rebuild();
    } else {
      this.#plot?.setData(this.#data());
    }
    if (this.#plot?.cursor.idx == null) this.#sayValues(null);
  }

  /** Draw again, for marks that are new. */
  redraw() {
    this.#plot?.redraw(false);
  }

  resize() {
    const width = this.#width();
    if (this.#plot !== null && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: HEIGHT_PX });
    }
  }

  destroy() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #width() {
    const width = Math.floor(this.#place.clientWidth);
    // a page that is hidden for a moment, as while its theme changes, has none
    if (width === 0 && this.#plot !== null) {
      return this.#plot.width;
    }
    return Math.max(LEAST_WIDTH_PX, width);
  }

  /** @returns {uPlot.AlignedData} */
  #data() {
    return [this.table.times, ...this.#columns.map((index) => this.table.values[index] ?? [])];
  }

  #rebuild() {
    this.destroy();
    const found = this.#columns.length > 0;
    this.element.classList.toggle("kvmnb-without", !found);
    this.#legend.replaceChildren();
    this.#shown = [];
    if (!found) return;
    for (const [order, index] of this.#columns.entries()) {
      const value = h("span", { class: "kvmnb-value" });
      const swatch = h("span", { class: "kvmnb-swatch", "aria-hidden": "true" });
      swatch.style.borderTopColor = lineColor(order, this.theme.dark);
      swatch.style.borderTopStyle = lineDash(order).length ? "dashed" : "solid";
      const label = this.table.columns[index]?.label ?? "";
      this.#legend.append(h("span", { class: "kvmnb-key" }, swatch, label, " ", value));
      this.#shown.push(value);
    }
    this.#plot = new uPlot(this.#options(), this.#data(), this.#place);
    this.#sayValues(null);
  }

  /** @returns {uPlot.Options} */
  #options() {
    const { text, grid, font, dark } = this.theme;
    const percent = this.panel.unit === "%";
    const axis = { stroke: text, font, ticks: { stroke: grid, size: 4 }, grid: { stroke: grid } };
    return {
      width: this.#width(),
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: {
        drag: { x: false, y: false },
        sync: { key: this.group },
        points: { size: 6 },
        y: false,
      },
      scales: {
        x: { time: true, range: (_, low, high) => [Math.min(low, high - LEAST_SPAN_S), high] },
        y: percent
          ? { range: [0, 100] }
          : { range: (_, __, high) => [0, Math.max(1024, (high ?? 0) * 1.08)] },
      },
      series: [
        {},
        ...this.#columns.map((_, order) => ({
          stroke: lineColor(order, dark),
          dash: lineDash(order),
          width: 1.75,
          points: { show: false },
        })),
      ],
      axes: [
        { ...axis, space: 70, size: 26, values: clock },
        {
          ...axis,
          size: 66,
          space: 28,
          incrs: percent ? PERCENT_STEPS : BYTE_STEPS,
          values: (_, splits) => splits.map((value) => format(value, this.panel.unit)),
        },
      ],
      hooks: {
        draw: [(plot) => this.#drawMarks(plot)],
        setCursor: [
          (plot) => {
            this.#sayValues(plot.cursor.idx ?? null);
            this.#sayMarks(plot);
          },
        ],
      },
    };
  }

  /** @param {number | null} row under the cursor; `null` for the newest */
  #sayValues(row) {
    for (const [order, index] of this.#columns.entries()) {
      const shown = this.#shown[order];
      const value = row === null ? this.table.last(index) : this.table.values[index]?.[row];
      if (shown !== undefined) say(shown, format(value, this.panel.unit));
    }
  }

  /**
   * Say under the cursor what happened there: beside a line there is not always room for words.
   *
   * @param {uPlot} plot
   */
  #sayMarks(plot) {
    const left = plot.cursor.left ?? -1;
    const near = this.marks.filter(
      ({ time }) => left >= 0 && Math.abs(plot.valToPos(time, "x") - left) <= NEAR_PX,
    );
    const said = near.map(({ label }) => label).join("\n");
    if (plot.over.title !== said) plot.over.title = said;
  }

  /** @param {uPlot} plot */
  #drawMarks(plot) {
    const { ctx, bbox } = plot;
    const ratio = uPlot.pxRatio;
    const { min = 0, max = 0 } = /** @type {{min?: number, max?: number}} */ (plot.scales.x);
    ctx.save();
    ctx.font = `${10 * ratio}px ${this.theme.font.replace(/^\S+ /, "")}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    /** @type {[number, number][][]} */
    const rows = Array.from({ length: LABEL_ROWS }, () => []);
    const shown = this.marks.filter(({ time }) => time >= min && time <= max);
    // the strong ones first, so that others' words leave theirs room
    for (const { time, label, strong } of shown.sort((a, b) => +b.strong - +a.strong)) {
      const x = Math.round(plot.valToPos(time, "x", true));
      ctx.strokeStyle = strong ? this.theme.accent : this.theme.text;
      ctx.setLineDash(strong ? [] : [3 * ratio, 3 * ratio]);
      ctx.lineWidth = strong ? 1.5 * ratio : ratio;
      ctx.globalAlpha = strong ? 1 : 0.55;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      // a label that would leave the chart turns; one that would cover another stays away
      const width = ctx.measureText(label).width + 4 * ratio;
      const left = x + width > bbox.left + bbox.width ? x - width : x + 3 * ratio;
      const row = rows.findIndex((taken) =>
        taken.every(([start, end]) => end <= left || left + width <= start),
      );
      const taken = rows[row];
      if (taken === undefined) continue;
      taken.push([left, left + width]);
      // a ground of its own, since a line of the chart may run there
      const top = bbox.top + (2 + row * LABEL_PX) * ratio;
      ctx.globalAlpha = 0.75;
      ctx.fillStyle = this.theme.ground;
      ctx.fillRect(left - ratio, top - ratio, width - 2 * ratio, LABEL_PX * ratio);
      ctx.globalAlpha = strong ? 1 : 0.85;
      ctx.fillStyle = strong ? this.theme.accent : this.theme.text;
      ctx.fillText(label, left, top);
    }
    ctx.restore();
  }
}

/**
 * @param {uPlot} _
 * @param {number[]} splits
 * @returns {string[]}
 */
function clock(_, splits) {
  return splits.map((seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8));
}
