// The error types of @lodestar/reqresp 1.44, by name and shape.
export const RespStatus = {SUCCESS: 0, INVALID_REQUEST: 1, SERVER_ERROR: 2, RESOURCE_UNAVAILABLE: 3, RATE_LIMITED: 139};
export const REQUEST_ERROR_CLASS_NAME = "RequestError";
export const RESPONSE_ERROR_CLASS_NAME = "ResponseError";
export const LightClientServerErrorCode = {RESOURCE_UNAVAILABLE: "RESOURCE_UNAVAILABLE"};

const codes = [
  "INVALID_REQUEST", "INVALID_RESPONSE_SSZ", "SERVER_ERROR", "RESOURCE_UNAVAILABLE", "UNKNOWN_ERROR_STATUS",
  "DIAL_TIMEOUT", "DIAL_ERROR", "REQUEST_TIMEOUT", "REQUEST_ERROR", "EMPTY_RESPONSE", "TTFB_TIMEOUT", "RESP_TIMEOUT",
  "RESP_RATE_LIMITED", "SSZ_OVER_MAX_SIZE", "REQUEST_RATE_LIMITED", "REQUEST_SELF_RATE_LIMITED",
];
export const RequestErrorCode = Object.fromEntries(codes.map((code) => [code, `REQUEST_ERROR_${code}`]));

export class RequestError extends Error {
  constructor(type, message) {
    super(message ?? type.errorMessage ?? type.code);
    this.name = REQUEST_ERROR_CLASS_NAME;
    this.type = type;
  }
  static fromStatus(status, errorMessage) {
    const code = {
      [RespStatus.INVALID_REQUEST]: RequestErrorCode.INVALID_REQUEST,
      [RespStatus.SERVER_ERROR]: RequestErrorCode.SERVER_ERROR,
      [RespStatus.RESOURCE_UNAVAILABLE]: RequestErrorCode.RESOURCE_UNAVAILABLE,
      [RespStatus.RATE_LIMITED]: RequestErrorCode.RESP_RATE_LIMITED,
    }[status] ?? RequestErrorCode.UNKNOWN_ERROR_STATUS;
    return new RequestError({code, status, errorMessage}, `${code} ${errorMessage}`);
  }
  getMetadata() {
    return this.type;
  }
}

export class ResponseError extends Error {
  constructor(status, errorMessage) {
    super(`RESPONSE_ERROR_${status}: ${errorMessage}`);
    this.status = status;
    this.errorMessage = errorMessage;
  }
}

export class LightClientServerError extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}
