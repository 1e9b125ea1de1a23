import { PROTOCOL } from "./protocol.js";

/** One WebSocket, from the attempt to connect on. Whoever has taken another asks it to be silent. */
export class Connection {
  #socket;
  #silent = false;

  constructor(WebSocket, url, offers, { received, closed }) {
    const unlessSilent = handle => event => {
      if (!this.#silent) {
        handle(event);
      }
    };
    this.offered = offers;
    this.#socket = offers ? new WebSocket(url, [PROTOCOL]) : new WebSocket(url);
    this.#socket.onmessage = unlessSilent(({ data }) => received(data));
    this.#socket.onclose = unlessSilent(closed);
    // The close that follows says all there is to say.
    this.#socket.onerror = () => {};
  }

  get version() { return this.#socket.protocol === PROTOCOL ? 2 : 1; }
  get bufferedAmount() { return this.#socket.bufferedAmount; }

  silence() {
    this.#silent = true;
  }

  send(text) {
    this.#socket.send(text);
  }

  close(...codeAndReason) {
    this.#socket.close(...codeAndReason);
  }

  /** As `close`, for one that most likely is dead: the answer is not waited for, where a WebSocket can be told so, as that of `ws` can. */
  discard() {
    this.#socket.close();
    this.#socket.terminate?.();
  }
}
