// As much of Borsh as the engine's messages need (crates/session/src/messages.rs and helpers.rs), both ways.

export const message = (...parts) => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

export const variant = number => Uint8Array.of(number);
export const u32 = number => new Uint8Array(Uint32Array.of(number).buffer);
export const u64 = number => new Uint8Array(BigUint64Array.of(BigInt(number)).buffer);

export const text = words => {
  const bytes = new TextEncoder().encode(words);
  return message(u32(bytes.length), bytes);
};

export const floats = values => message(u32(values.length), new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

export class Read {
  constructor(bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  take(length, how) {
    const value = this.view[how](this.at, true);
    this.at += length;
    return value;
  }

  byte() {
    return this.take(1, 'getUint8');
  }

  u32() {
    return this.take(4, 'getUint32');
  }

  u64() {
    return Number(this.take(8, 'getBigUint64'));
  }

  f64() {
    return this.take(8, 'getFloat64');
  }

  many(one) {
    return Array.from({ length: this.u32() }, one);
  }

  maybe(one) {
    return this.byte() === 1 ? one() : null;
  }

  // Nothing may be left over: then the messages are others than these.
  end() {
    if (this.at !== this.view.byteLength) throw new Error('the engine speaks otherwise than this bench');
  }
}
