export const SYSTEM_CLOCK = {
  // Not performance.now(): in some browsers that stands still while the device sleeps.
  now: () => Date.now(),
  setTimeout: (action, delay) => setTimeout(action, delay),
  clearTimeout: timer => clearTimeout(timer),
};

/** Timers by name, at most one of each. */
export class Timers {
  #clock;
  #running = new Map();

  constructor(clock) {
    this.#clock = clock;
  }

  has(name) { return this.#running.has(name); }

  start(name, delay, action) {
    this.stop(name);
    this.#running.set(name, this.#clock.setTimeout(() => {
      this.#running.delete(name);
      action();
    }, delay));
  }

  stop(...names) {
    for (const name of names) {
      if (this.#running.has(name)) {
        this.#clock.clearTimeout(this.#running.get(name));
        this.#running.delete(name);
      }
    }
  }

  stopAll() {
    this.stop(...this.#running.keys());
  }
}
