// The network core of Lodestar 1.44 without a chain: libp2p over TCP and QUIC, Noise, Mplex, identify, gossipsub, discv5, peer manager,
// subnets, custody, metadata and Status policy are the client's own. It accepts every gossip message and serves no blocks.
// Usage: node peer.mjs '{"port", "quicPort", "genesisTime", "genesisValidatorsRoot", "bootEnrs"}'; prints one JSON object a line.
import {createBeaconConfig, createChainForkConfig, chainConfigToJson} from "@lodestar/config";
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

const {port, quicPort, genesisTime, genesisValidatorsRoot, bootEnrs = []} = JSON.parse(process.argv[2]);

const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const plain = (_, value) => (typeof value === "bigint" ? String(value) : value instanceof Uint8Array ? hex(value) : value);
const emit = (event, fields) => console.log(JSON.stringify({event, ...fields}, plain));

// Every fork up to Fulu is in force from genesis.
const forks = ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"].map((fork) => [`${fork}_FORK_EPOCH`, 0]);
const chainConfig = createChainForkConfig({...mainnetChainConfig, CONFIG_NAME: "interop", ...Object.fromEntries(forks), BLOB_SCHEDULE: []});
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
events.on(NetworkEvent.pendingGossipsubMessage, ({msgId, propagationSource}) =>
  events.emit(NetworkEvent.gossipMessageValidationResult, {msgId, propagationSource, acceptance: "accept"}));

const core = await NetworkCore.init({
  opts: {
    ...defaultNetworkOptions,
    useWorker: false,
    version: "v1.44.0",
    mdns: false,
    targetPeers: 50,
    maxPeers: 60,
    connectToDiscv5Bootnodes: true,
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
  initialCustodyGroupCount: 4,
});
await core.subscribeGossipCoreTopics();

const identity = await core.getNetworkIdentity();
emit("ready", {...identity, forkDigest, config: chainConfigToJson(chainConfig), protocols: core.libp2p.getProtocols()});
