import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createProtekt } from '@protekt/js';
import { apiKey, password, secretOf, startServerWithClock } from '../server.js';

let server: Awaited<ReturnType<typeof startServerWithClock>>;
let vite: ViteDevServer;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  server = await startServerWithClock();
  process.env['PROTEKT_URL'] = server.url;
  vite = await createServer({ root: 'app', server: { port: 0 }, logLevel: 'error' });
  await vite.listen();
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
});
afterAll(async () => {
  await browser?.close();
  await vite?.close();
  server?.stop();
});
beforeEach(async () => {
  const context = await browser.newContext();
  page = await context.newPage();
  page.setDefaultTimeout(20_000);
  problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) problems.push(message.text());
  });
  page.on('request', (request) => {
    const own = [server.url, new URL(vite.resolvedUrls!.local[0]!).origin, 'null']; // null: data in the address
    if (!own.includes(new URL(request.url()).origin)) problems.push(request.url());
  });
});
afterEach(async () => {
  await page.context().close();
  expect(problems).toEqual([]);
});

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** accessible fails if axe-core finds anything on the page. */
async function accessible() {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof import('axe-core') }).axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
  expect(found).toEqual([]);
}

const button = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' });
const codeField = () => page.getByRole('textbox', { name: 'Code', exact: true });
const alert = (text: string | RegExp) => page.getByRole('alert').filter({ hasText: text });

async function signIn(email: string, app = `${server.url}/app/`) {
  await page.goto(app);
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(password);
  await button('Sign in').click();
}

/** enrolled returns a new user with an authenticator app, whose next code is not spent. */
async function enrolled() {
  const email = await server.newUser();
  const protekt = createProtekt({ url: server.url });
  const { accessToken } = await protekt.auth.login({ email, password });
  const { totpUri } = await protekt.mfa.enroll({ method: 'totp', label: 'Work' }, accessToken);
  const secret = secretOf(totpUri!);
  expect((await protekt.mfa.verify({ code: await server.totp(secret) }, accessToken)).error).toBeNull();
  await server.forward('30s');
  return { email, secret, accessToken, protekt };
}

describe.each([
  ['bearer tokens', () => `${server.url}/app/`],
  ['a cookie', () => `${server.url}/app/?session=cookie`],
  ["bearer tokens, through Vite's proxy", () => vite.resolvedUrls!.local[0]!],
  ["a cookie, through Vite's proxy", () => `${vite.resolvedUrls!.local[0]}?session=cookie`],
])('with %s', (_, app) => {
  test('a user adds an app and backup codes, and logs in with them', async () => {
    const email = await server.newUser();
    await signIn(email, app());
    await page.getByText('You have no second factor yet.').waitFor();
    await accessible();

    await button('Set up an authenticator app').click();
    await page.getByLabel('Name (optional)').fill('Work');
    await button('Continue').click();
    const secret = (await page.locator('.protekt-secret').textContent())!;
    await accessible();
    await codeField().fill('12');
    await button('Verify').click();
    await alert('That code is not right').waitFor();
    expect(await codeField().getAttribute('aria-invalid')).toBe('true');
    await accessible();
    await codeField().fill(await server.totp(secret));
    await button('Verify').click();
    await page.getByText('Authenticator app: Work', { exact: true }).waitFor();

    await button('Generate backup codes').click();
    const backup = (await page.locator('.protekt-codes code').first().textContent())!;
    await page.getByText('10 backup codes are left.').waitFor();
    await accessible();

    await button('Sign out').click();
    await server.forward('30s');
    await signIn(email, app());
    await page.getByText('Enter the code that your authenticator app shows.').waitFor();
    expect(await codeField().evaluate((input) => [document.activeElement === input, input.getAttribute('autocomplete'), input.getAttribute('inputmode')])).toEqual([true, 'one-time-code', 'numeric']);
    await accessible();
    await page.getByLabel('Do not ask again on this device').check();
    await button('Use another way').click();
    await accessible();
    await button('Backup code').click();
    await page.getByLabel('Backup code').fill(backup.toUpperCase());
    await button('Verify').click();
    await page.getByText('9 backup codes are left.').waitFor();

    await page.reload();
    await page.getByText('9 backup codes are left.').waitFor();
    await button('Sign out').click();
    await signIn(email, app()); // from the device that is trusted now
    await button('Forget Device').click();
    await page.getByText('No device may skip the second factor.').waitFor();
  });
});

test('two tabs sign in and out together', async () => {
  await signIn(await server.newUser());
  await button('Sign out').waitFor();
  const other = await page.context().newPage();
  await other.goto(`${server.url}/app/`);
  await other.getByText('You have no second factor yet.').waitFor();
  await button('Sign out').click();
  await other.getByRole('button', { name: 'Sign in' }).waitFor();
});

test('a call waits for a step-up and then goes on', async () => {
  const { email, secret } = await enrolled();
  await signIn(email);
  await codeField().fill(await server.totp(secret));
  await button('Verify').click();
  await page.getByText('Authenticator app: Work', { exact: true }).waitFor();

  await server.forward('16m'); // the proof of the login is too old by now
  await button('Remove Authenticator app: Work').click();
  await page.getByRole('heading', { name: 'Confirm it is you' }).waitFor();
  await accessible();
  await button('Cancel').click();
  await page.getByRole('heading', { name: 'Confirm it is you' }).waitFor({ state: 'detached' });

  await button('Remove Authenticator app: Work').click();
  await codeField().fill(await server.totp(secret));
  await button('Verify').click();
  await page.getByText('You have no second factor yet.').waitFor();
});

