/** What a browser tells about the network. Elsewhere these events do not exist, and this does nothing. */
export class Surroundings {
  #told;
  #clock;
  #staleAfter;
  #hiddenAt;

  /** `told(inDoubt)`: a good moment to connect; `inDoubt` when a connection that there is may be dead without knowing. */
  constructor(told, { clock, staleAfter }) {
    this.#told = told;
    this.#clock = clock;
    this.#staleAfter = staleAfter;
    this.#hiddenAt = globalThis.document?.visibilityState === "hidden" ? clock.now() : null;
    globalThis.addEventListener?.("online", this.#online);
    globalThis.document?.addEventListener("visibilitychange", this.#visibilityChanged);
  }

  ignore() {
    globalThis.removeEventListener?.("online", this.#online);
    globalThis.document?.removeEventListener("visibilitychange", this.#visibilityChanged);
  }

  #online = () => this.#told(true);

  #visibilityChanged = () => {
    if (globalThis.document.visibilityState === "hidden") {
      this.#hiddenAt = this.#clock.now();
    } else {
      this.#told(this.#hiddenAt !== null && this.#clock.now() - this.#hiddenAt >= this.#staleAfter);
      this.#hiddenAt = null;
    }
  };
}
