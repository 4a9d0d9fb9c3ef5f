// The surface of @chainsafe/snappy-wasm, over snappyjs.
import snappyjs from "snappyjs";

export class Encoder {
  compress_into(input, output) {
    const compressed = snappyjs.compress(input);
    output.set(compressed);
    return compressed.length;
  }
  free() {}
}

export class Decoder {
  decompress_into(input, output) {
    const raw = snappyjs.uncompress(input);
    output.set(raw);
    return raw.length;
  }
  free() {}
}

// The block format opens with the length of what was compressed, a varint of at most five bytes.
export const decompress_len = (input) => {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    length += (input[i] & 127) * 2 ** (7 * i);
    if (input[i] < 128) return length;
  }
  throw new Error("bad snappy length");
};

export const max_compress_len = (length) => 32 + length + Math.ceil(length / 6);

export default {Encoder, Decoder, decompress_len, max_compress_len};
