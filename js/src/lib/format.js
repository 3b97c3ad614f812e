/**
 * Numbers and states as people read them.
 */

const PREFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/**
 * Return a value with its unit: `format(100663296, "B") === "96 MiB"`.
 *
 * @param {number | null | undefined} value
 * @param {string} unit
 * @returns {string}
 */
export function format(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "%") return `${digits(value)} %`;
  let power = 0;
  while (Math.abs(value) >= 1024 && power < PREFIXES.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${digits(value)} ${PREFIXES[power]}${unit}`;
}

/**
 * Return a number with three digits that count.
 *
 * @param {number} value
 * @returns {string}
 */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

/** A sign for each state; the word always stands beside it. */
const SIGNS = /** @type {Record<string, string>} */ ({
  starting: "◌",
  running: "●",
  paused: "❚❚",
  shutdown: "■",
  crashed: "✖",
  lost: "✖",
});

/** What to call a state; a guest that was shut down is not shutting down. */
const WORDS = /** @type {Record<string, string>} */ ({ shutdown: "shut down" });

/**
 * @param {string} state
 * @returns {string}
 */
export function sign(state) {
  return SIGNS[state] ?? "";
}

/**
 * @param {string} state
 * @returns {string}
 */
export function word(state) {
  return WORDS[state] ?? state;
}

/**
 * Whether a guest in this state is still there to be told something.
 *
 * @param {string} state
 * @returns {boolean}
 */
export function lives(state) {
  return state !== "shutdown" && state !== "lost";
}
