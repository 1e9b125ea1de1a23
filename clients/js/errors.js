/** Why a channel ended, or why a message cannot be sent. */
export class ChannelError extends Error {
  constructor(code, reason, retry) {
    super(`${reason || "connection lost"} (${code})`);
    this.name = "ChannelError";
    this.code = code;
    this.reason = reason;
    this.retry = retry;
  }
}

export class QueueFullError extends Error {
  constructor(limit, value) {
    super(`The queue of messages that the server has not accepted yet is full: ${limit} is ${value}.`);
    this.name = "QueueFullError";
    this.limit = limit;
  }
}
