import { beforeEach, describe, expect, test } from 'vitest';
import { Session } from '../src/session.js';
import { challenge, credentials, enrollment, fakeServer, proof, refused, stepUp, tokens } from './server.js';

const bearer = (server: ReturnType<typeof fakeServer>, storage?: Storage) => new Session({ client: server.client, kind: 'bearer', storage });

/** at returns a session that has come to a status. */
async function at(status: 'challenge' | 'enrollment' | 'signedIn', routes: Parameters<typeof fakeServer>[0] = {}) {
  const server = fakeServer({ 'POST /auth/login': { challenge, enrollment, signedIn: tokens() }[status], ...routes });
  const session = bearer(server);
  await session.login(credentials);
  expect(session.state().status).toBe(status);
  return { server, session };
}

/** later returns an answer that comes when the test says so. */
function later() {
  let answer: (a: [number, object]) => void = () => {};
  const promise = new Promise<[number, object]>((resolve) => (answer = resolve));
  return { promise, answer };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => localStorage.clear());

describe('a login', () => {
  test('without a second factor signs in', async () => {
    const { session } = await at('signedIn');
    expect(session.state()).toMatchObject({ challenge: null, stepUp: null, expired: false });
  });

  test('with one asks for it, and signs in with the right code', async () => {
    const { session, server } = await at('challenge', { 'POST /auth/mfa/verify': tokens() });
    expect(session.state().challenge).toMatchObject({ mfaToken: 'mfa_tmp_1', availableMethods: ['totp', 'sms', 'backup_code'] });
    await session.verifyMfa({ code: '123456', trustDevice: true });
    expect(server.requests.at(-1)!.body).toEqual({ mfa_token: 'mfa_tmp_1', code: '123456', trust_device: true });
    expect(session.state()).toMatchObject({ status: 'signedIn', challenge: null });
  });

  test('that must enroll does so with its token, and is signed in', async () => {
    const { session, server } = await at('enrollment', { 'POST /mfa/enroll': [200, { totp_uri: 'u' }], 'POST /mfa/verify': tokens() });
    await session.startMfaEnrollment({ method: 'totp' });
    await session.verifyMfaEnrollment({ method: 'totp', code: '123456' });
    expect(server.requests.slice(1).map(({ token }) => token)).toEqual(['mfa_enr_1', 'mfa_enr_1']);
    expect(session.state()).toMatchObject({ status: 'signedIn', challenge: null });
  });

  test('with a wrong password stays signed out', async () => {
    const session = bearer(fakeServer({ 'POST /auth/login': refused(401, 'invalid_credentials') }));
    expect((await session.login(credentials)).error?.code).toBe('invalid_credentials');
    expect(session.state().status).toBe('signedOut');
  });

  test('with a wrong code keeps the challenge', async () => {
    const { session } = await at('challenge', { 'POST /auth/mfa/verify': refused(401, 'invalid_code', { tries_left: 4 }) });
    expect((await session.verifyMfa({ code: '1' })).error?.triesLeft).toBe(4);
    expect(session.state()).toMatchObject({ status: 'challenge', expired: false });
  });

  test.each([
    ['a challenge', 'challenge', (s: Session) => s.verifyMfa({ code: '1' })],
    ['a challenge, when a code is sent', 'challenge', (s: Session) => s.sendMfaCode()],
    ['a challenge, when a passkey is asked for', 'challenge', (s: Session) => s.passkeyOptions()],
    ['an enrollment', 'enrollment', (s: Session) => s.startMfaEnrollment({ method: 'totp' })],
  ] as const)('begins again once the token has expired: %s', async (_, status, call) => {
    const expired = refused(401, 'invalid_token');
    const { session } = await at(status, { 'POST /auth/mfa/verify': expired, 'POST /auth/mfa/send': expired, 'POST /auth/mfa/passkey': expired, 'POST /mfa/enroll': expired });
    await call(session);
    expect(session.state()).toMatchObject({ status: 'signedOut', challenge: null, expired: true });
  });

  test('can be given up', async () => {
    const { session } = await at('challenge');
    session.cancel();
    expect(session.state()).toMatchObject({ status: 'signedOut', challenge: null, expired: false });
  });

  test('that a later one has overtaken changes nothing any more', async () => {
    const first = later();
    const server = fakeServer({ 'POST /auth/login': first.promise });
    const session = bearer(server);
    const overtaken = session.login(credentials);
    server.routes['POST /auth/login'] = challenge;
    await session.login(credentials);
    first.answer(tokens());
    expect((await overtaken).error?.code).toBe('aborted');
    expect(session.state().status).toBe('challenge');
  });

  test('that was given up while a code was on its way stays given up', async () => {
    const verify = later();
    const { session } = await at('challenge', { 'POST /auth/mfa/verify': verify.promise });
    const pending = session.verifyMfa({ code: '123456' });
    session.cancel();
    verify.answer(tokens());
    expect((await pending).error?.code).toBe('aborted');
    expect(session.state().status).toBe('signedOut');
  });

  test('sends the token of a device that was trusted before', async () => {
    const server = fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/verify': [200, { ...tokens()[1], device_token: 'mfa_dev_1' }], 'POST /auth/logout': [200, {}] });
    const session = bearer(server);
    await session.login(credentials);
    await session.verifyMfa({ code: '123456', trustDevice: true });
    await session.logout();
    await session.login(credentials);
    expect(server.requests.at(-1)!.body).toMatchObject({ device_token: 'mfa_dev_1' });
  });
});

