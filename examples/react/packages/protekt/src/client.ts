import type { Result } from './result.js';
import { transport, type Access, type Options } from './transport.js';
import type * as wire from './wire.js';
import type { Method } from './wire.js';

/** A code that somebody typed, or what navigator.credentials returned. */
export type Answer = { code: string; passkey?: undefined } | { passkey: PasskeyAnswer; code?: undefined };
export type PasskeyAnswer = Record<string, unknown>;

/** One method, or one factor of it. */
export type Selection = { method: Method; factorId?: undefined } | { factorId: string; method?: Method };

export type Protekt = ReturnType<typeof createProtekt>;

/**
 * createProtekt returns a client. No call throws: each returns the fields of the
 * answer and error, which is null on success.
 */
export function createProtekt(options: Options) {
  const { apiKey } = options;
  if (apiKey !== undefined && typeof document !== 'undefined') {
    throw new Error('createProtekt: an API key must not reach a browser; call projects.update from a server');
  }
  const send = transport(options);

  return {
    auth: {
      /** A login that needs a second factor has the error mfa_required, or mfa_enrollment_required. */
      login: ({ email, password, deviceToken }: { email: string; password: string; deviceToken?: string | undefined }, access?: Access) =>
        send<wire.Tokens>('POST', '/auth/login', { email, password, device_token: deviceToken }, access),
      refresh: ({ refreshToken }: { refreshToken: string }, access?: Access) =>
        send<wire.Tokens>('POST', '/auth/refresh', { refresh_token: refreshToken }, access),
      logout: (access?: Access) => send<object>('POST', '/auth/logout', {}, access),
    },
    mfa: {
      enroll,
      /** Confirms what was begun last, or method. Returns tokens to who had to enroll to log in. */
      verify: ({ method, ...answer }: Answer & { method?: Method | undefined }, access?: Access) =>
        send<wire.Verified>('POST', '/mfa/verify', { ...answer, method }, access),
      /** Needs a proof younger than the server's ProofTTL: otherwise mfa_required, answered with stepUp. */
      generateBackupCodes: (access?: Access) => send<wire.BackupCodes>('POST', '/mfa/backup-codes', {}, access),
      verifyLogin: (
        { mfaToken, trustDevice, deviceLabel, ...answer }: Answer & { mfaToken: string; trustDevice?: boolean | undefined; deviceLabel?: string | undefined },
        access?: Access,
      ) => send<wire.Tokens>('POST', '/auth/mfa/verify', { mfa_token: mfaToken, ...answer, trust_device: trustDevice, device_label: deviceLabel }, access),
      /** Needs a proof younger than the server's ProofTTL, like generateBackupCodes. */
      unenroll: ({ method, factorId }: Selection, access?: Access) => send<wire.Status>('POST', '/mfa/unenroll', { method, factor_id: factorId }, access),
      /** Removes a lost or stolen factor, also while MFA is required. */
      revoke: ({ method, factorId }: Selection, access?: Access) => send<wire.Status>('POST', '/mfa/revoke', { method, factor_id: factorId }, access),
      rename: ({ factorId, label }: { factorId: string; label: string }, access?: Access) =>
        send<wire.Status>('POST', `/mfa/factors/${encodeURIComponent(factorId)}`, { label }, access),
      sendCode: ({ mfaToken, factorId }: { mfaToken: string; factorId?: string | undefined }, access?: Access) =>
        send<wire.Delivery>('POST', '/auth/mfa/send', { mfa_token: mfaToken, factor_id: factorId }, access),
      /** Returns what navigator.credentials.get takes. */
      passkeyOptions: ({ mfaToken }: { mfaToken: string }, access?: Access) =>
        send<wire.CredentialOptions>('POST', '/auth/mfa/passkey', { mfa_token: mfaToken }, access),
      /** action is what the proof is for: a route of the host's, or "manage", which lets this session change factors. */
      stepUp: ({ mfaToken, action = 'manage', ...answer }: Answer & { mfaToken: string; action?: string | undefined }, access?: Access) =>
        send<wire.Proof>('POST', '/mfa/step-up', { mfa_token: mfaToken, ...answer, action }, access),
      status: (access?: Access) => send<wire.Status>('GET', '/mfa/status', undefined, access),
      devices: (access?: Access) => send<wire.Devices>('GET', '/mfa/devices', undefined, access),
      forgetDevices: ({ deviceId, all }: { deviceId: string; all?: undefined } | { all: true; deviceId?: undefined }, access?: Access) =>
        send<wire.Devices>('POST', '/mfa/devices/forget', { device_id: deviceId, all }, access),
    },
    projects: {
      update: (id: string, { mfaRequired }: { mfaRequired: boolean }) =>
        send<wire.Project>('PATCH', `/projects/${encodeURIComponent(id)}`, { mfa_required: mfaRequired }, { accessToken: apiKey }),
    },
  };

  function enroll(begin: { method: 'totp'; label?: string | undefined; keepOthers?: boolean | undefined }, access?: Access): Promise<Result<wire.TotpEnrollment>>;
  function enroll(begin: { method: 'sms'; phone: string; label?: string | undefined; keepOthers?: boolean | undefined }, access?: Access): Promise<Result<wire.Delivery>>;
  function enroll(begin: { method: 'passkey'; label?: string | undefined }, access?: Access): Promise<Result<wire.PasskeyEnrollment>>;
  function enroll(
    { method, phone, label, keepOthers }: { method: Method; phone?: string; label?: string | undefined; keepOthers?: boolean | undefined },
    access?: Access,
  ) {
    return send<object>('POST', '/mfa/enroll', { method, phone, label, keep_others: keepOthers }, access);
  }
}
