// The three functions of `snappy` 6 that @chainsafe/snappy-stream calls, over snappyjs.
const snappyjs = require("snappyjs");

const settle = (callback, work) => {
  let result;
  try {
    result = work();
  } catch (error) {
    return process.nextTick(callback, error);
  }
  process.nextTick(callback, null, result);
};

exports.compressSync = (input) => Buffer.from(snappyjs.compress(input));
exports.compress = (input, callback) => settle(callback, () => exports.compressSync(input));
exports.uncompress = (input, _options, callback) => settle(callback, () => Buffer.from(snappyjs.uncompress(input)));
