export { createProtekt, type Answer, type PasskeyAnswer, type Protekt, type Selection } from './client.js';
export type { ProtektError, Result } from './result.js';
export type { Access, Options } from './transport.js';
export type {
  BackupCodes,
  ChallengeFactor,
  CredentialOptions,
  Delivery,
  Device,
  Devices,
  Factor,
  Method,
  PasskeyEnrollment,
  Project,
  Proof,
  Status,
  Tokens,
  TotpEnrollment,
  Verified,
} from './wire.js';
