/** What a WebSocket has besides its methods: four constants, and a property for the handler of each event. */
export function shapeLikeWebSocket(type, events) {
  for (const [value, name] of ["CONNECTING", "OPEN", "CLOSING", "CLOSED"].entries()) {
    for (const holder of [type, type.prototype]) {
      Object.defineProperty(holder, name, { value, enumerable: true });
    }
  }
  for (const event of events) {
    const handlers = new WeakMap();
    Object.defineProperty(type.prototype, `on${event}`, {
      enumerable: true,
      get() { return handlers.get(this) ?? null; },
      set(handler) {
        this.removeEventListener(event, handlers.get(this) ?? null);
        handlers.set(this, typeof handler === "function" ? handler : null);
        this.addEventListener(event, handlers.get(this));
      },
    });
  }
}
