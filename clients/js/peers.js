/** The others in the channel, as far as this client has been told. */
export class Peers {
  #known = new Map();

  get all() { return [...this.#known.values()]; }

  note({ peer, state, sender }) {
    if (state === "left") {
      this.#known.delete(peer);
    } else {
      this.#known.set(peer, { peer, state: state === "away" ? "away" : "here", sender });
    }
  }

  /** Takes the list of a greeting, and returns what has changed since the last that was known. */
  replace(list) {
    const before = this.#known;
    this.#known = new Map(list.map(({ peer, state, sender }) => [peer, { peer, state, sender }]));
    const changes = [];
    for (const { peer, state, sender } of list) {
      const was = before.get(peer)?.state;
      if (was !== state) {
        changes.push({ peer, state: state === "away" ? "away" : was ? "back" : "joined", sender });
      }
    }
    for (const { peer, sender } of before.values()) {
      if (!this.#known.has(peer)) {
        changes.push({ peer, state: "left", sender });
      }
    }
    return changes;
  }
}
