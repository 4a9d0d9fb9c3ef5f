// Names that @lodestar/beacon-node's network code imports; without a chain nothing of it is called.
export class Repository {}
export class BinaryRepository {}
export class PrefixedRepository {}
export class LevelDbController {}
export const BUCKET_LENGTH = 1;
export const decodeNumberForDbKey = () => 0;
export const encodeKey = () => new Uint8Array();
export const encodeNumberForDbKey = () => new Uint8Array();
