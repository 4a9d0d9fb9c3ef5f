// A js-libp2p peer: TCP, QUIC, Noise, Yamux and Mplex, identify, ping, gossipsub; pings whoever connects. No eth2 protocol is answered.
// Usage: node peer.mjs '{"port", "quicPort", "muxers", "silent"}'; prints one JSON object a line.
//   muxers: "yamux", "mplex";  silent: accept Status streams and never answer, instead of refusing the protocol.
import {createHash} from "node:crypto";
import {createLibp2p} from "libp2p";
import {tcp} from "@libp2p/tcp";
import {quic} from "@chainsafe/libp2p-quic";
import {noise} from "@chainsafe/libp2p-noise";
import {yamux} from "@chainsafe/libp2p-yamux";
import {mplex} from "@libp2p/mplex";
import {identify} from "@libp2p/identify";
import {ping} from "@libp2p/ping";
import {gossipsub} from "@libp2p/gossipsub";
import {generateKeyPair} from "@libp2p/crypto/keys";

const {port, quicPort, muxers = ["yamux", "mplex"], silent = false} = JSON.parse(process.argv[2]);
const emit = (event, fields) => console.log(JSON.stringify({event, ...fields}));
const muxerOf = {yamux, mplex};

const node = await createLibp2p({
  privateKey: await generateKeyPair("secp256k1"),
  addresses: {listen: [`/ip4/127.0.0.1/tcp/${port}`, `/ip4/127.0.0.1/udp/${quicPort}/quic-v1`]},
  transports: [tcp(), quic()],
  connectionEncrypters: [noise()],
  streamMuxers: muxers.map((name) => muxerOf[name]()),
  services: {
    identify: identify({agentVersion: "js-interop-peer/0"}),
    ping: ping(),
    pubsub: gossipsub({
      globalSignaturePolicy: "StrictNoSign",
      msgIdFn: ({data}) => createHash("sha256").update(data).digest().subarray(0, 20),
    }),
  },
});

if (silent) {
  const versions = [1, 2].map((version) => `/eth2/beacon_chain/req/status/${version}/ssz_snappy`);
  await node.handle(versions, () => emit("status"));
}

node.addEventListener("connection:open", async ({detail}) => {
  const peer = String(detail.remotePeer);
  emit("open", {peer, address: String(detail.remoteAddr), muxer: detail.multiplexer});
  await node.services.ping.ping(detail.remotePeer).then(
    (ms) => emit("ping", {peer, ms}),
    (error) => emit("pingFailed", {peer, error: String(error)}),
  );
});
node.addEventListener("connection:close", ({detail}) => emit("close", {peer: String(detail.remotePeer)}));
node.addEventListener("peer:identify", ({detail}) =>
  emit("identify", {
    peer: String(detail.peerId),
    agent: detail.agentVersion,
    protocolVersion: detail.protocolVersion,
    protocols: detail.protocols,
  }));

emit("ready", {peer: String(node.peerId), addresses: node.getMultiaddrs().map(String)});
