import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BackupCodes, LoginForm, MfaChallenge, ProtektProvider, Reverification, SecuritySettings, useAuth, useReverification, type Texts } from '../src/index.js';
import { challenge, credentials, fakeServer, proof, refused, stepUp, tokens } from './server.js';

/** Login is the guide's page, with a word for who has come through. */
function Login() {
  const { login, logout, mfaRequired, mfaToken, signedIn } = useAuth();
  if (signedIn) return <button onClick={() => void logout()}>Welcome</button>;
  return mfaRequired ? <MfaChallenge mfaToken={mfaToken} /> : <LoginForm onSubmit={login} />;
}

function show(server: ReturnType<typeof fakeServer>, page = <Login />, texts: Partial<Texts> = {}) {
  render(
    <ProtektProvider client={server.client} texts={texts}>
      {page}
    </ProtektProvider>,
  );
}

const press = async (name: string) => act(async () => void fireEvent.click(screen.getByRole('button', { name })));
const type = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });

async function signIn() {
  type('Email address', credentials.email);
  type('Password', credentials.password);
  await press('Sign in');
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

describe('a login', () => {
  test('goes through the challenge', async () => {
    const server = fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/verify': tokens() });
    show(server);
    await signIn();
    type('Code', '123 456');
    await press('Verify');
    expect(screen.getByText('Welcome')).toBeTruthy();
    expect(server.requests.map(({ body }) => body)).toEqual([credentials, { mfa_token: 'mfa_tmp_1', code: '123 456' }]);
  });

  test('lists the other ways, each phone among them', async () => {
    const server = fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/send': [200, { phone: '+23*****678', expires_at: '', resend_after: '' }] });
    show(server);
    await signIn();
    await press('Use another way');
    expect(screen.getByRole('button', { name: 'Backup code' })).toBeTruthy();
    await press('Text message (+23*****678)');
    await press('Send code');
    expect(server.requests.at(-1)!.body).toEqual({ mfa_token: 'mfa_tmp_1', factor_id: 'fac_2' });
  });

  test('that is throttled counts the seconds down and then may go on', async () => {
    show(fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/verify': refused(429, 'too_many_attempts', { retry_after: 3 }) }));
    await signIn();
    type('Code', '1');
    await press('Verify');
    const verify = screen.getByRole('button', { name: 'Verify' }) as HTMLButtonElement;
    for (const seconds of [3, 2, 1]) {
      expect(screen.getByRole('timer').textContent).toBe(`Please wait ${seconds} s.`);
      expect(verify.disabled).toBe(true);
      await act(() => vi.advanceTimersByTimeAsync(1000));
    }
    expect(screen.queryByRole('timer')).toBeNull();
    expect(verify.disabled).toBe(false);
  });

  test('says how many tries are left', async () => {
    show(fakeServer({ 'POST /auth/login': challenge, 'POST /auth/mfa/verify': refused(401, 'invalid_code', { tries_left: 1 }) }));
    await signIn();
    type('Code', '1');
    await press('Verify');
    const code = screen.getByLabelText('Code');
    expect(document.getElementById(code.getAttribute('aria-describedby')!)!.textContent).toBe('invalid_code. One more try.');
    expect(document.activeElement).toBe(code);
  });

  test('speaks the host\'s language', async () => {
    const server = fakeServer({ 'POST /auth/login': refused(401, 'invalid_credentials') });
    show(server, <Login />, { email: 'E-Mail', password: 'Passwort', signIn: 'Anmelden', errors: { invalid_credentials: 'Das stimmt nicht.' } });
    type('E-Mail', 'a@example.com');
    type('Passwort', 'p');
    await press('Anmelden');
    expect(screen.getByText('Das stimmt nicht.')).toBeTruthy();
  });
});

test('the challenge of another login is not answered', () => {
  show(fakeServer(), <MfaChallenge mfaToken="mfa_tmp_old" />);
  expect(screen.getByRole('alert').textContent).toBe('That took too long. Please sign in again.');
  expect(screen.queryByRole('textbox')).toBeNull();
});

test('useReverification asks where the call is refused, and makes it again', async () => {
  const transfer = vi.fn(async (_: unknown, amount: number) => {
    await Promise.resolve();
    return transfer.mock.calls.length === 1
      ? { error: { code: 'mfa_required', message: '', status: 403, mfaToken: 'mfa_tmp_s1', availableMethods: ['totp' as const] } }
      : { error: null, amount };
  });
  const server = fakeServer({ 'POST /mfa/step-up': proof });
  let result: unknown;
  function Transfer() {
    const send = useReverification(transfer, 'transfer');
    return <button onClick={() => void send(5).then((r) => (result = r))}>Transfer</button>;
  }
  show(server, <><Transfer /><Reverification /></>);
  await press('Transfer');
  type('Code', '123456');
  await press('Verify');
  expect(server.requests[0]!.body).toEqual({ mfa_token: 'mfa_tmp_s1', code: '123456', action: 'transfer' });
  expect(result).toEqual({ error: null, amount: 5 });
  expect(screen.queryByLabelText('Code')).toBeNull();
});

test('backup codes are generated, and copied together', async () => {
  const writeText = vi.fn(() => Promise.resolve());
  vi.stubGlobal('navigator', { clipboard: { writeText } });
  const server = fakeServer({ 'POST /auth/login': tokens(), 'POST /mfa/backup-codes': [200, { backup_codes: ['7f3k-2m9p', '4x8n-6t1w'] }] });
  show(server, <><Login /><BackupCodes /></>);
  await signIn();
  await press('Generate backup codes');
  await press('Copy all');
  expect(writeText).toHaveBeenCalledWith('7f3k-2m9p\n4x8n-6t1w');
  expect(screen.getByRole('status').textContent).toBe('Copied.');
  vi.unstubAllGlobals();
});

test('while MFA is required, a lost factor beside another goes by revoke, and the last stays', async () => {
  const factors = ['Old', 'New'].map((label) => ({ id: `fac_${label}`, method: 'totp', label, disabled: false }));
  const status = (left: object[]): [number, object] => [200, { factors: left, backup_codes_left: 0, required: true }];
  const server = fakeServer({ 'POST /auth/login': tokens(), 'GET /mfa/status': status(factors), 'GET /mfa/devices': [200, { devices: [] }], 'POST /mfa/revoke': status([factors[1]!]) });
  show(server, <><Login /><SecuritySettings /></>);
  await signIn();
  server.routes['GET /mfa/status'] = status([factors[1]!]);
  await press('Remove lost Authenticator app: Old');
  expect(server.requests.filter(({ route }) => route === 'POST /mfa/revoke').map(({ body }) => body)).toEqual([{ factor_id: 'fac_Old' }]);
  expect(screen.getByText('Authenticator app: New')).toBeTruthy();
  expect(screen.queryByRole('button', { name: /^Remove/ })).toBeNull();
});

test('a step-up that the user cancels leaves no error behind', async () => {
  const server = fakeServer({ 'POST /auth/login': tokens(), 'POST /mfa/backup-codes': stepUp() });
  show(server, <><Login /><BackupCodes /><Reverification /></>);
  await signIn();
  await press('Generate backup codes');
  await press('Cancel');
  expect(screen.queryByRole('heading')).toBeNull();
  expect(screen.getAllByRole('alert').every(({ textContent }) => textContent === '')).toBe(true);
});
