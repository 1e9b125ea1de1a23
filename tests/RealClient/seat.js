// What a seat's client has been given and has given, over all its connections, told by the octets alone.
import { PING, PONG, TEXT } from "./wire.js";

export class Seat {
  /** Texts that went up whole. */
  texts = 0;

  /** Envelopes that came down whole, each counted once. */
  delivered = 0;

  /** The highest number of a pong that went up whole. */
  acknowledged = 0;

  /** The highest number of a ping that came down whole. */
  pinged = 0;

  /** Envelopes that came again, because their pong had not gone up. No server can know better. */
  repeated = 0;

  /** What no server may do. */
  violations = [];

  /** Whether an envelope is there whose ping is not: the residual case of docs/protocol.md. */
  get isInDoubt() {
    return this.delivered > this.pinged;
  }

  up({ opcode, payload }) {
    if (opcode === TEXT) {
      this.texts++;
    } else if (opcode === PONG && payload !== "") {
      this.acknowledged = Math.max(this.acknowledged, Number(payload));
    }
  }

  /** One connection's way down. */
  connection() {
    let number = null;
    let greeted = false;
    return ({ opcode, payload }) => {
      if (opcode === PING && payload !== "") {
        number ??= Number(payload);
        this.pinged = Math.max(this.pinged, Number(payload));
      } else if (opcode === TEXT && !greeted) {
        greeted = true;
        const { received } = JSON.parse(payload);
        if (received === undefined) {
          // A first connection, or one after a greeting that was lost: a new seat.
          Object.assign(this, { texts: 0, delivered: 0, acknowledged: 0, pinged: 0 });
          number = 0;
        } else if (received !== this.texts) {
          this.violations.push(`the greeting says received ${received}, and ${this.texts} texts went up whole`);
        }
      } else if (opcode === TEXT) {
        if (number === null) {
          this.violations.push("an envelope of a resumed session came before the ping that tells its number");
        }
        this.#envelope(++number);
      }
    };
  }

  #envelope(number) {
    if (number > this.delivered + 1) {
      this.violations.push(`envelope ${number} came after ${this.delivered}`);
    } else if (number <= this.acknowledged) {
      this.violations.push(`envelope ${number} came again, although ${this.acknowledged} was acknowledged`);
    } else if (number <= this.delivered) {
      this.repeated++;
    }
    this.delivered = Math.max(this.delivered, number);
  }
}
