import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { setDefaultResultOrder } from 'node:dns';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

setDefaultResultOrder('ipv4first'); // the server listens there, and Node 18 tries one address of localhost's

const webapp = fileURLToPath(new URL('../../webapp', import.meta.url));
const dist = fileURLToPath(new URL('../app/dist', import.meta.url));

export const apiKey = 'pk_test';
export const password = 'correct horse battery staple';

export type Server = Awaited<ReturnType<typeof startServer>>;

/** startServer starts the web example. */
export async function startServer() {
  const { stop, line } = await start(['run', '.', '-addr', 'localhost:0', '-db', ':memory:', '-app', dist], /http:.*\/signup/);
  const { origin } = new URL(line.trim().split(' ')[0]!);
  return serverAt(origin, stop);
}

/** startServerWithClock starts the web example with a clock that moves on request. */
export async function startServerWithClock() {
  const { stop, line } = await start(['test', '-v', '-run', '^TestServe$', '-timeout', '1h', '.', '-serve', dist], /^serving /);
  const [, origin, clock] = line.split(' ') as [string, string, string];
  const move = async (by: string) => Number(await (await fetch(`${clock}?${new URLSearchParams({ by })}`)).text());
  return {
    ...serverAt(origin, stop),
    forward: async (by: string) => void (await move(by)),
    /** Returns the code that an authenticator app shows by the server's clock. */
    totp: async (secret: string) => hotp(secret, Math.floor((await move('0s')) / 30)),
  };
}

/** start runs the go command, and waits for a line of its output. */
async function start(args: string[], wanted: RegExp) {
  const env = { ...process.env, MFA_API_KEY: apiKey };
  const child = spawn('go', args, { cwd: webapp, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  createInterface(child.stderr).on('line', (text) => void (/ INFO /.test(text) || console.error(text)));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (text) => {
      said.push(text);
      if (wanted.test(text)) resolve(text);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the web example did not start: ${said.join('\n')}`)));
  });
  return { line, stop: () => void process.kill(-child.pid!) }; // the command, and the server that it runs
}

function serverAt(url: string, stop: () => void) {
  let users = 0;
  return {
    url,
    stop,
    /** Returns the address of a new user. */
    async newUser() {
      const email = `user${++users}@example.com`;
      const response = await fetch(`${url}/signup`, { method: 'POST', body: new URLSearchParams({ email, password }), redirect: 'manual' });
      if (response.status !== 303) throw new Error(`signing up: ${response.status}`);
      return email;
    },
    /** Returns the code last sent to a phone. */
    async smsCode(phone: string) {
      const page = await (await fetch(`${url}/phone`)).text();
      const message = page.split('<li ').find((item) => item.includes(`data-to="${phone.replace('+', '&#43;')}"`)) ?? '';
      return /<p class="body">[^]*?\b(\d{6})\b/.exec(message)?.[1] ?? '';
    },
  };
}

/** secretOf returns the secret in an otpauth:// URI. */
export function secretOf(uri: string): string {
  return new URL(uri).searchParams.get('secret') ?? '';
}

/** codes returns the code that an authenticator app shows and the next one: for half a minute the server takes both. */
export function codes(secret: string): [string, string] {
  const step = Math.floor(Date.now() / 30_000);
  return [hotp(secret, step), hotp(secret, step + 1)];
}

/** hotp returns the code for a counter (RFC 4226 §5.3). */
function hotp(secret: string, counter: number): string {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', key).update(message).digest();
  const offset = mac[19]! & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
