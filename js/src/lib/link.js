/**
 * The line between a page and a view in the kernel.
 *
 * A page says hello when the view is shown first, answers each ping, and says bye when it is shown
 * no more. The kernel works only for pages that answer.
 */

/** @typedef {import("@anywidget/types").AnyModel} Model */
/** @typedef {{kind: string, [key: string]: unknown}} Message */

const LOOK_MS = 1000;
const SILENT_MS = 6000;
const HELLO_AGAIN_MS = 10000;

export class Link {
  /** @type {Model | null} */
  #model = null;
  /** Tells this page from others that show the same view. */
  #id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("");
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #heard = 0;
  #greeted = 0;
  #open = false;

  /** Whether something is awaited from the kernel: not so once a guest has ended. */
  expecting = true;
  /** Whether the kernel owes an answer. */
  silent = false;

  /**
   * @param {(message: Message, buffers: DataView[]) => void} onMessage
   * @param {() => void} onSilence called when `silent` has changed
   */
  constructor(onMessage, onSilence) {
    this.onMessage = onMessage;
    this.onSilence = onSilence;
  }

  /**
   * @param {Model} model
   * @returns {() => void} undoes it
   */
  attach(model) {
    this.#model = model;
    /** @type {(message: Message, buffers: DataView[]) => void} */
    const hear = (message, buffers) => this.#hear(message, buffers);
    model.on("msg:custom", hear);
    return () => {
      model.off("msg:custom", hear);
      clearInterval(this.#timer);
    };
  }

  /** Begin to take part. */
  open() {
    this.#open = true;
    this.#heard = Date.now();
    this.#hello();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Take part no longer. */
  close() {
    this.#open = false;
    clearInterval(this.#timer);
    this.send({ kind: "bye" });
  }

  /** @param {Message} message */
  send(message) {
    try {
      this.#model?.send({ ...message, from: this.#id });
    } catch {
      // the kernel is gone; that nothing comes back is noticed in #look
    }
  }

  #hello() {
    this.#greeted = Date.now();
    this.send({ kind: "hello" });
  }

  /**
   * @param {Message} message
   * @param {DataView[]} buffers
   */
  #hear(message, buffers) {
    this.#heard = Date.now();
    this.#setSilent(false);
    if (message.kind === "ping") {
      if (this.#open) this.send({ kind: "here" });
    } else if (message.kind === "asleep") {
      if (this.#open) this.#hello();
    } else if (message.to === undefined || message.to === this.#id) {
      this.onMessage(message, buffers);
    }
  }

  #look() {
    const now = Date.now();
    if (!this.expecting || now - this.#heard < SILENT_MS) return;
    this.#setSilent(true);
    if (now - this.#greeted > HELLO_AGAIN_MS) this.#hello();
  }

  /** @param {boolean} silent */
  #setSilent(silent) {
    if (silent === this.silent) return;
    this.silent = silent;
    this.onSilence();
  }
}

/**
 * Return the numbers that a message carries. A buffer may begin anywhere, an array may not.
 *
 * @param {DataView | undefined} view
 * @returns {Float64Array}
 */
export function numbers(view) {
  if (view === undefined) return new Float64Array();
  const { buffer, byteOffset, byteLength } = view;
  return new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
