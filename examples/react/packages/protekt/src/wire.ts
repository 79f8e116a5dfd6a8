import type { Camel } from './result.js';
import type { components } from './schema.js';

type Schemas = components['schemas'];

export type Method = Schemas['Method'];
export type ChallengeFactor = Camel<Schemas['ChallengeFactor']>;
/** Empty where the host keeps the session in a cookie. */
export type Tokens = Camel<Schemas['Tokens']>;
export type TotpEnrollment = Camel<Schemas['TOTPEnrollment']>;
export type Delivery = Camel<Schemas['SMSDelivery']>;
/** publicKey is for PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON. */
export type CredentialOptions = { publicKey: Record<string, unknown> };
export type PasskeyEnrollment = Omit<Camel<Schemas['PasskeyEnrollment']>, 'options'> & { options: CredentialOptions };
export type Proof = Camel<Schemas['Login']>;
/** A proof for who was logged in, tokens for who had to enroll to be. */
export type Verified = Partial<Proof> & Tokens;
export type BackupCodes = Camel<Schemas['BackupCodes']>;
export type Factor = Camel<Schemas['Factor']>;
export type Status = Camel<Schemas['Status']>;
export type Device = Camel<Schemas['Device']>;
export type Devices = Camel<Schemas['Devices']>;
export type Project = Camel<Schemas['Project']>;
