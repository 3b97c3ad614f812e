/**
 * `guest.view()`: one guest, live.
 */

import "./guest_view.css";

import { Chart } from "./lib/chart.js";
import { h, keepKeys, say } from "./lib/dom.js";
import { lives, sign, word } from "./lib/format.js";
import { Link, numbers } from "./lib/link.js";
import { saidLine, show } from "./lib/said.js";
import { Table } from "./lib/table.js";
import { onThemeChange, themeOf } from "./lib/theme.js";

/** @typedef {import("./lib/chart.js").Mark} Mark */
/** @typedef {import("./lib/chart.js").Panel} Panel */
/** @typedef {import("./lib/link.js").Message} Message */
/** @typedef {import("./lib/said.js").Said} Said */
/** @typedef {import("./lib/table.js").Column} Column */

/**
 * What a guest is, as far as that does not change.
 *
 * @typedef {object} About
 * @property {string} name
 * @property {string} accel
 * @property {string} why of the accelerator
 * @property {number} vcpus
 * @property {number} memory_mib
 * @property {number} least_mib what a balloon may leave it
 * @property {boolean} balloon whether it has one
 * @property {Panel[]} panels
 * @property {number} rows how many are kept
 * @property {number} marks how many are kept
 */

const MIB = 1 << 20;

/** What the page knows of the guest, for all places that show it. */
class Guest {
  /** @type {About | null} */
  about = null;
  state = "";
  /** What is under way, such as `"shutdown"`. */
  busy = "";
  /** @type {Said | null} */
  said = null;
  /** @type {Mark[]} */
  marks = [];
  table = new Table(0);
  /** @type {Set<Shown>} */
  #places = new Set();

  constructor() {
    this.link = new Link(
      (message, buffers) => this.#hear(message, buffers),
      () => this.#each((place) => place.showState()),
    );
  }

  /** @param {Shown} place */
  show(place) {
    // a notebook that renders an output anew leaves the old place without a word
    for (const old of this.#places) if (!old.element.isConnected) this.hide(old);
    this.#places.add(place);
    if (this.#places.size === 1) this.link.open();
  }

  /** @param {Shown} place */
  hide(place) {
    if (!this.#places.delete(place)) return;
    place.destroy();
    if (this.#places.size === 0) this.link.close();
  }

  /** @param {(place: Shown) => void} what */
  #each(what) {
    for (const place of this.#places) what(place);
  }

  /**
   * @param {Message} message
   * @param {DataView[]} buffers
   */
  #hear(message, buffers) {
    switch (message.kind) {
      case "history":
        this.#begin(message, numbers(buffers[0]));
        break;
      case "columns":
        this.table.setColumns(/** @type {Column[]} */ (message.columns));
        break;
      case "row":
        this.table.add(numbers(buffers[0]));
        this.#each((place) => place.showRow());
        break;
      case "mark":
        this.marks.push(/** @type {Mark} */ (message.mark));
        if (this.marks.length > (this.about?.marks ?? 0)) this.marks.shift();
        this.#each((place) => place.showMarks());
        break;
      case "state":
        this.state = String(message.state);
        this.busy = String(message.busy);
        this.link.expecting = lives(this.state);
        this.#each((place) => place.showState());
        break;
      case "said":
        this.said = /** @type {Said | null} */ (message.said);
        this.#each((place) => place.showSaid());
        break;
    }
  }

  /**
   * @param {Message} message
   * @param {Float64Array} rows
   */
  #begin(message, rows) {
    this.about = /** @type {About} */ (message.about);
    this.state = String(message.state);
    this.busy = String(message.busy);
    this.said = /** @type {Said | null} */ (message.said);
    this.marks = /** @type {Mark[]} */ (message.marks);
    this.table = new Table(this.about.rows);
    this.table.fill(/** @type {Column[]} */ (message.columns), rows);
    this.link.expecting = lives(this.state);
    this.#each((place) => place.showAll());
  }
}

let groups = 0;

/** One place where a guest is shown. */
class Shown {
  #name = h("span", { class: "kvmnb-name" });
  #sign = h("span", { class: "kvmnb-sign", "aria-hidden": "true" });
  #word = h("span", {});
  #state = h("span", { class: "kvmnb-state", role: "status" }, this.#sign, this.#word);
  #facts = h("span", { class: "kvmnb-facts" });
  #toggle = h("button", { class: "kvmnb-button", type: "button", click: () => this.#press() });
  #shutdown = h(
    "button",
    { class: "kvmnb-button", type: "button", click: () => this.#send("shutdown") },
    "■ Shut down",
  );
  #slider = h("input", {
    type: "range",
    "aria-label": "Balloon: memory that the guest keeps, in MiB",
    step: "1",
    disabled: true,
    input: () => this.#slide(),
    change: () => this.#release(),
  });
  #size = h("output", {}, "–");
  #balloon = h("label", { class: "kvmnb-balloon" }, "Balloon ", this.#slider, this.#size);
  #charts = h("div", { class: "kvmnb-charts" });
  #said = saidLine();
  /** @type {Chart[]} */
  #drawn = [];
  #group = `kvmnb-${(groups += 1)}`;
  /** Whether the slider is in somebody's hand; it then does not follow the guest. */
  #held = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #letGo;

