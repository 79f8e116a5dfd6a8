export { createProtekt, type Answer, type PasskeyAnswer, type Protekt, type Selection } from './client.js';
export type { ChallengeFactor, Method, ProtektError, Result } from './result.js';
export type { Access, Options } from './transport.js';
export type {
  BackupCodes,
  CredentialOptions,
  Delivery,
  Device,
  Devices,
  Factor,
  PasskeyEnrollment,
  Project,
  Proof,
  RequestOptions,
  Status,
  Tokens,
  TotpEnrollment,
  Verified,
} from './wire.js';
