// Names that @lodestar/beacon-node's network code imports; without a chain nothing of it is called.
export class Validator {}
export class SlashingProtection {}
export class MetaDataRepository {}
export const defaultOptions = {};
export const MAX_BUILDER_BOOST_FACTOR = 0n;
export const SignableMessageType = {};
export const SignerType = {};
export const getMetrics = () => null;
export const externalSignerGetKeys = null;
export const externalSignerPostSignature = null;
