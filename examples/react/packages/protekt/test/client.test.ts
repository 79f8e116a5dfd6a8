// @vitest-environment node
import { expect, test, vi } from 'vitest';
import { createProtekt, type Options } from '../src/index.js';

/** clientOf returns a client whose server answers this, and what it was asked. */
function clientOf(status: number, body: unknown, options: Partial<Options> = {}) {
  const send = vi.fn<typeof fetch>(async () => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }));
  return { protekt: createProtekt({ url: 'https://api.example.com/', fetch: send, ...options }), send };
}

const sent = (send: ReturnType<typeof clientOf>['send']) => {
  const [url, init] = send.mock.calls[0]!;
  return { url, method: init!.method, headers: init!.headers, body: init!.body === undefined ? undefined : JSON.parse(String(init!.body)) };
};

test('an answer comes in camelCase, with no error', async () => {
  const { protekt } = clientOf(200, { totp_uri: 'otpauth://totp/x', secret: 'S', qr_code: 'data:', expires_at: '2030-01-01T00:00:00Z' });
  expect(await protekt.mfa.enroll({ method: 'totp' }, 'at_1')).toEqual({
    totpUri: 'otpauth://totp/x', secret: 'S', qrCode: 'data:', expiresAt: '2030-01-01T00:00:00Z', error: null,
  });
});

test('lists are renamed inside, and what WebAuthn names is not', async () => {
  const status = clientOf(200, { factors: [{ id: 'fac_1', method: 'totp', enrolled_at: 't', disabled: false }], backup_codes_left: 3, required: true });
  expect(await status.protekt.mfa.status('at_1')).toEqual({
    factors: [{ id: 'fac_1', method: 'totp', enrolledAt: 't', disabled: false }], backupCodesLeft: 3, required: true, error: null,
  });
  const options = { publicKey: { challenge: 'c', extensions: { some_extension: true } } };
  const passkey = clientOf(200, { options, expires_at: 't' });
  expect(await passkey.protekt.mfa.enroll({ method: 'passkey' }, 'at_1')).toMatchObject({ options, expiresAt: 't' });
});

test('a login that needs a second factor is an error with the challenge in it', async () => {
  const factors = [{ id: 'fac_1', method: 'totp', label: 'Work' }];
  const { protekt } = clientOf(200, { mfa_required: true, mfa_token: 'mfa_tmp_1', available_methods: ['totp'], factors, expires_at: 't' });
  const { error, accessToken } = await protekt.auth.login({ email: 'a@example.com', password: 'p' });
  expect(error).toMatchObject({ code: 'mfa_required', mfaToken: 'mfa_tmp_1', availableMethods: ['totp'], factors, status: 200 });
  expect(accessToken).toBeUndefined();
});

test('a project in which MFA is required is no login', async () => {
  const { protekt } = clientOf(200, { id: 'proj_1', mfa_required: true }, { apiKey: 'pk_1' });
  expect(await protekt.projects.update('proj_1', { mfaRequired: true })).toEqual({ id: 'proj_1', mfaRequired: true, error: null });
});

test('a refusal has all that the server says', async () => {
  const { protekt } = clientOf(429, { error: { code: 'too_many_attempts', message: 'Please wait.', retry_after: 30 } });
  const { error } = await protekt.mfa.verifyLogin({ mfaToken: 'mfa_tmp_1', code: '123456' });
  expect(error).toEqual({ code: 'too_many_attempts', message: 'Please wait.', retryAfter: 30, status: 429 });
});

test.each([
  ['HTML', 502, '<h1>Bad Gateway</h1>'],
  ['HTML with 200', 200, '<h1>Welcome to the hotel</h1>'],
  ['a list', 200, []],
  ['another envelope', 500, { message: 'no' }],
  ['nothing', 500, ''],
])('%s is the error internal, never a success', async (_, status, body) => {
  const { protekt } = clientOf(status, body);
  expect((await protekt.mfa.status('at_1')).error).toMatchObject({ code: 'internal', status });
});

test('a server that cannot be reached is an error, as is an aborted call', async () => {
  const unreachable = createProtekt({ url: '', fetch: () => Promise.reject(new TypeError('fetch failed')) });
  expect((await unreachable.mfa.status()).error).toMatchObject({ code: 'network', status: 0 });

  const abort = new AbortController();
  const slow = createProtekt({
    url: '',
    fetch: (_, init) => new Promise((_resolve, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason))),
  });
  const call = slow.mfa.status({ accessToken: 'at_1', signal: abort.signal });
  abort.abort();
  expect((await call).error).toMatchObject({ code: 'aborted', status: 0 });
});

test('an access token is the last argument', async () => {
  const { protekt, send } = clientOf(200, {});
  await protekt.mfa.verify({ code: '482910' }, 'at_1');
  expect(sent(send)).toEqual({
    url: 'https://api.example.com/mfa/verify',
    method: 'POST',
    headers: { Authorization: 'Bearer at_1', 'Content-Type': 'application/json' },
    body: { code: '482910' },
  });
});

test('the API key goes to the project alone', async () => {
  const { protekt, send } = clientOf(200, {}, { apiKey: 'pk_1' });
  await protekt.auth.login({ email: 'a@example.com', password: 'p' });
  expect(sent(send).headers).toEqual({ 'Content-Type': 'application/json' });
  send.mockClear();
  await protekt.projects.update('proj/1', { mfaRequired: false });
  expect(sent(send)).toMatchObject({ url: 'https://api.example.com/projects/proj%2F1', method: 'PATCH', headers: { Authorization: 'Bearer pk_1' }, body: { mfa_required: false } });
});

test('an API key is refused in a browser', () => {
  vi.stubGlobal('document', {});
  try {
    expect(() => createProtekt({ url: '', apiKey: 'pk_1' })).toThrow(/API key/);
  } finally {
    vi.unstubAllGlobals();
  }
});
