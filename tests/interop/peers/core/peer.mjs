// The network core of Lodestar 1.44 without a chain: libp2p over TCP and QUIC, Noise, Mplex, identify, gossipsub, discv5, peer manager,
// subnets, custody, metadata and Status policy are the client's own. It accepts every gossip message and serves no blocks.
// Usage: node peer.mjs '{"port", "quicPort", "genesisTime", "genesisValidatorsRoot", "bootEnrs", "config", "everything"}'; prints one
// JSON object a line.
//   config: keys of config.yaml over the default, which is mainnet with every fork up to Fulu in force from genesis;
//   everything: subscribe to every subnet and data column.
// Reads one JSON object a line:
//   {"publish", "data", "to"}: publishes the hex `data` on the topic, once `to` peers are subscribed to it;
//   {"standing": peer}: tells what gossipsub thinks of a peer.
import {createInterface} from "node:readline";
import {createBeaconConfig, createChainForkConfig, chainConfigFromJson, chainConfigToJson} from "@lodestar/config";
import {mainnetChainConfig} from "@lodestar/config/configs";
import {getNodeLogger} from "@lodestar/logger/node";
import {ResponseError, RespStatus} from "@lodestar/reqresp";
import {SignableENR} from "@chainsafe/enr";
import {generateKeyPair} from "@libp2p/crypto/keys";

const lib = new URL("./node_modules/@lodestar/beacon-node/lib/", import.meta.url);
const {NetworkCore} = await import(new URL("network/core/networkCore.js", lib));
const {NetworkEventBus, NetworkEvent} = await import(new URL("network/events.js", lib));
const {defaultNetworkOptions} = await import(new URL("network/options.js", lib));
const {Clock} = await import(new URL("util/clock.js", lib));

const {getGossipSSZType} = await import(new URL("network/gossip/topic.js", lib));

const {port, quicPort, genesisTime, genesisValidatorsRoot, bootEnrs = [], config: overrides = {}, everything = false} = JSON.parse(process.argv[2]);

const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const plain = (_, value) => (typeof value === "bigint" ? String(value) : value instanceof Uint8Array ? hex(value) : value);
const emit = (event, fields) => console.log(JSON.stringify({event, ...fields}, plain));

const upToFulu = ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"].map((fork) => [`${fork}_FORK_EPOCH`, "0"]);
const base = {...chainConfigToJson(mainnetChainConfig), CONFIG_NAME: "interop", BLOB_SCHEDULE: [], ...Object.fromEntries(upToFulu)};
const chainConfig = createChainForkConfig(chainConfigFromJson({...base, ...overrides}));
const root = Buffer.from(genesisValidatorsRoot.slice(2), "hex");
const config = createBeaconConfig(chainConfig, root);
const clock = new Clock({config: chainConfig, genesisTime, signal: new AbortController().signal});
const forkDigest = config.forkBoundary2ForkDigest(config.getForkBoundaryAtEpoch(clock.currentEpoch));

const privateKey = await generateKeyPair("secp256k1");
const enr = SignableENR.createFromPrivateKey(privateKey);
enr.ip = "127.0.0.1";
enr.udp = port;
enr.tcp = port;
enr.set("quic", Buffer.from([quicPort >> 8, quicPort & 255]));

const events = new NetworkEventBus();
events.on(NetworkEvent.peerConnected, ({peer, status, clientAgent}) => emit("peerConnected", {peer, status, clientAgent}));
events.on(NetworkEvent.peerDisconnected, ({peer}) => emit("peerDisconnected", {peer}));
events.on(NetworkEvent.reqRespRequest, ({request, peer}) => emit("request", {method: request.method, body: request.body, peer: String(peer)}));
// What is wrong with the SSZ of a message, as the client's own types see it.
const fault = (topic, data) => {
  try {
    getGossipSSZType(topic).deserialize(data);
  } catch (error) {
    return String(error);
  }
};
events.on(NetworkEvent.pendingGossipsubMessage, ({topic, msg, msgId, propagationSource}) => {
  emit("gossip", {topic: msg.topic, messageId: msgId, peer: propagationSource, fault: fault(topic, msg.data)});
  events.emit(NetworkEvent.gossipMessageValidationResult, {msgId, propagationSource, acceptance: "accept"});
});

const core = await NetworkCore.init({
  opts: {
    ...defaultNetworkOptions,
    useWorker: false,
    version: "v1.44.0",
    mdns: false,
    targetPeers: 50,
    maxPeers: 60,
    connectToDiscv5Bootnodes: true,
    subscribeAllSubnets: everything,
    localMultiaddrs: [`/ip4/127.0.0.1/tcp/${port}`, `/ip4/127.0.0.1/udp/${quicPort}/quic-v1`],
    discv5: {enr: enr.encodeTxt(), bindAddrs: {ip4: `/ip4/127.0.0.1/udp/${port}`}, bootEnrs, config: {enrUpdate: false}},
    discv5FirstQueryDelayMs: 0,
  },
  config,
  privateKey,
  peerStoreDir: undefined,
  logger: getNodeLogger({level: "debug", module: "net"}),
  metricsRegistry: null,
  clock,
  events,
  activeValidatorCount: 64,
  getReqRespHandler: (method) => async function* () {
    if (/light_client|_by_root/.test(method)) throw new ResponseError(RespStatus.RESOURCE_UNAVAILABLE, "no chain here");
  },
  initialStatus: {
    forkDigest,
    finalizedRoot: new Uint8Array(32),
    finalizedEpoch: 0,
    headRoot: root,
    headSlot: 0,
    earliestAvailableSlot: 0,
  },
  initialCustodyGroupCount: everything ? 128 : 4,
});
await core.subscribeGossipCoreTopics();

const identity = await core.getNetworkIdentity();
emit("ready", {...identity, forkDigest, config: chainConfigToJson(chainConfig), protocols: core.libp2p.getProtocols()});

const gossipsub = core.gossip.gossipsub;
const publish = async ({publish: topic, data, to}) => {
  while (gossipsub.getSubscribers(topic).length < to) await new Promise((resolve) => setTimeout(resolve, 50));
  const bytes = Buffer.from(data, "hex");
  await core.publishGossip(topic, bytes).then(
    (recipients) => emit("published", {topic, recipients, fault: fault(core.gossip.gossipTopicCache.getTopic(topic), bytes)}),
    (error) => emit("publishFailed", {topic, error: String(error)}),
  );
};
const standing = ({standing: peer}) => {
  const {behaviourPenalty, topics} = gossipsub.dumpPeerScoreStats()[peer];
  const invalid = Object.values(topics).reduce((sum, topic) => sum + topic.invalidMessageDeliveries, 0);
  const streams = core.libp2p.getConnections().filter(({remotePeer}) => String(remotePeer) === peer).flatMap(({streams}) => streams);
  const protocols = streams.map(({protocol}) => protocol).filter((protocol) => protocol?.startsWith("/meshsub/"));
  emit("standing", {peer, score: gossipsub.getScore(peer), behaviourPenalty, invalid, protocols});
};
for await (const line of createInterface({input: process.stdin})) {
  const command = JSON.parse(line);
  if ("publish" in command) await publish(command);
  else standing(command);
}
