import type { CredentialOptions, PasskeyAnswer } from '@protekt/js';

/** passkeysSupported reports whether this browser can make and use passkeys from JSON. */
export function passkeysSupported(): boolean {
  return (
    typeof PublicKeyCredential === 'function' &&
    'parseCreationOptionsFromJSON' in PublicKeyCredential &&
    'parseRequestOptionsFromJSON' in PublicKeyCredential
  );
}

/** createPasskey asks the browser for a new passkey. It returns null if the user declined. */
export async function createPasskey(options: CredentialOptions): Promise<PasskeyAnswer | null> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey as unknown as PublicKeyCredentialCreationOptionsJSON);
  return answer(() => navigator.credentials.create({ publicKey }));
}

/** getPasskey asks the browser to sign with a passkey. It returns null if the user declined. */
export async function getPasskey(options: CredentialOptions): Promise<PasskeyAnswer | null> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON);
  return answer(() => navigator.credentials.get({ publicKey }));
}

async function answer(ask: () => Promise<Credential | null>): Promise<PasskeyAnswer | null> {
  try {
    return ((await ask()) as PublicKeyCredential | null)?.toJSON() ?? null;
  } catch {
    return null; // declined, timed out, or not for this site: browsers do not say which
  }
}
