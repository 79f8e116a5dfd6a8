import { vi } from 'vitest';
import { createProtekt } from '@protekt/js';

/** What a route answers: a status and a body, a promise of it, or a function of the request. */
type Answer = [status: number, body: object] | Promise<[number, object]> | ((body: Record<string, unknown>, token: string) => [number, object]);

/** fakeServer returns a client, the answers by route, which a test sets, and the requests. */
export function fakeServer(routes: Record<string, Answer> = {}) {
  const requests: { route: string; body: Record<string, unknown>; token: string }[] = [];
  const send = vi.fn<typeof fetch>(async (input, init) => {
    const route = `${init?.method} ${String(input)}`;
    const body = init?.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    const token = new Headers(init?.headers).get('Authorization')?.replace('Bearer ', '') ?? '';
    requests.push({ route, body, token });
    const answer = routes[route];
    if (!answer) throw new Error(`no answer to ${route}`);
    const aborted = new Promise<never>((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error)));
    const [status, result] = await Promise.race([typeof answer === 'function' ? answer(body, token) : answer, aborted]);
    return Response.json(result, { status });
  });
  return { client: createProtekt({ url: '', fetch: send }), routes, requests, count: (route: string) => requests.filter((r) => r.route === route).length };
}

export const tokens = (n = 1): [number, object] => [200, { access_token: `at_${n}`, refresh_token: `rt_${n}`, token_type: 'Bearer', expires_in: 900 }];
export const challenge: [number, object] = [
  200,
  {
    mfa_required: true,
    mfa_token: 'mfa_tmp_1',
    available_methods: ['totp', 'sms', 'backup_code'],
    factors: [
      { id: 'fac_1', method: 'totp', label: 'Work' },
      { id: 'fac_2', method: 'sms', phone: '+23*****678' },
      { method: 'backup_code' },
    ],
    expires_at: '2030-01-01T00:05:00Z',
  },
];
export const enrollment: [number, object] = [200, { mfa_enrollment_required: true, mfa_token: 'mfa_enr_1', available_methods: ['totp'], expires_at: '2030-01-01T00:15:00Z' }];
export const refused = (status: number, code: string, more: object = {}): [number, object] => [status, { error: { code, message: `${code}.`, ...more } }];
export const stepUp = (n = 1) => refused(403, 'mfa_required', { mfa_token: `mfa_tmp_s${n}`, available_methods: ['totp'] });
export const proof: [number, object] = [200, { user_id: 'u', method: 'totp', amr: ['otp', 'mfa'], time: 't', action: 'manage', backup_codes_left: 0 }];
export const credentials = { email: 'a@example.com', password: 'p' };
