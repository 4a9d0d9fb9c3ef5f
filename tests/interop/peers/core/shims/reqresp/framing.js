// ssz_snappy: a varint of the SSZ length, then the SSZ bytes in snappy's framing format.
import snappyjs from "snappyjs";
import {RequestError, RequestErrorCode} from "./errors.js";

const STREAM_IDENTIFIER = Buffer.from("ff060000734e61507059", "hex");
const MAX_FRAME = 65536;
const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;

const CRC32C = new Uint32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1;
  return n >>> 0;
});

function maskedCrc(data) {
  let crc = ~0;
  for (const byte of data) crc = CRC32C[(crc ^ byte) & 255] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function varint(n) {
  const bytes = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  return Buffer.from([...bytes, n]);
}

export function encode(data) {
  const parts = [varint(data.length), STREAM_IDENTIFIER];
  for (let at = 0; at < data.length; at += MAX_FRAME) {
    const raw = data.subarray(at, at + MAX_FRAME);
    const compressed = Buffer.from(snappyjs.compress(raw));
    const [type, body] = compressed.length < raw.length ? [COMPRESSED, compressed] : [UNCOMPRESSED, Buffer.from(raw)];
    const head = Buffer.alloc(8);
    head.writeUInt8(type, 0);
    head.writeUIntLE(body.length + 4, 1, 3);
    head.writeUInt32LE(maskedCrc(raw), 4);
    parts.push(head, body);
  }
  return Buffer.concat(parts);
}

export class Reader {
  constructor(stream) {
    this.source = stream[Symbol.asyncIterator]();
    this.buffer = Buffer.alloc(0);
  }

  async more() {
    const {done, value} = await this.source.next();
    if (!done) this.buffer = Buffer.concat([this.buffer, value.subarray()]);
    return !done;
  }

  async eof() {
    while (this.buffer.length === 0) if (!(await this.more())) return true;
    return false;
  }

  async take(n) {
    while (this.buffer.length < n) {
      if (!(await this.more())) throw new Error(`unexpected end: wanted ${n}, have ${this.buffer.length}`);
    }
    const taken = this.buffer.subarray(0, n);
    this.buffer = this.buffer.subarray(n);
    return taken;
  }

  async varint() {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = (await this.take(1))[0];
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw new Error("varint too long");
  }

  async payload(maxSize) {
    const length = await this.varint();
    if (length > maxSize) {
      throw new RequestError({code: RequestErrorCode.SSZ_OVER_MAX_SIZE, maxSize, sszDataLength: length});
    }
    const parts = [];
    for (let got = 0; got < length; got += parts.at(-1).length) parts.push(await this.frame());
    const data = Buffer.concat(parts);
    if (data.length !== length) throw new Error("length mismatch");
    return new Uint8Array(data);
  }

  // The next frame that carries data.
  async frame() {
    for (;;) {
      const head = await this.take(4);
      const type = head[0];
      const body = await this.take(head.readUIntLE(1, 3));
      if (type >= 0x80) continue; // stream identifier, padding, skippable
      if (type > UNCOMPRESSED) throw new Error(`snappy chunk type ${type}`);
      const rest = body.subarray(4);
      const raw = type === COMPRESSED ? Buffer.from(snappyjs.uncompress(rest, MAX_FRAME)) : rest;
      if (maskedCrc(raw) !== body.readUInt32LE(0)) throw new Error("snappy crc");
      return raw;
    }
  }
}