test('a phone is added, renamed, and asked for a code', async () => {
  const phone = '+2348012345679';
  const email = await server.newUser();
  await signIn(email);
  await button('Set up a phone').click();
  await page.getByLabel('Phone number, with the country code').fill('+234');
  await button('Continue').click();
  await alert('That is not a phone number').waitFor();
  await page.getByLabel('Phone number, with the country code').fill(phone);
  await button('Continue').click();
  await page.getByText(/^A code is on its way to \+23\*+679/).waitFor();
  expect(await button('Send another code').isDisabled()).toBe(true);
  await page.getByRole('timer').filter({ hasText: /Please wait \d+ s/ }).waitFor();
  await accessible();
  await codeField().fill(await server.smsCode(phone));
  await button('Verify').click();

  await button(/^Rename Text message/).click();
  await page.getByLabel('New name').fill('Mine');
  await button('Save').click();
  await page.getByText('Text message: Mine', { exact: true }).waitFor();

  await button('Sign out').click();
  await server.forward('1m');
  await signIn(email);
  await button('Send code').click();
  await page.getByText(/^A code is on its way/).waitFor();
  await accessible();
  await codeField().fill(await server.smsCode(phone));
  await button('Verify').click();
  await page.getByText('Text message: Mine', { exact: true }).waitFor();

  await server.forward('16m');
  await button('Remove Text message: Mine').click();
  await button('Send code').click();
  await page.getByText(/^A code is on its way/).waitFor();
  await codeField().fill(await server.smsCode(phone));
  await button('Verify').click();
  await page.getByText('You have no second factor yet.').waitFor();
});

test('a passkey is added and logs in', async () => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
  });
  const email = await server.newUser();
  await signIn(email);
  await button('Add a passkey').click();
  await page.getByLabel('Name (optional)').fill('Laptop');
  await accessible();
  await button('Continue').click();
  await page.getByText('Passkey: Laptop', { exact: true }).waitFor();

  await button('Sign out').click();
  await signIn(email);
  await button('Use a passkey').waitFor();
  await accessible();
  await button('Use a passkey').click();
  await page.getByText('Passkey: Laptop', { exact: true }).waitFor();

  await server.forward('16m');
  await button('Remove Passkey: Laptop').click();
  const title = page.getByRole('heading', { name: 'Confirm it is you' });
  await title.waitFor();
  expect(await title.evaluate((heading) => document.activeElement === heading)).toBe(true);
  await button('Use a passkey').click();
  await page.getByText('You have no second factor yet.').waitFor();
});

test('who must have MFA sets it up with the code of the guide before anything else', async () => {
  const project = createProtekt({ url: server.url, apiKey });
  await project.projects.update('proj_1', { mfaRequired: true });
  try {
    await signIn(await server.newUser());
    await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
    await accessible();
    await button('Set up an authenticator app').click();
    const secret = secretOf((await page.locator('code').first().textContent())!);
    await accessible();

    const dialog = page.waitForEvent('dialog');
    await page.getByPlaceholder('Enter the 6-digit code').fill('12');
    const wrong = button('Verify & Enable MFA').click();
    expect((await dialog).message()).toBe('Incorrect code. Please try again.');
    await (await dialog).accept();
    await wrong;

    await page.getByPlaceholder('Enter the 6-digit code').fill(await server.totp(secret));
    await button('Verify & Enable MFA').click();
    await button('Generate backup codes').click();
    await page.getByText('Save these codes in a safe place. Each can only be used once.').waitFor();
    await accessible();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await button('Copy all').click();
    expect((await page.evaluate(() => navigator.clipboard.readText())).split('\n')).toHaveLength(10);

    await button('Continue').click();
    await button('Rename Authenticator app').waitFor();
    expect(await button(/^Remove/).count()).toBe(0);

    const phone = '+2348012345680';
    await button('Set up a phone').click();
    await page.getByLabel('Phone number, with the country code').fill(phone);
    await button('Continue').click();
    await page.getByText(/^A code is on its way/).waitFor();
    await codeField().fill(await server.smsCode(phone));
    await button('Verify').click();
    await button('Remove lost Authenticator app').click();
    await button('Rename Authenticator app').waitFor({ state: 'detached' });
    expect(await button(/^Remove/).count()).toBe(0);
    await accessible();
  } finally {
    await project.projects.update('proj_1', { mfaRequired: false });
  }
});

test('too many wrong codes make one wait, and the seconds are counted', async () => {
  const { email } = await enrolled();
  await signIn(email);
  const timer = page.getByRole('timer');
  for (let i = 0; i < 10 && !(await timer.isVisible()); i++) {
    if ((await codeField().count()) === 0) await signIn(email); // the challenge took its last try
    await codeField().fill(String(111111 + i));
    await button('Verify').click();
    await page.waitForFunction(() => document.querySelector('.protekt-code-form .protekt-error')?.textContent || !document.querySelector('.protekt-code-form'));
  }
  expect(await button('Verify').isDisabled()).toBe(true);
  expect(await timer.textContent()).toMatch(/^Please wait \d+ s\.$/);
  await accessible();
});

test('a challenge that has expired leads back to the login, which says why', async () => {
  const { email, secret } = await enrolled();
  await signIn(email);
  await codeField().waitFor();
  await server.forward('6m');
  await codeField().fill(await server.totp(secret));
  await button('Verify').click();
  await alert('That took too long. Please sign in again.').waitFor();
  await accessible();
});
