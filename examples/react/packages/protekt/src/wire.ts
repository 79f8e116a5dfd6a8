import type { Camel, Method } from './result.js';

export type Tokens = Camel<{
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  /** For the next login on this device, if it was to be trusted. */
  device_token?: string;
}>;

export type TotpEnrollment = Camel<{ totp_uri: string; secret: string; qr_code: string; expires_at: string }>;
export type Delivery = Camel<{ phone: string; expires_at: string; resend_after: string }>;
export type PasskeyEnrollment = Camel<{ expires_at: string }> & { options: CredentialOptions };
export type RequestOptions = CredentialOptions;
/** As JSON, for PublicKeyCredential.parseCreationOptionsFromJSON and parseRequestOptionsFromJSON. */
export type CredentialOptions = { publicKey: Record<string, unknown> };

export type Proof = Camel<{
  user_id: string;
  method: Method;
  factor_id?: string;
  amr: string[];
  time: string;
  action: string;
  backup_codes_left: number;
}>;
/** A proof for who was logged in, tokens for who had to enroll to be. */
export type Verified = Partial<Proof> & Partial<Tokens>;

export type BackupCodes = Camel<{ backup_codes: string[] }>;

export type Factor = Camel<{
  id?: string;
  method: Method;
  label?: string;
  phone?: string;
  enrolled_at?: string;
  last_used_at?: string;
  disabled: boolean;
  retry_at?: string;
}>;
export type Status = { factors: Factor[] } & Camel<{ backup_codes_left: number; required: boolean }>;

export type Device = Camel<{ id: string; label?: string; trusted_at: string; last_used_at?: string; expires_at: string }>;
export type Devices = { devices: Device[] };

export type Project = Camel<{ id: string; mfa_required: boolean }>;
