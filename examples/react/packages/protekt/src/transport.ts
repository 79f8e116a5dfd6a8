import { camel, type ProtektError, type Result } from './result.js';

export interface Options {
  /** The server, such as "https://api.example.com"; "" for the page's own origin. */
  url: string;
  /** Signs calls that change the project. It belongs on a server: in a browser it is refused. */
  apiKey?: string;
  /** Whether a browser sends the host's cookie: "include" for sessions in a cookie; by default "omit". */
  credentials?: RequestCredentials;
  fetch?: typeof fetch;
}

/** The access token; with an AbortSignal, an object of both. Hosts with a cookie need no token. */
export type Access = string | { accessToken?: string | undefined; signal?: AbortSignal | undefined };

export type Send = <T>(method: string, path: string, body?: object, access?: Access) => Promise<Result<T>>;

export function transport(options: Options): Send {
  const base = options.url.replace(/\/+$/, '');
  const send = options.fetch ?? ((input, init) => fetch(input, init));

  return async <T>(method: string, path: string, body?: object, access: Access = {}) => {
    const { accessToken, signal } = typeof access === 'string' ? { accessToken: access, signal: undefined } : access;
    const init: RequestInit = { method, credentials: options.credentials ?? 'omit', headers: {} };
    if (signal) init.signal = signal;
    if (accessToken) init.headers = { Authorization: `Bearer ${accessToken}` };
    if (body) {
      init.headers = { ...init.headers, 'Content-Type': 'application/json' };
      init.body = JSON.stringify(body);
    }
    try {
      const response = await send(base + path, init);
      const answer: unknown = await response.json().catch(() => null);
      if (signal?.aborted) return failure<T>('aborted', 'The request was aborted.');
      return read<T>(response, answer);
    } catch {
      if (signal?.aborted) return failure<T>('aborted', 'The request was aborted.');
      return failure<T>('network', 'The server cannot be reached. Please try again.');
    }
  };
}

function read<T>(response: Response, answer: unknown): Result<T> {
  const { status } = response;
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) return failure<T>('internal', unreadable, status);
  const body = camel(answer) as Record<string, unknown>;
  if (!response.ok) {
    const error = body['error'] as Partial<ProtektError> | undefined;
    if (typeof error?.code !== 'string') return failure<T>('internal', unreadable, status);
    return failed<T>({ message: '', ...error, code: error.code, status });
  }
  for (const flag of ['mfaRequired', 'mfaEnrollmentRequired'] as const) {
    if (body[flag] === true && ('availableMethods' in body)) {
      const { [flag]: _, ...rest } = body;
      const code = flag === 'mfaRequired' ? 'mfa_required' : 'mfa_enrollment_required';
      const message = flag === 'mfaRequired' ? 'Confirm with a second factor first.' : 'Set up a second factor first.';
      return failed<T>({ ...rest, code, message, status });
    }
  }
  return { ...(body as T), error: null };
}

const unreadable = 'Something is wrong on our side. Please try again.';

function failure<T>(code: string, message: string, status = 0): Result<T> {
  return failed<T>({ code, message, status });
}

function failed<T>(error: ProtektError): Result<T> {
  return { error } as Result<T>;
}
