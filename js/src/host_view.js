/**
 * `host.view()`: all guests of a host in one live table.
 */

import "./host_view.css";

import { h, keepKeys, say } from "./lib/dom.js";
import { format, lives, sign, word } from "./lib/format.js";
import { Link, numbers } from "./lib/link.js";
import { saidLine, show } from "./lib/said.js";
import { Spark } from "./lib/spark.js";

/** @typedef {import("./lib/link.js").Message} Message */
/** @typedef {import("./lib/said.js").Said} Said */

/**
 * One guest of the table.
 *
 * @typedef {object} Entry
 * @property {number} id stands for the guest in a row of numbers
 * @property {string} name
 * @property {string} state
 * @property {string} busy
 * @property {string} accel
 * @property {string} why
 * @property {number} vcpus
 * @property {number} memory_mib
 */

/** How many numbers stand for one guest: its id, CPU in %, balloon and QEMU's memory in bytes. */
const WIDTH = 4;
const POINTS = 120;

/** @typedef {{cpu: (number | null)[], balloon: number | null, rss: number | null}} Figures */

class Host {
  /** @type {Map<number, Entry>} */
  entries = new Map();
  /** @type {Map<number, Figures>} */
  figures = new Map();
  /** @type {Said | null} */
  said = null;
  known = false;
  /** @type {Set<Shown>} */
  #places = new Set();

  constructor() {
    this.link = new Link(
      (message, buffers) => this.#hear(message, buffers),
      () => this.#each((place) => place.showEntries()),
    );
  }

  /** @param {Shown} place */
  show(place) {
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
        this.known = true;
        this.figures.clear();
        this.said = /** @type {Said | null} */ (message.said);
        this.#setEntries(/** @type {Entry[]} */ (message.guests));
        this.#add(numbers(buffers[0]));
        this.#each((place) => place.showAll());
        break;
      case "guests":
        this.#setEntries(/** @type {Entry[]} */ (message.guests));
        this.#each((place) => place.showEntries());
        break;
      case "rows": {
        const changed = this.#add(numbers(buffers[0]));
        this.#each((place) => place.showFigures(changed));
        break;
      }
      case "said":
        this.said = /** @type {Said | null} */ (message.said);
        this.#each((place) => place.showSaid());
        break;
    }
  }

  /** @param {Entry[]} entries */
  #setEntries(entries) {
    this.entries = new Map(entries.map((entry) => [entry.id, entry]));
    for (const id of this.figures.keys()) if (!this.entries.has(id)) this.figures.delete(id);
  }

  /**
   * @param {Float64Array} flat
   * @returns {Set<number>} the guests that have new figures
   */
  #add(flat) {
    const changed = new Set(/** @type {number[]} */ ([]));
    for (let start = 0; start + WIDTH <= flat.length; start += WIDTH) {
      const [id = -1, cpu = NaN, balloon = NaN, rss = NaN] = flat.subarray(start, start + WIDTH);
      if (!this.entries.has(id)) continue;
      const figures = this.figures.get(id) ?? { cpu: [], balloon: null, rss: null };
      this.figures.set(id, figures);
      figures.cpu.push(Number.isNaN(cpu) ? null : cpu);
      if (figures.cpu.length > POINTS) figures.cpu.shift();
      figures.balloon = Number.isNaN(balloon) ? null : balloon;
      figures.rss = Number.isNaN(rss) ? null : rss;
      changed.add(id);
    }
    return changed;
  }
}

/** One guest's row in one place. */
class Row {
  #sign = h("span", { class: "kvmnb-sign", "aria-hidden": "true" });
  #word = h("span", {});
  #state = h("span", { class: "kvmnb-state" }, this.#sign, this.#word);
  #accel = h("td", {});
  #cpu = h("span", { class: "kvmnb-number" });
  #spark = new Spark(POINTS, 100);
  #memory = h("td", { class: "kvmnb-number" });
  #rss = h("td", { class: "kvmnb-number" });
  #toggle = h("button", { class: "kvmnb-button", type: "button", click: () => this.#press() });
  #shutdown = h("button", { class: "kvmnb-button", type: "button" }, "■ Shut down");

