// A discv5 node: answers PING and FINDNODE, and searches until every wanted node id is found.
// Usage: node peer.mjs '{"port", "eth2", "bootEnrs", "find"}'; prints one JSON object a line.
//   eth2: hex of the 16-byte ENR entry;  find: node ids (hex) to look for by random lookups.
import {Discv5} from "@chainsafe/discv5";
import {ENR, SignableENR} from "@chainsafe/enr";
import {generateKeyPair} from "@libp2p/crypto/keys";
import {multiaddr} from "@multiformats/multiaddr";

const {port, eth2, bootEnrs = [], find = []} = JSON.parse(process.argv[2]);
const emit = (event, fields) => console.log(JSON.stringify({event, ...fields}));

const privateKey = await generateKeyPair("secp256k1");
const enr = SignableENR.createFromPrivateKey(privateKey);
enr.ip = "127.0.0.1";
enr.udp = port;
enr.tcp = port;
enr.set("eth2", Buffer.from(eth2, "hex"));

const discv5 = Discv5.create({
  enr,
  privateKey,
  bindAddrs: {ip4: multiaddr(`/ip4/127.0.0.1/udp/${port}`)},
  config: {enrUpdate: false, lookupTimeout: 5000},
});

const describe = (record) => ({
  nodeId: record.nodeId,
  peerId: String(record.peerId),
  seq: Number(record.seq),
  ip: record.ip,
  udp: record.udp,
  tcp: record.tcp,
  entries: Object.fromEntries([...record.kvs].map(([key, value]) => [key, Buffer.from(value).toString("hex")])),
});

// A session was established and the record verified.
discv5.on("enrAdded", (record) => emit("enrAdded", describe(record)));
await discv5.start();
emit("ready", {enr: discv5.enr.encodeTxt(), nodeId: discv5.enr.nodeId});

for (const text of bootEnrs) {
  const boot = ENR.decodeTxt(text);
  discv5.addEnr(boot);
  emit("pong", {nodeId: boot.nodeId, enrSeq: Number((await discv5.sendPing(boot)).enrSeq)});
}

const wanted = new Set(find);
while (wanted.size > 0) {
  for (const record of await discv5.findRandomNode()) {
    if (!wanted.delete(record.nodeId)) continue;
    emit("found", describe(record));
    // At distance 0 a node answers with its own record.
    const [current] = await discv5.sendFindNode(record, [0]);
    emit("asked", describe(current));
  }
}
