import type { ChallengeFactor, Method } from './wire.js';

/** An error as every call returns it: the server's, or one of the codes "network" and "aborted". */
export interface ProtektError {
  /** Stable, such as "mfa_required" or "invalid_code"; the list is in mfahttp's documentation. */
  code: string;
  /** For people, in the language that the server chose. */
  message: string;
  /** The HTTP status, or 0 if no response came. */
  status: number;
  /** Seconds to wait before the next attempt. */
  retryAfter?: number;
  /** Further wrong codes that the challenge takes. */
  triesLeft?: number;
  /** Whether the code was right but used before. */
  spent?: boolean;
  /** The challenge to answer, or the enrollment to make, first. */
  mfaToken?: string;
  availableMethods?: Method[];
  factors?: ChallengeFactor[];
  expiresAt?: string;
}

/** Either the fields of T and no error, or an error and none of the fields. */
export type Result<T> = (T & { error: null }) | ({ [K in keyof T]?: undefined } & { error: ProtektError });

/** snake_case keys in camelCase, at every depth. */
export type Camel<T> = T extends readonly (infer E)[]
  ? Camel<E>[]
  : T extends object
    ? { [K in keyof T as K extends string ? CamelKey<K> : K]: Camel<T[K]> }
    : T;
type CamelKey<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<CamelKey<B>>}` : S;

/** camel renames the keys of what JSON.parse returned. WebAuthn options have names of their own and stay. */
export function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      key === 'options' ? inner : camel(inner),
    ]),
  );
}