describe('a logout', () => {
  test('signs out here even if the server cannot be reached', async () => {
    const { session, server } = await at('signedIn');
    expect((await session.logout()).error?.code).toBe('network');
    expect(session.state().status).toBe('signedOut');
    expect(server.requests.at(-1)).toMatchObject({ route: 'POST /auth/logout', token: 'at_1' });
  });

  test('ends a step-up, whose call is refused', async () => {
    const { session } = await at('signedIn', { 'POST /mfa/backup-codes': stepUp(), 'POST /auth/logout': [200, {}] });
    const call = session.generateBackupCodes();
    await settled();
    await session.logout();
    expect((await call).error?.code).toBe('mfa_required');
    expect(session.state().stepUp).toBeNull();
  });
});

describe('a step-up', () => {
  const route = 'POST /mfa/backup-codes';

  test('is asked for, and then the call is made again', async () => {
    const { session, server } = await at('signedIn', { [route]: stepUp(), 'POST /mfa/step-up': proof });
    const call = session.generateBackupCodes();
    await settled();
    expect(session.state().stepUp).toMatchObject({ mfaToken: 'mfa_tmp_s1', availableMethods: ['totp'] });
    server.routes[route] = [200, { backup_codes: ['7f3k-2m9p'] }];
    await session.verifyStepUp({ code: '123456' });
    expect(await call).toMatchObject({ backupCodes: ['7f3k-2m9p'], error: null });
    expect(session.state()).toMatchObject({ status: 'signedIn', stepUp: null });
  });

  test('with a wrong code goes on asking', async () => {
    const { session } = await at('signedIn', { [route]: stepUp(), 'POST /mfa/step-up': refused(401, 'invalid_code') });
    void session.generateBackupCodes();
    await settled();
    await session.verifyStepUp({ code: '1' });
    expect(session.state().stepUp?.mfaToken).toBe('mfa_tmp_s1');
  });

  test('that is cancelled makes the call return why it was refused', async () => {
    const { session, server } = await at('signedIn', { [route]: stepUp() });
    const call = session.generateBackupCodes();
    await settled();
    session.cancelStepUp();
    expect((await call).error?.code).toBe('mfa_required');
    expect(server.count(route)).toBe(1);
  });

  test('that has expired is asked for anew', async () => {
    const { session, server } = await at('signedIn', { [route]: stepUp(1), 'POST /mfa/step-up': refused(401, 'invalid_token') });
    void session.generateBackupCodes();
    await settled();
    server.routes[route] = stepUp(2);
    await session.verifyStepUp({ code: '123456' });
    await settled();
    expect(session.state().stepUp?.mfaToken).toBe('mfa_tmp_s2');
  });

  test('serves all calls that wait for the same action', async () => {
    const { session, server } = await at('signedIn', { [route]: stepUp(1), 'POST /mfa/unenroll': stepUp(2), 'POST /mfa/step-up': proof });
    const calls = Promise.all([session.generateBackupCodes(), session.unenrollMfa({ method: 'sms' })]);
    await settled();
    server.routes[route] = [200, { backup_codes: [] }];
    server.routes['POST /mfa/unenroll'] = [200, { factors: [] }];
    await session.verifyStepUp({ code: '123456' });
    expect((await calls).map(({ error }) => error)).toEqual([null, null]);
    expect(server.count('POST /mfa/step-up')).toBe(1);
  });

  test('for another action is asked for afterwards', async () => {
    const { session, server } = await at('signedIn', { [route]: stepUp(1), 'POST /mfa/unenroll': stepUp(2), 'POST /mfa/step-up': proof });
    void session.generateBackupCodes();
    void session.withStepUp((grant) => server.client.mfa.unenroll({ method: 'sms' }, grant), 'transfer');
    await settled();
    expect(session.state().stepUp?.mfaToken).toBe('mfa_tmp_s1');
    await session.verifyStepUp({ code: '123456' });
    await settled();
    expect(session.state().stepUp?.mfaToken).toBe('mfa_tmp_s2');
    await session.verifyStepUp({ code: '123456' });
    expect(server.requests.filter((r) => r.route === 'POST /mfa/step-up').map(({ body }) => body['action'])).toEqual(['manage', 'transfer']);
  });

  test('that does not help is not asked for for ever', async () => {
    const { session } = await at('signedIn', { [route]: stepUp(), 'POST /mfa/step-up': proof });
    const call = session.generateBackupCodes();
    await settled();
    await session.verifyStepUp({ code: '123456' });
    expect((await call).error?.code).toBe('mfa_required');
  });
});

