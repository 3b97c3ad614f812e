/**
 * The last rows of what a guest measured, column by column, as uPlot takes them.
 */

/** @typedef {{panel: string, label: string}} Column */
/** @typedef {(number | null)[]} Values */

export class Table {
  /** @type {Column[]} */
  columns = [];
  /** Seconds since the epoch. @type {number[]} */
  times = [];
  /** One array a column; `null` where nothing could be read. @type {Values[]} */
  values = [];

  /** @param {number} rows how many are kept; then the oldest go */
  constructor(rows) {
    this.rows = rows;
  }

  /**
   * Set the columns: those that are there already, and new ones behind them.
   *
   * @param {Column[]} columns
   */
  setColumns(columns) {
    this.columns = columns;
    while (this.values.length < columns.length) {
      this.values.push(/** @type {Values} */ (new Array(this.times.length).fill(null)));
    }
  }

  /**
   * Replace all rows.
   *
   * @param {Column[]} columns
   * @param {Float64Array} flat row by row, each with its time in front
   */
  fill(columns, flat) {
    this.times = [];
    this.values = [];
    this.setColumns(columns);
    const width = columns.length + 1;
    for (let start = 0; start + width <= flat.length; start += width) {
      this.add(flat.subarray(start, start + width));
    }
  }

  /**
   * Add one row.
   *
   * @param {Float64Array} row its time, then a value a column; NaN stands for a missing one
   */
  add(row) {
    const time = row[0];
    // uPlot needs rising times; a clock that was set back begins the table anew
    if (time === undefined) return;
    if (time <= (this.times.at(-1) ?? -Infinity)) this.#clear();
    this.times.push(time);
    for (const [index, values] of this.values.entries()) {
      const value = row[index + 1];
      values.push(value === undefined || Number.isNaN(value) ? null : value);
    }
    if (this.times.length > this.rows) {
      this.times.shift();
      for (const values of this.values) values.shift();
    }
  }

  /**
   * Return the newest value of a column.
   *
   * @param {number} index
   * @returns {number | null}
   */
  last(index) {
    return this.values[index]?.at(-1) ?? null;
  }

  #clear() {
    this.times.length = 0;
    for (const values of this.values) values.length = 0;
  }
}
