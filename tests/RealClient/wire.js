// What goes over a connection in one direction: a head of HTTP, then frames. Fed with octets as they come.

export const TEXT = 0x1;
export const PING = 0x9;
export const PONG = 0xA;

export class Wire {
  /** Octets that were fed. */
  octets = 0;

  #partial = Buffer.alloc(0);
  #inHead = true;

  /** The frames that these octets complete, each with the offset of its end in the whole stream. */
  feed(chunk) {
    const start = this.octets - this.#partial.length;
    const data = Buffer.concat([this.#partial, chunk]);
    this.octets += chunk.length;
    let at = 0;
    const frames = [];
    if (this.#inHead) {
      const end = data.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#inHead = false;
        at = end + 4;
      }
    }
    for (let frame; !this.#inHead && (frame = frameAt(data, at)) !== null; at = frame.end) {
      frames.push({ ...frame, end: start + frame.end });
    }
    this.#partial = data.subarray(at);
    return frames;
  }
}

function frameAt(data, at) {
  if (data.length < at + 2) {
    return null;
  }
  const masked = (data[at + 1] & 0x80) !== 0;
  let length = data[at + 1] & 0x7F;
  let head = at + 2;
  if (length === 126) {
    if (data.length < at + 4) {
      return null;
    }
    length = data.readUInt16BE(at + 2);
    head = at + 4;
  } else if (length === 127) {
    throw new Error("A frame of more than 64 KiB has no place in a pairing.");
  }
  const begin = head + (masked ? 4 : 0);
  const end = begin + length;
  if (data.length < end) {
    return null;
  }
  const payload = Buffer.from(data.subarray(begin, end));
  if (masked) {
    payload.forEach((octet, i) => (payload[i] = octet ^ data[head + (i % 4)]));
  }
  return { opcode: data[at] & 0x0F, payload: payload.toString(), end };
}
