// Names that @lodestar/beacon-node's network code imports; without a chain nothing of it is called.
export class ForkChoice {}
export class ForkChoiceStore {}
export class ForkChoiceError extends Error {}
export class ProtoArray {}
export const EpochDifference = {current: "current", previous: "previous"};
export const ExecutionStatus = {
  Valid: "Valid",
  Syncing: "Syncing",
  PreMerge: "PreMerge",
  Invalid: "Invalid",
  PayloadSeparated: "PayloadSeparated",
};
export const PayloadStatus = {PENDING: 0, EMPTY: 1, FULL: 2};
export const AncestorStatus = {};
export const NotReorgedReason = {};
export const UpdateHeadOpt = {};
export const ForkChoiceErrorCode = {};
export const getForkChoiceMetrics = () => ({});
export const getSafeExecutionBlockHash = () => "0x";
