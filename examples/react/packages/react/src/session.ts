import type {
  Answer,
  ChallengeFactor,
  Delivery,
  Method,
  PasskeyEnrollment,
  Protekt,
  ProtektError,
  Result,
  Selection,
  Tokens,
  TotpEnrollment,
} from '@protekt/js';

/** A challenge to answer, or an enrollment to make. */
export interface Challenge {
  mfaToken: string;
  availableMethods: Method[];
  factors: ChallengeFactor[];
}

export interface State {
  /** "loading" until a session in a cookie is known to exist or not. */
  status: 'loading' | 'signedOut' | 'challenge' | 'enrollment' | 'signedIn';
  /** While status is "challenge" or "enrollment". */
  challenge: Challenge | null;
  /** The challenge to answer before a call continues. */
  stepUp: Challenge | null;
  /** Whether the login ended because its challenge or enrollment expired. */
  expired: boolean;
  /** Changes when another user may have signed in. */
  generation: number;
}

export interface SessionOptions {
  client: Protekt;
  /** "cookie" if the host keeps the session in a cookie, "bearer" if this page holds the tokens. */
  kind: 'bearer' | 'cookie';
  /** Where tokens outlive the page, shared among tabs if it is localStorage. By default they are in memory alone. */
  storage?: Storage | undefined;
}

export type LoginAnswer = Answer & { trustDevice?: boolean | undefined; deviceLabel?: string | undefined };
export interface Credentials {
  email: string;
  password: string;
}
interface Held {
  accessToken: string;
  refreshToken: string;
  /** When the login was, which tells it from another in the same storage. */
  since: number;
}
/** What a call gets to pass on to the client. */
export interface Grant {
  accessToken: string | undefined;
  signal: AbortSignal;
}
type Outcome = 'proved' | 'expired' | 'cancelled';
interface StepUp {
  action: string | undefined;
  outcome: Promise<Outcome>;
  end: (outcome: Outcome) => void;
}

const tokensKey = 'protekt.tokens';
const deviceKey = 'protekt.device';
const ended: ProtektError = { code: 'unauthorized', message: 'Sign in first.', status: 401 };
const signedOut = { status: 'signedOut', challenge: null, stepUp: null, expired: false } as const;

/** A Session is the state of one page's login. It knows nothing of React. */
export class Session {
  readonly #client: Protekt;
  readonly #storage: Storage | undefined;
  readonly #cookie: boolean;
  readonly #listeners = new Set<() => void>();
  #state: State;
  #held: Held | null = null;
  #device: string | undefined;
  /** Ends what is under way when the login or the session does. */
  #abort = new AbortController();
  #stepUp: StepUp | null = null;
  #refreshing: Promise<ProtektError | null> | null = null;

  constructor({ client, kind, storage }: SessionOptions) {
    this.#client = client;
    this.#storage = storage;
    this.#cookie = kind === 'cookie';
    this.#held = this.#cookie ? null : this.#stored();
    this.#device = storage?.getItem(deviceKey) ?? undefined;
    const status = this.#cookie ? 'loading' : this.#held ? 'signedIn' : 'signedOut';
    this.#state = { ...signedOut, status, generation: 0 };
  }