describe('an access token that has expired', () => {
  const status = (_: unknown, token: string) => (token === 'at_2' ? ([200, { factors: [] }] as [number, object]) : refused(401, 'unauthorized'));

  test('is renewed once for all calls, which go on', async () => {
    const { session, server } = await at('signedIn', { 'GET /mfa/status': status, 'POST /auth/refresh': tokens(2) });
    const results = await Promise.all([session.mfaStatus(), session.mfaStatus()]);
    expect(results.map(({ error }) => error)).toEqual([null, null]);
    expect(server.count('POST /auth/refresh')).toBe(1);
  });

  test('signs out if it cannot be renewed', async () => {
    const { session } = await at('signedIn', { 'GET /mfa/status': status, 'POST /auth/refresh': refused(401, 'invalid_token') });
    expect((await session.mfaStatus()).error?.code).toBe('unauthorized');
    expect(session.state().status).toBe('signedOut');
  });

  test('signs nobody out while the server is away', async () => {
    const { session } = await at('signedIn', { 'GET /mfa/status': status, 'POST /auth/refresh': refused(503, 'internal') });
    expect((await session.mfaStatus()).error?.code).toBe('internal');
    expect(session.state().status).toBe('signedIn');
  });
});

describe('two tabs with one storage', () => {
  /** heard makes the event of another tab's write happen in this one. */
  const heard = () => window.dispatchEvent(new StorageEvent('storage', { key: 'protekt.tokens', storageArea: localStorage }));

  test('sign in and out together', async () => {
    const server = fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/verify': tokens(), 'POST /auth/logout': [200, {}] });
    const [here, there] = [bearer(server, localStorage), bearer(server, localStorage)];
    const stop = here.start();
    await here.login(credentials);
    await there.login(credentials);
    await there.verifyMfa({ code: '123456' });
    heard();
    expect(here.state()).toMatchObject({ status: 'signedIn', challenge: null });
    await there.logout();
    heard();
    expect(here.state().status).toBe('signedOut');
    stop();
  });

  test('use a refresh token once', async () => {
    const server = fakeServer({
      'POST /auth/login': tokens(),
      'POST /auth/refresh': tokens(2),
      'GET /mfa/status': (_, token) => (token === 'at_2' ? [200, { factors: [] }] : refused(401, 'unauthorized')),
    });
    const there = bearer(server, localStorage);
    await there.login(credentials);
    const here = bearer(server, localStorage);
    expect((await there.mfaStatus()).error).toBeNull();
    expect((await here.mfaStatus()).error).toBeNull();
    expect(server.count('POST /auth/refresh')).toBe(1);
  });

  test('never make the call of one user as another, whose login this tab has missed', async () => {
    const server = fakeServer({
      'POST /auth/login': ({ email }) => [200, { ...tokens()[1], access_token: `at_${String(email)}` }],
      'POST /auth/logout': [200, {}],
      'POST /mfa/backup-codes': (_, token) => (token === 'at_bob' ? [200, { backup_codes: ['7f3k-2m9p'] }] : refused(401, 'unauthorized')),
    });
    const here = bearer(server, localStorage);
    await here.login({ email: 'ada', password: 'p' });
    const { generation } = here.state();
    await new Promise((resolve) => setTimeout(resolve, 5)); // logins are told apart by their time
    const there = bearer(server, localStorage);
    await there.logout();
    await there.login({ email: 'bob', password: 'p' });
    expect((await here.generateBackupCodes()).error?.code).toBe('unauthorized');
    expect(server.requests.filter(({ route }) => route === 'POST /mfa/backup-codes').map(({ token }) => token)).toEqual(['at_ada']);
    expect(here.state()).toMatchObject({ status: 'signedIn', generation: generation + 1 });
    expect((await here.generateBackupCodes()).error).toBeNull();
  });

  test('log out by themselves where this tab has missed the login of another user', async () => {
    const server = fakeServer({ 'POST /auth/login': ({ email }) => [200, { ...tokens()[1], access_token: `at_${String(email)}` }], 'POST /auth/logout': [200, {}] });
    const here = bearer(server, localStorage);
    await here.login({ email: 'ada', password: 'p' });
    await new Promise((resolve) => setTimeout(resolve, 5)); // logins are told apart by their time
    await bearer(server, localStorage).login({ email: 'bob', password: 'p' });
    await here.logout();
    expect(server.requests.at(-1)).toMatchObject({ route: 'POST /auth/logout', token: 'at_ada' });
    expect(bearer(server, localStorage).state().status).toBe('signedIn');
  });

  test('leave a challenge alone when the other gives up its own', async () => {
    const server = fakeServer({ 'POST /auth/login': challenge });
    const here = bearer(server, localStorage);
    const stop = here.start();
    await here.login(credentials);
    heard();
    expect(here.state().status).toBe('challenge');
    stop();
  });
});

describe('a session in a cookie', () => {
  test.each([
    ['exists', [200, { factors: [] }] as [number, object], 'signedIn'],
    ['does not exist', refused(401, 'unauthorized'), 'signedOut'],
    ['cannot be asked for', refused(503, 'internal'), 'signedOut'],
  ])('that %s', async (_, answer, status) => {
    const server = fakeServer({ 'GET /mfa/status': answer });
    const session = new Session({ client: server.client, kind: 'cookie' });
    expect(session.state().status).toBe('loading');
    session.start();
    await settled();
    await settled();
    expect(session.state().status).toBe(status);
  });

  test('needs no token, and ends here when it has ended elsewhere', async () => {
    const server = fakeServer({ 'POST /auth/login': tokens(), 'GET /mfa/devices': refused(401, 'unauthorized') });
    const session = new Session({ client: server.client, kind: 'cookie' });
    await session.login(credentials);
    await session.devices();
    expect(server.requests.at(-1)!.token).toBe('');
    expect(session.state().status).toBe('signedOut');
  });
});