  /**
   * @param {Guest} guest
   * @param {HTMLElement} parent
   */
  constructor(guest, parent) {
    this.guest = guest;
    this.element = h(
      "div",
      { class: "kvmnb kvmnb-guest" },
      h("div", { class: "kvmnb-head" }, this.#name, this.#state, this.#facts),
      h("div", { class: "kvmnb-controls" }, this.#toggle, this.#shutdown, this.#balloon),
      this.#charts,
      this.#said,
    );
    keepKeys(this.element);
    parent.append(this.element);
    this.observer = new ResizeObserver(() => this.#drawn.forEach((chart) => chart.resize()));
    this.observer.observe(this.#charts);
    this.endTheme = onThemeChange(() => {
      const theme = themeOf(this.element);
      for (const chart of this.#drawn) chart.setTheme(theme);
    });
    this.showAll();
  }

  destroy() {
    clearTimeout(this.#letGo);
    this.observer.disconnect();
    this.endTheme();
    for (const chart of this.#drawn) chart.destroy();
    this.element.remove();
  }

  showAll() {
    const { about, table, marks } = this.guest;
    for (const chart of this.#drawn) chart.destroy();
    this.#drawn = [];
    if (about !== null) {
      say(this.#name, about.name);
      this.#facts.replaceChildren(
        h("span", { title: about.why }, about.accel.toUpperCase()),
        h("span", {}, `${about.vcpus} vCPU${about.vcpus === 1 ? "" : "s"}`),
        h("span", {}, `${about.memory_mib} MiB`),
      );
      this.#balloon.hidden = !about.balloon;
      this.#slider.min = String(Math.min(about.least_mib, about.memory_mib));
      this.#slider.max = String(about.memory_mib);
      const theme = themeOf(this.element);
      this.#drawn = about.panels.map(
        (panel) => new Chart(panel, table, marks, theme, this.#group),
      );
      this.#charts.replaceChildren(...this.#drawn.map((chart) => chart.element));
    }
    this.showRow();
    this.showState();
    this.showSaid();
  }

  showRow() {
    for (const chart of this.#drawn) chart.update();
    this.element.dataset.points = String(this.guest.table.times.length);
    this.#follow();
  }

  showMarks() {
    for (const chart of this.#drawn) chart.redraw();
  }

  showState() {
    const { state, busy, link, about } = this.guest;
    this.#state.dataset.state = link.silent ? "silent" : state;
    say(this.#sign, link.silent ? "?" : sign(state));
    say(this.#word, link.silent ? "no answer from the kernel" : state ? word(state) : "connecting");
    const idle = about !== null && lives(state) && !link.silent;
    const paused = state === "paused";
    say(this.#toggle, paused ? "▶ Resume" : "❚❚ Suspend");
    this.#toggle.disabled = !idle || !(paused || state === "running");
    say(this.#shutdown, busy === "shutdown" && idle ? "■ Shutting down …" : "■ Shut down");
    this.#shutdown.disabled = !idle || busy === "shutdown";
    this.#slider.disabled = !idle || !about.balloon;
  }

  showSaid() {
    const otherwise = "What is done to the guest shows here as QMP and virsh say it.";
    show(this.#said, this.guest.said, otherwise);
  }

  /** Let the slider show what the guest has, unless somebody holds it. */
  #follow() {
    const { about, table } = this.guest;
    if (about === null || this.#held) return;
    const index = table.columns.findIndex((column) => column.label === "balloon");
    const actual = table.last(index);
    this.#sayBalloon(actual === null ? about.memory_mib : Math.round(actual / MIB));
  }

  /** @param {number} mib */
  #sayBalloon(mib) {
    this.#slider.value = String(mib);
    this.#slider.setAttribute("aria-valuetext", `${mib} MiB`);
    say(this.#size, `${mib} MiB`);
  }

  #slide() {
    this.#held = true;
    clearTimeout(this.#letGo);
    this.#sayBalloon(this.#slider.valueAsNumber);
  }

  #release() {
    const mib = this.#slider.valueAsNumber;
    this.guest.link.send({ kind: "press", verb: "balloon", mib });
    // keys step on and on, and the guest takes a while: until then the wish stays in sight
    clearTimeout(this.#letGo);
    this.#letGo = setTimeout(() => {
      this.#held = false;
      this.#follow();
    }, 2000);
  }

  #press() {
    this.#send(this.guest.state === "paused" ? "resume" : "suspend");
  }

  /** @param {string} verb */
  #send(verb) {
    this.guest.link.send({ kind: "press", verb });
  }
}

/** @returns {import("@anywidget/types").AnyWidget} */
export default () => {
  const guest = new Guest();
  return {
    initialize: ({ model }) => guest.link.attach(model),
    render: ({ el }) => {
      const place = new Shown(guest, el);
      guest.show(place);
      return () => guest.hide(place);
    },
  };
};
