import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export const apiKey = 'pk_test';
export const password = 'correct horse battery staple';

/** startServer builds the test server, starts it and returns its address. */
export async function startServer() {
  const child = spawn('go', ['run', './testserver'], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the test server did not start')));
  });
  let users = 0;
  const post = async (path: string, form: Record<string, string>) => {
    const response = await fetch(url + path, { method: 'POST', body: new URLSearchParams(form) });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  };
  return {
    url,
    /** Returns the address of a new user. */
    async newUser() {
      const email = `user${++users}@example.com`;
      await post('/test/users', { email, password });
      return email;
    },
    /** Returns the code last sent to a phone. */
    async smsCode(phone: string) {
      return (await fetch(`${url}/test/messages?${new URLSearchParams({ phone })}`)).text();
    },
    /** Moves the server's clock. */
    async forward(by: string) {
      await post('/test/clock', { by });
    },
    /** Returns the code that an authenticator app shows by the server's clock. */
    async totp(secret: string) {
      const now = Number(await (await fetch(`${url}/test/clock`)).text());
      return hotp(secret, Math.floor(now / 30));
    },
    stop() {
      child.removeAllListeners('exit');
      if (child.pid) process.kill(-child.pid); // go run and the server
    },
  };
}

export type Server = Awaited<ReturnType<typeof startServer>>;

/** secretOf returns the secret in an otpauth:// URI. */
export function secretOf(uri: string): string {
  return new URL(uri).searchParams.get('secret') ?? '';
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
