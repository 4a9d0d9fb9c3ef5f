// Loaded before every peer (`node --import`), so that the scenarios can rely on two things.
import {isMainThread} from "node:worker_threads";

// Node 20 lacks this one; js-libp2p 3 is written for 22 and later.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((...settle) => ([resolve, reject] = settle));
  return {promise, resolve, reject};
};

// The test holds the other end of stdin: when the test dies, however it dies, so does the peer.
if (isMainThread) {
  process.stdin.on("end", () => process.exit(1)).on("error", () => process.exit(1)).resume();
  process.stdin.unref?.();
}