  readonly state = (): State => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** start follows the other tabs, or finds out about the cookie, until the function that it returns is called. */
  readonly start = (): (() => void) => {
    if (this.#cookie) {
      void this.#probe();
      return () => {};
    }
    const follow = (event: StorageEvent) => {
      if (event.storageArea === this.#storage && (event.key === tokensKey || event.key === null)) this.#adopt(this.#stored());
    };
    window.addEventListener('storage', follow);
    return () => window.removeEventListener('storage', follow);
  };

  readonly login = async ({ email, password }: Credentials): Promise<Result<Tokens>> => {
    const signal = this.#begin();
    const result = await this.#client.auth.login({ email, password, deviceToken: this.#device }, { signal });
    if (signal.aborted) return result;
    const { error } = result;
    if (error === null) this.#enter(result);
    else if (error.code === 'mfa_required') this.#set({ ...signedOut, status: 'challenge', challenge: challengeOf(error) });
    else if (error.code === 'mfa_enrollment_required') this.#set({ ...signedOut, status: 'enrollment', challenge: challengeOf(error) });
    return result;
  };

  /** logout signs out on this page whatever the server answers. */
  readonly logout = async (): Promise<Result<object>> => {
    const accessToken = this.#held?.accessToken;
    this.#leave();
    return this.#client.auth.logout({ accessToken });
  };

  /** cancel gives up the login that is under way. */
  readonly cancel = (): void => {
    if (this.#state.status === 'challenge' || this.#state.status === 'enrollment') this.#leave();
  };

  readonly verifyMfa = async (answer: LoginAnswer): Promise<Result<Tokens>> => {
    const { signal } = this.#abort;
    const result = await this.#client.mfa.verifyLogin({ ...answer, mfaToken: this.#token('challenge') }, { signal });
    if (signal.aborted) return result;
    if (result.error === null) {
      if (result.deviceToken) this.#trust(result.deviceToken);
      this.#enter(result);
    } else this.#expire(result.error);
    return result;
  };

  /** sendMfaCode sends a code for the login's challenge, or for that of a step-up. */
  readonly sendMfaCode = async ({ factorId }: { factorId?: string | undefined } = {}) =>
    this.#about((mfaToken, signal) => this.#client.mfa.sendCode({ mfaToken, factorId }, { signal }));

  readonly passkeyOptions = async () => this.#about((mfaToken, signal) => this.#client.mfa.passkeyOptions({ mfaToken }, { signal }));

  /** verifyStepUp answers the challenge of a step-up; the calls that wait for it then continue. */
  readonly verifyStepUp = async (answer: Answer) => {
    const pending = this.#stepUp;
    const mfaToken = this.#state.stepUp?.mfaToken ?? '';
    const result = await this.#authorized((grant) => this.#client.mfa.stepUp({ ...answer, mfaToken, action: pending?.action }, grant));
    if (result.error === null) pending?.end('proved');
    else if (result.error.code === 'invalid_token') pending?.end('expired');
    return result;
  };

  /** cancelStepUp makes the calls that wait return the error mfa_required. */
  readonly cancelStepUp = (): void => this.#stepUp?.end('cancelled');

  readonly startMfaEnrollment = ((begin: Parameters<Protekt['mfa']['enroll']>[0]) =>
    this.#enrolling((grant) => (this.#client.mfa.enroll as (b: typeof begin, g: Grant) => Promise<Result<object>>)(begin, grant))) as Enroll;

  readonly verifyMfaEnrollment = async (answer: Answer & { method?: Method | undefined }) => {
    const enrolling = this.#state.status === 'enrollment';
    const { signal } = this.#abort;
    const result = await this.#enrolling((grant) => this.#client.mfa.verify(answer, grant));
    if (enrolling && !signal.aborted && result.error === null) this.#enter(result);
    return result;
  };

  readonly generateBackupCodes = () => this.withStepUp((grant) => this.#client.mfa.generateBackupCodes(grant));
  readonly unenrollMfa = (selection: Selection) => this.withStepUp((grant) => this.#client.mfa.unenroll(selection, grant));
  readonly revokeMfa = (selection: Selection) => this.withStepUp((grant) => this.#client.mfa.revoke(selection, grant));
  readonly renameFactor = (factorId: string, label: string) =>
    this.withStepUp((grant) => this.#client.mfa.rename({ factorId, label }, grant));
  readonly mfaStatus = () => this.#authorized((grant) => this.#client.mfa.status(grant));
  readonly devices = () => this.#authorized((grant) => this.#client.mfa.devices(grant));
  readonly forgetDevice = (deviceId: string) => this.#authorized((grant) => this.#client.mfa.forgetDevices({ deviceId }, grant));
  readonly forgetDevices = () => this.#authorized((grant) => this.#client.mfa.forgetDevices({ all: true }, grant));

  /**
   * withStepUp makes a call. If the server answers mfa_required, the challenge
   * appears as stepUp, and once it is answered the call is made again. action is
   * what the server's route asks a proof for.
   */
  readonly withStepUp = async <R extends { error: ProtektError | null }>(call: (grant: Grant) => Promise<R>, action?: string): Promise<R> => {
    for (;;) {
      const result = await this.#authorized(call);
      if (result.error?.code !== 'mfa_required' || result.error.mfaToken === undefined) return result;
      const outcome = await this.#prove(challengeOf(result.error), action);
      if (outcome === 'proved') return this.#authorized(call);
      if (outcome === 'cancelled') return result;
    }
  };

  /** #prove asks for one proof at a time. Calls for the same action share it. */
  async #prove(challenge: Challenge, action: string | undefined): Promise<Outcome> {
    while (this.#stepUp) {
      const pending = this.#stepUp;
      const outcome = await pending.outcome;
      if (pending.action === action) return outcome;
    }
    let end: StepUp['end'] = () => {};
    const outcome = new Promise<Outcome>((resolve) => {
      end = (how) => {
        this.#stepUp = null;
        this.#set({ stepUp: null });
        resolve(how);
      };
    });
    this.#stepUp = { action, outcome, end };
    this.#set({ stepUp: challenge });
    return outcome;
  }

  /** #authorized makes a call with the access token, and once more with a new one if that has expired. */
  async #authorized<R extends { error: ProtektError | null }>(call: (grant: Grant) => Promise<R>): Promise<R> {
    const { signal } = this.#abort;
    const before = this.#held;
    let result = await call({ accessToken: before?.accessToken, signal });
    if (signal.aborted || result.error?.code !== 'unauthorized') return result;
    if (before) {
      const refused = await (this.#refreshing ??= this.#refresh(before, signal).finally(() => (this.#refreshing = null)));
      if (signal.aborted) return result;
      if (refused === null) result = await call({ accessToken: this.#held?.accessToken, signal });
      else if (refused.status !== 401) return { ...result, error: refused };
    }
    if (!signal.aborted && result.error?.code === 'unauthorized') this.#leave();
    return result;
  }

  /** #refresh exchanges the refresh token, which works once, in one tab at a time. */
  async #refresh(before: Held, signal: AbortSignal): Promise<ProtektError | null> {
    return this.#alone(async () => {
      const held = this.#storage ? this.#stored() : this.#held;
      if (!held) return ended;
      if (held.since !== before.since) {
        this.#adopt(held); // another login, perhaps another user's: the call was not meant for it
        return ended;
      }
      if (held.accessToken !== before.accessToken) {
        this.#held = held;
        return null; // another tab or call was faster
      }
      const result = await this.#client.auth.refresh({ refreshToken: before.refreshToken }, { signal });
      if (signal.aborted || result.error !== null) return result.error;
      if (!result.accessToken || !result.refreshToken) return ended;
      this.#hold({ accessToken: result.accessToken, refreshToken: result.refreshToken, since: before.since });
      return null;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#storage || !navigator.locks) return work();
    return navigator.locks.request('protekt.refresh', work) as Promise<T>;
  }

  /** #enrolling makes a call as who must enroll, or as who is signed in. */
  async #enrolling<R extends { error: ProtektError | null }>(call: (grant: Grant) => Promise<R>): Promise<R> {
    if (this.#state.status !== 'enrollment') return this.withStepUp(call);
    const { signal } = this.#abort;
    const result = await call({ accessToken: this.#token('enrollment'), signal });
    if (!signal.aborted && result.error) this.#expire(result.error);
    return result;
  }

  async #about<T>(call: (mfaToken: string, signal: AbortSignal) => Promise<Result<T>>): Promise<Result<T>> {
    const { signal } = this.#abort;
    const pending = this.#stepUp;
    const result = await call(this.#state.stepUp?.mfaToken ?? this.#token('challenge'), signal);
    if (signal.aborted || result.error === null) return result;
    if (!pending) this.#expire(result.error);
    else if (result.error.code === 'invalid_token') pending.end('expired');
    return result;
  }

  async #probe(): Promise<void> {
    const { signal } = this.#abort;
    const { error } = await this.#client.mfa.status({ signal });
    if (!signal.aborted && this.#state.status === 'loading') this.#set({ status: error === null ? 'signedIn' : 'signedOut' });
  }

  #token(status: State['status']): string {
    return this.#state.status === status ? (this.#state.challenge?.mfaToken ?? '') : '';
  }

  /** #expire ends the login if its token no longer works. */
  #expire(error: ProtektError): void {
    if (error.code !== 'invalid_token' && error.code !== 'unauthorized') return;
    this.#begin();
    this.#set({ ...signedOut, expired: true });
  }

  /** #begin ends what was under way and returns the signal of what begins. */
  #begin(): AbortSignal {
    this.#abort.abort();
    this.#stepUp?.end('cancelled');
    this.#abort = new AbortController();
    return this.#abort.signal;
  }

  #enter({ accessToken, refreshToken = '' }: Tokens): void {
    if (!this.#cookie && accessToken) this.#hold({ accessToken, refreshToken, since: Date.now() });
    this.#set({ ...signedOut, status: 'signedIn', generation: this.#state.generation + 1 });
  }

  #leave(): void {
    this.#begin();
    if (this.#stored()?.since === this.#held?.since) this.#storage?.removeItem(tokensKey); // else they are another login's
    this.#held = null;
    this.#set({ ...signedOut });
  }

  /** #adopt takes over what another tab did. */
  #adopt(held: Held | null): void {
    const same = this.#state.status === 'signedIn' && held?.since === this.#held?.since;
    if (!held && this.#state.status !== 'signedIn') return;
    this.#held = held;
    if (same) return;
    this.#begin();
    this.#set({ ...signedOut, status: held ? 'signedIn' : 'signedOut', generation: this.#state.generation + 1 });
  }

  #hold({ accessToken, refreshToken, since }: Held): void {
    this.#held = { accessToken, refreshToken, since };
    this.#storage?.setItem(tokensKey, JSON.stringify(this.#held));
  }

  #stored(): Held | null {
    try {
      const held = JSON.parse(this.#storage?.getItem(tokensKey) ?? 'null') as Partial<Held> | null;
      return held?.accessToken && held.refreshToken && held.since ? (held as Held) : null;
    } catch {
      return null;
    }
  }

  #trust(deviceToken: string): void {
    this.#device = deviceToken;
    this.#storage?.setItem(deviceKey, deviceToken);
  }

  #set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

type Enroll = {
  (begin: { method: 'totp'; label?: string | undefined; keepOthers?: boolean | undefined }): Promise<Result<TotpEnrollment>>;
  (begin: { method: 'sms'; phone: string; label?: string | undefined; keepOthers?: boolean | undefined }): Promise<Result<Delivery>>;
  (begin: { method: 'passkey'; label?: string | undefined }): Promise<Result<PasskeyEnrollment>>;
};

function challengeOf(error: ProtektError): Challenge {
  return { mfaToken: error.mfaToken ?? '', availableMethods: error.availableMethods ?? [], factors: error.factors ?? [] };
}
