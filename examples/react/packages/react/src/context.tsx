import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { createProtekt, type Protekt, type ProtektError } from '@protekt/js';
import { Session, type Grant, type State } from './session.js';
import { english, type Texts } from './texts.js';

export interface ProtektProviderProps {
  /** The server, such as "https://api.example.com"; by default the page's own origin. */
  url?: string;
  /** "cookie" if the host keeps the session in a cookie, "bearer" (the default) if this page holds the tokens. */
  session?: 'bearer' | 'cookie';
  /**
   * Where tokens outlive the page: sessionStorage, or localStorage for all tabs. Script on the page can read either.
   * With a session in a cookie, it keeps the token of a trusted device alone.
   */
  storage?: Storage;
  /** Instead of url, a client of the host's own. */
  client?: Protekt;
  texts?: Partial<Texts>;
  children: ReactNode;
}

const Context = createContext<{ session: Session; texts: Texts } | null>(null);

/** ProtektProvider keeps one session for the components inside. It reads its properties, texts excepted, once. */
export function ProtektProvider({ url = '', session: kind = 'bearer', storage, client, texts, children }: ProtektProviderProps) {
  const [session] = useState(
    () =>
      new Session({
        client: client ?? createProtekt({ url, credentials: kind === 'cookie' ? 'include' : 'omit' }),
        kind,
        storage,
      }),
  );
  useEffect(() => session.start(), [session]);
  const value = useMemo(() => ({ session, texts: { ...english, ...texts } }), [session, texts]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function useProtekt() {
  const value = useContext(Context);
  if (!value) throw new Error('@protekt/react: useAuth and the components belong inside <ProtektProvider>');
  return value;
}

export type Auth = ReturnType<typeof useAuth>;

/** useAuth returns the state of the login, and what a page can do about it. */
export function useAuth() {
  const { session } = useProtekt();
  const state: State = useSyncExternalStore(session.subscribe, session.state, session.state);
  return useMemo(
    () => ({
      ...state,
      signedIn: state.status === 'signedIn',
      mfaRequired: state.status === 'challenge',
      mfaEnrollmentRequired: state.status === 'enrollment',
      mfaToken: state.challenge?.mfaToken,
      availableMethods: state.challenge?.availableMethods ?? [],
      login: session.login,
      logout: session.logout,
      cancel: session.cancel,
      verifyMfa: session.verifyMfa,
      sendMfaCode: session.sendMfaCode,
      passkeyOptions: session.passkeyOptions,
      verifyStepUp: session.verifyStepUp,
      cancelStepUp: session.cancelStepUp,
      withStepUp: session.withStepUp,
      startMfaEnrollment: session.startMfaEnrollment,
      verifyMfaEnrollment: session.verifyMfaEnrollment,
      generateBackupCodes: session.generateBackupCodes,
      unenrollMfa: session.unenrollMfa,
      revokeMfa: session.revokeMfa,
      renameFactor: session.renameFactor,
      mfaStatus: session.mfaStatus,
      devices: session.devices,
      forgetDevice: session.forgetDevice,
      forgetDevices: session.forgetDevices,
    }),
    [session, state],
  );
}

/**
 * useReverification returns call as a function that asks for a second factor where
 * the server wants one, and then makes the call again. Render <Reverification/>
 * where the question is to appear.
 */
export function useReverification<A extends unknown[], R extends { error: ProtektError | null }>(
  call: (grant: Grant, ...args: A) => Promise<R>,
  action?: string,
): (...args: A) => Promise<R> {
  const { session } = useProtekt();
  return (...args) => session.withStepUp((grant) => call(grant, ...args), action);
}

export function useTexts(): Texts {
  return useProtekt().texts;
}
