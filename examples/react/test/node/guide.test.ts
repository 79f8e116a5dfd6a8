import { readFileSync } from 'node:fs';
import { createServer, type Server as HTTPServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProtekt } from '@protekt/js';
import { apiKey, codes, password, secretOf, startServer, type Server } from '../server.js';
import * as guide from './enroll.js';
import { requireMfa } from './project.js';
import { createApp } from './server.js';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const blocks = [...readFileSync('guide.md', 'utf8').matchAll(/^`(\S+)`\n\n```js\n(.*?)\n```$/gms)];

test('there are all twelve blocks of the guide', () => expect(blocks).toHaveLength(12));

test.each(blocks.map(([, file, code]) => [file!, code!]))('%s has a block of the guide as it is', (file, code) => {
  const unindented = (text: string) => text.replace(/^[ \t]+/gm, '');
  expect(unindented(readFileSync(file, 'utf8'))).toContain(unindented(code));
});

/** The guide's blocks send the code 482910: this client sends the code that is right in its place. */
const withCode = (code: string) =>
  createProtekt({
    url: server.url,
    fetch: (input, init) => fetch(input, { ...init, body: String(init?.body).replace('482910', code) }),
  });

async function signedIn() {
  const email = await server.newUser();
  const { accessToken } = await createProtekt({ url: server.url }).auth.login({ email, password });
  return { email, accessToken };
}

test('an authenticator app is enrolled, gets backup codes, and is removed', async () => {
  const { accessToken } = await signedIn();
  const protekt = createProtekt({ url: server.url });
  const { totpUri, qrCode } = await guide.startTotp(protekt, accessToken);
  expect(totpUri).toMatch(/^otpauth:\/\/totp\/Protekt:user/);
  expect(qrCode).toMatch(/^data:image\/png;base64,/);

  const [code] = codes(secretOf(totpUri!));
  expect(await guide.confirmTotp(withCode(code === '482910' ? '482911' : '482910'), accessToken)).toMatchObject({ code: 'invalid_code' });
  expect(await guide.confirmTotp(withCode(code), accessToken)).toBeNull();

  const backupCodes = await guide.generateBackupCodes(protekt, accessToken);
  expect(backupCodes).toHaveLength(10);
  expect(backupCodes![0]).toMatch(/^[0-9a-z]{4}-[0-9a-z]{4}$/);

  expect(await guide.removeTotp(protekt, accessToken)).toBeNull();
});

test('a phone is enrolled', async () => {
  const { accessToken } = await signedIn();
  expect(await guide.startSms(createProtekt({ url: server.url }), accessToken)).toBeNull();
  expect(await guide.confirmSms(withCode(await server.smsCode('+2348012345678')), accessToken)).toBeNull();
});

test('Express logs in with the second factor, as the guide does', async () => {
  const protekt = createProtekt({ url: server.url });
  const { email, accessToken } = await signedIn();
  const { totpUri } = await guide.startTotp(protekt, accessToken);
  const [first, second] = codes(secretOf(totpUri!)); // each works once
  await guide.confirmTotp(withCode(first), accessToken);

  const app = createServer(createApp(protekt));
  await new Promise<void>((resolve) => app.listen(0, resolve));
  const post = client(app);
  try {
    const login = await post('/login', { email, password });
    expect([login.status, login.headers.get('location')]).toEqual([302, '/login/mfa']);

    const wrong = await post('/login/mfa', { code: '12' });
    expect([wrong.status, await wrong.json()]).toEqual([401, { error: 'Invalid MFA code.' }]);

    const right = await post('/login/mfa', { code: second });
    expect([right.status, right.headers.get('location')]).toEqual([302, '/dashboard']);
    expect(right.headers.get('set-cookie')).toMatch(/^access_token=at_.*HttpOnly; Secure/);
  } finally {
    app.close();
  }
});

test('MFA becomes required of a project, by its key alone', async () => {
  const enrolled = await signedIn();
  const { totpUri } = await guide.startTotp(createProtekt({ url: server.url }), enrolled.accessToken);
  await guide.confirmTotp(withCode(codes(secretOf(totpUri!))[0]), enrolled.accessToken);

  const stranger = createProtekt({ url: server.url });
  expect((await stranger.projects.update('proj_01jk8abc', { mfaRequired: true })).error).toMatchObject({ code: 'unauthorized', status: 401 });
  const project = createProtekt({ url: server.url, apiKey });
  await requireMfa(project);
  try {
    expect(await guide.removeTotp(project, enrolled.accessToken)).toMatchObject({ code: 'mfa_enforced' });
    const { error } = await stranger.auth.login({ email: await server.newUser(), password });
    expect(error).toMatchObject({ code: 'mfa_enrollment_required', mfaToken: expect.stringMatching(/^mfa_enr_/) });
  } finally {
    await project.projects.update('proj_01jk8abc', { mfaRequired: false });
  }
});

test('the built application is served under /app/', async () => {
  const page = await fetch(`${server.url}/app/`);
  expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
  const script = /<script [^>]*src="([^"]+)"/.exec(await page.text())?.[1];
  expect((await fetch(server.url + script)).headers.get('content-type')).toMatch(/^text\/javascript/);
});

/** client returns a browser that posts forms, keeps the first cookie and follows no redirect. */
function client(app: HTTPServer) {
  const { port } = app.address() as AddressInfo;
  let cookie = '';
  return async (path: string, form: Record<string, string>) => {
    const response = await fetch(`http://localhost:${port}${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: { cookie },
      redirect: 'manual',
    });
    cookie ||= response.headers.get('set-cookie')?.split(';')[0] ?? '';
    return response;
  };
}
