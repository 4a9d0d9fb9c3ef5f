// Stands in for @lodestar/reqresp 1.44: ssz_snappy requests and responses over js-libp2p 3 streams, with the API that
// @lodestar/beacon-node 1.44 extends. Written from the consensus p2p spec; no rate limits.
// So peer `core` proves nothing about framing that this file could get wrong in the same way: peer `chain` does, it runs the real one.
import {RequestError, RequestErrorCode, RespStatus, ResponseError} from "./errors.js";
import {encode, Reader} from "./framing.js";

export * from "./errors.js";

export const protocolPrefix = "/eth2/beacon_chain/req";
export const Encoding = {SSZ_SNAPPY: "ssz_snappy"};
export const ReqRespEncoding = Encoding;
export const ContextBytesType = {Empty: 0, ForkDigest: 1};
export const formatProtocolID = (prefix, method, version, encoding) => `${prefix}/${method}/${version}/${encoding}`;

const DIAL_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 5000;
const RESPONSE_TIMEOUT_MS = 10000;

export class ReqResp {
  constructor({libp2p, logger}, opts = {}) {
    this.libp2p = libp2p;
    this.rrLogger = logger;
    this.opts = opts;
    this.registeredProtocols = new Map();
  }

  async start() {
    this.controller = new AbortController();
  }
  async stop() {
    this.controller?.abort();
  }

  // Hooks of the subclass.
  onIncomingRequest() {}
  onIncomingRequestBody() {}
  onIncomingRequestError() {}
  onOutgoingRequestError() {}

  formatProtocolID({method, version, encoding}) {
    return formatProtocolID(protocolPrefix, method, version, encoding);
  }
  getRegisteredProtocols() {
    return [...this.registeredProtocols.keys()];
  }
  registerDialOnlyProtocol(protocol) {
    this.registeredProtocols.set(this.formatProtocolID(protocol), protocol);
  }
  async registerProtocol(protocol) {
    const id = this.formatProtocolID(protocol);
    const known = this.registeredProtocols.has(id);
    this.registeredProtocols.set(id, protocol);
    if (!known) await this.libp2p.handle(id, (stream, connection) => this.serve(id, stream, connection.remotePeer));
  }
  async unregisterProtocol(id) {
    this.registeredProtocols.delete(id);
    await this.libp2p.unhandle(id);
  }
  async unregisterAllProtocols() {
    for (const id of this.getRegisteredProtocols()) await this.unregisterProtocol(id);
  }

  async *sendRequest(peerId, method, versions, encoding, body) {
    const ids = versions.map((version) => this.formatProtocolID({method, version, encoding}));
    let stream;
    try {
      stream = await this.open(peerId, ids);
      const protocol = this.registeredProtocols.get(stream.protocol);
      this.rrLogger.debug("Req request", {method, version: protocol.version, peer: String(peerId)});
      if (protocol.requestSizes !== null) await write(stream, encode(body));
      await stream.close();
      if (!protocol.ignoreResponse) yield* chunks(new Reader(stream), protocol);
    } catch (e) {
      const error = e instanceof RequestError ? e : new RequestError({code: RequestErrorCode.REQUEST_ERROR, error: e}, e.message);
      this.rrLogger.debug("Req error", {method, peer: String(peerId), error: error.message});
      this.onOutgoingRequestError(peerId, method, error);
      throw error;
    } finally {
      stream?.close().catch(() => {});
    }
  }

  async open(peerId, ids) {
    try {
      return await this.libp2p.dialProtocol(peerId, ids, {signal: AbortSignal.timeout(DIAL_TIMEOUT_MS)});
    } catch (e) {
      throw new RequestError({code: RequestErrorCode.DIAL_ERROR, error: e}, e.message);
    }
  }

  async serve(id, stream, peer) {
    const protocol = this.registeredProtocols.get(id);
    const {method, version, requestSizes, contextBytes} = protocol;
    try {
      this.onIncomingRequest(peer, protocol);
      let data = new Uint8Array();
      if (requestSizes !== null) {
        const body = new Reader(stream).payload(requestSizes.maxSize);
        data = await within(body, REQUEST_TIMEOUT_MS, RequestErrorCode.REQUEST_TIMEOUT);
        if (data.length < requestSizes.minSize) throw new ResponseError(RespStatus.INVALID_REQUEST, "too short");
      }
      this.rrLogger.debug("Resp request", {method, version, peer: String(peer), bytes: data.length});
      for await (const chunk of protocol.handler({data, version}, peer)) {
        const context = contextBytes.type === ContextBytesType.ForkDigest
          ? contextBytes.config.forkBoundary2ForkDigest(chunk.boundary)
          : new Uint8Array();
        await write(stream, Buffer.concat([Buffer.from([RespStatus.SUCCESS]), context, encode(chunk.data)]));
      }
    } catch (e) {
      this.rrLogger.debug("Resp error", {method, version, peer: String(peer), error: e.message});
      if (e instanceof RequestError) this.onIncomingRequestError(protocol, e);
      const message = Buffer.from(String(e.errorMessage ?? e.message).slice(0, 256));
      const chunk = Buffer.concat([Buffer.from([e.status ?? RespStatus.SERVER_ERROR]), encode(message)]);
      await write(stream, chunk).catch(() => {});
    } finally {
      await stream.close().catch(() => {});
    }
  }
}

async function* chunks(reader, {version, contextBytes, responseSizes}) {
  for (;;) {
    if (await within(reader.eof(), RESPONSE_TIMEOUT_MS, RequestErrorCode.RESP_TIMEOUT)) return;
    const status = (await reader.take(1))[0];
    if (status !== RespStatus.SUCCESS) {
      const errorMessage = Buffer.from(await reader.payload(256).catch(() => "")).toString();
      throw RequestError.fromStatus(status, errorMessage);
    }
    const fork = contextBytes.type === ContextBytesType.ForkDigest
      ? contextBytes.config.forkDigest2ForkBoundary(new Uint8Array(await reader.take(4))).fork
      : "phase0";
    const body = reader.payload(responseSizes(fork).maxSize);
    const data = await within(body, RESPONSE_TIMEOUT_MS, RequestErrorCode.RESP_TIMEOUT);
    yield {data, fork, protocolVersion: version};
  }
}

async function write(stream, data) {
  if (stream.send(data) === false) await stream.onDrain?.();
}

async function within(promise, ms, code) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new RequestError({code})), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
