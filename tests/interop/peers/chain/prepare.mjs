// Runs once after the install: changes without which Lodestar 1.5.1 does not run a chain by itself.
import {copyFileSync, readFileSync, writeFileSync} from "node:fs";

const patch = (file, ...replacements) => {
  let source = readFileSync(file, "utf8");
  for (const [from, to] of replacements) {
    if (!source.includes(from)) throw new Error(`${file}: nothing to patch: ${from}`);
    source = source.replace(from, to);
  }
  writeFileSync(file, source);
};

// 1. `snappy` wants a compiler, Python and Node's headers; the tree holds a pure JavaScript one.
copyFileSync("snappy.cjs", "node_modules/snappy/snappy.js");

// 2. `--execution.engineMock` knows neither the genesis block that `dev` makes nor Capella.
patch("node_modules/@chainsafe/lodestar/lib/options/beaconNodeOptions/execution.js", [
  'genesisBlockHash: ""',
  'genesisBlockHash: "0x" + "0b".repeat(32), capellaForkTimestamp: 0',
]);

// 3. Everyone here has the same address, which costs more than three peers their score. And a node that is started in the first
// slots of its chain never scores deliveries in the mesh: let it be told that it was started later.
patch(
  "node_modules/@lodestar/beacon-node/lib/network/gossip/scoringParameters.js",
  ["IPColocationFactorThreshold: 3,", "IPColocationFactorThreshold: 50,"],
  ["decaySlots >= currentSlot", "decaySlots >= Math.max(currentSlot, Number(process.env.INTEROP_SCORED_AT_SLOT ?? 0))"],
);

// 4. A node makes itself a new key each time it starts, and would come back from a restart as somebody else.
patch("node_modules/@chainsafe/lodestar/lib/cmds/beacon/handler.js", [
  "const peerId = await createSecp256k1PeerId();",
  `const kept = path.join(beaconPaths.beaconDir, "peer_id.json");
    const peerId = (await import("node:fs")).existsSync(kept)
      ? await (await import("../../config/peerId.js")).readPeerId(kept)
      : await createSecp256k1PeerId();`,
]);
