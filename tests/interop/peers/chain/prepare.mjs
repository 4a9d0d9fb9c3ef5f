// Runs once after the install: two changes without which Lodestar 1.5.1 does not run a chain by itself.
import {copyFileSync, readFileSync, writeFileSync} from "node:fs";

// 1. `snappy` wants a compiler, Python and Node's headers; the tree holds a pure JavaScript one.
copyFileSync("snappy.cjs", "node_modules/snappy/snappy.js");

// 2. `--execution.engineMock` knows neither the genesis block that `dev` makes nor Capella.
const file = "node_modules/@chainsafe/lodestar/lib/options/beaconNodeOptions/execution.js";
const source = readFileSync(file, "utf8");
const patched = source.replace(
  'genesisBlockHash: ""',
  'genesisBlockHash: "0x" + "0b".repeat(32), capellaForkTimestamp: 0',
);
if (patched === source) throw new Error(`${file}: nothing to patch`);
writeFileSync(file, patched);