  /**
   * @param {Entry} entry
   * @param {(verb: string, name: string) => void} send
   */
  constructor(entry, send) {
    this.entry = entry;
    this.send = send;
    this.#shutdown.addEventListener("click", () => send("shutdown", this.entry.name));
    this.#shutdown.setAttribute("aria-label", `Shut down ${entry.name}`);
    this.element = h(
      "tr",
      {},
      h("th", { scope: "row", class: "kvmnb-name" }, entry.name),
      h("td", {}, this.#state),
      this.#accel,
      h("td", {}, h("div", { class: "kvmnb-cpu" }, this.#spark.element, this.#cpu)),
      this.#memory,
      this.#rss,
      h("td", {}, h("div", { class: "kvmnb-buttons" }, this.#toggle, this.#shutdown)),
    );
  }

  /**
   * @param {Entry} entry
   * @param {boolean} silent
   */
  show(entry, silent) {
    this.entry = entry;
    const paused = entry.state === "paused";
    const idle = lives(entry.state) && !silent;
    this.#state.dataset.state = entry.state;
    say(this.#sign, sign(entry.state));
    say(this.#word, word(entry.state));
    const vcpus = `${entry.vcpus} vCPU${entry.vcpus === 1 ? "" : "s"}`;
    say(this.#accel, `${entry.accel.toUpperCase()}, ${vcpus}`);
    this.#accel.title = entry.why;
    say(this.#toggle, paused ? "▶ Resume" : "❚❚ Suspend");
    this.#toggle.setAttribute("aria-label", `${paused ? "Resume" : "Suspend"} ${entry.name}`);
    this.#toggle.disabled = !idle || !(paused || entry.state === "running");
    say(this.#shutdown, entry.busy === "shutdown" && idle ? "■ Shutting down …" : "■ Shut down");
    this.#shutdown.disabled = !idle || entry.busy === "shutdown";
    this.element.toggleAttribute("data-ended", !lives(entry.state));
  }

  /**
   * @param {Figures} figures
   * @param {boolean} whole whether the line begins anew
   */
  showFigures(figures, whole) {
    const newest = figures.cpu.at(-1) ?? null;
    this.#spark.add(...(whole ? figures.cpu : [newest]));
    say(this.#cpu, format(newest, "%"));
    const size = format(this.entry.memory_mib * (1 << 20), "B");
    const balloon = figures.balloon === null ? "" : `${format(figures.balloon, "B")} of `;
    say(this.#memory, `${balloon}${size}`);
    say(this.#rss, format(figures.rss, "B"));
    this.element.dataset.points = String(figures.cpu.length);
  }

  #press() {
    this.send(this.entry.state === "paused" ? "resume" : "suspend", this.entry.name);
  }
}

/** One place where the table is shown. */
class Shown {
  #count = h("span", { class: "kvmnb-state", role: "status" });
  #body = h("tbody", {});
  #table = h(
    "table",
    { class: "kvmnb-guests" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...["guest", "state", "runs on", "CPU"].map((title) => h("th", { scope: "col" }, title)),
        h("th", { scope: "col", class: "kvmnb-number" }, "memory"),
        h("th", { scope: "col", class: "kvmnb-number" }, "QEMU's memory"),
        h("th", { scope: "col" }, "do"),
      ),
    ),
    this.#body,
  );
  #none = h("div", { class: "kvmnb-none" }, "No guest runs here.");
  #said = saidLine();
  /** @type {Map<number, Row>} */
  #rows = new Map();

  /**
   * @param {Host} host
   * @param {HTMLElement} parent
   */
  constructor(host, parent) {
    this.host = host;
    const title = h("span", { class: "kvmnb-name" }, "Guests");
    this.element = h(
      "div",
      { class: "kvmnb kvmnb-host" },
      h("div", { class: "kvmnb-host-head" }, title, this.#count),
      this.#table,
      this.#none,
      this.#said,
    );
    keepKeys(this.element);
    parent.append(this.element);
    this.showAll();
  }

  destroy() {
    this.element.remove();
  }

  showAll() {
    this.#rows.clear();
    this.#body.replaceChildren();
    this.showEntries();
    for (const [id, figures] of this.host.figures) this.#rows.get(id)?.showFigures(figures, true);
    this.showSaid();
  }

  showEntries() {
    const { entries, link, known } = this.host;
    for (const [id, row] of this.#rows) {
      if (entries.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    for (const [id, entry] of entries) {
      let row = this.#rows.get(id);
      if (row === undefined) {
        row = new Row(entry, (verb, guest) => this.host.link.send({ kind: "press", verb, guest }));
        this.#rows.set(id, row);
        this.#body.append(row.element);
      }
      row.show(entry, link.silent);
    }
    const running = [...entries.values()].filter((entry) => lives(entry.state)).length;
    const count = known ? `${running} here` : "connecting";
    say(this.#count, link.silent ? "? no answer from the kernel" : count);
    this.#none.hidden = !known || entries.size > 0;
    this.#table.hidden = entries.size === 0;
  }

  /** @param {Set<number>} changed */
  showFigures(changed) {
    for (const id of changed) {
      const figures = this.host.figures.get(id);
      if (figures !== undefined) this.#rows.get(id)?.showFigures(figures, false);
    }
  }

  showSaid() {
    const otherwise = "What is done to a guest here shows as QMP and virsh say it.";
    show(this.#said, this.host.said, otherwise);
  }
}

/** @returns {import("@anywidget/types").AnyWidget} */
export default () => {
  const host = new Host();
  return {
    initialize: ({ model }) => host.link.attach(model),
    render: ({ el }) => {
      const place = new Shown(host, el);
      host.show(place);
      return () => host.hide(place);
    },
  };
};
