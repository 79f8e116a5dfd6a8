export { BackupCodes, type BackupCodesProps } from './BackupCodes.js';
export { ProtektProvider, useAuth, useReverification, useTexts, type Auth, type ProtektProviderProps } from './context.js';
export { LoginForm } from './LoginForm.js';
export { MfaChallenge, Reverification, type MfaChallengeProps } from './MfaChallenge.js';
export { SecuritySettings, type SecuritySettingsProps } from './SecuritySettings.js';
export type { Challenge, Credentials, Grant, State } from './session.js';
export { PasskeySetup, SmsSetup, TotpSetup, type SetupProps } from './setup.js';
export { english, type Texts } from './texts.js';
