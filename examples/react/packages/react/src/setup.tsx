import { useId, useState, type FormEvent, type ReactNode } from 'react';
import type { Delivery, TotpEnrollment } from '@protekt/js';
import { CodeForm } from './CodeForm.js';
import { useAuth, useTexts } from './context.js';
import { Button, ErrorText, Field, Wait } from './fields.js';
import { useAction, useCountdown, type Action } from './hooks.js';
import { secondsUntil } from './MfaChallenge.js';
import { createPasskey, passkeysSupported } from './passkeys.js';

export interface SetupProps {
  /** Called once the factor works. */
  onDone?: () => void;
  /** Whether earlier factors of this kind stay. By default the new one takes their place. */
  keepOthers?: boolean;
}

/** TotpSetup enrolls an authenticator app: a name, the QR code, the first code. */
export function TotpSetup({ onDone, keepOthers }: SetupProps) {
  const texts = useTexts();
  const { startMfaEnrollment, verifyMfaEnrollment } = useAuth();
  const [label, setLabel] = useState('');
  const [begun, setBegun] = useState<TotpEnrollment>();
  const begin = useAction(() => startMfaEnrollment({ method: 'totp', label: label || undefined, keepOthers }));
  const submit = async () => {
    const result = await begin.run();
    if (result.error === null) setBegun(result);
  };
  const verify = async (code: string) => {
    const result = await verifyMfaEnrollment({ method: 'totp', code });
    if (result.error === null) onDone?.();
    return result;
  };
  return (
    <Setup title={texts.totpSetup}>
      {begun ? (
        <>
          <p>{texts.scan}</p>
          <img className="protekt-qr" src={begun.qrCode} alt={texts.qrCode} />
          <p>
            {texts.secret} <code className="protekt-secret">{begun.secret}</code>
          </p>
          <CodeForm label={texts.code} onSubmit={verify} />
        </>
      ) : (
        <BeginForm action={begin} onSubmit={submit}>
          <Field label={texts.name} name="label" maxLength={64} value={label} onChange={(e) => setLabel(e.target.value)} />
        </BeginForm>
      )}
    </Setup>
  );
}

/** SmsSetup enrolls a phone: its number, the code that arrives there. */
export function SmsSetup({ onDone, keepOthers }: SetupProps) {
  const texts = useTexts();
  const { startMfaEnrollment, verifyMfaEnrollment } = useAuth();
  const [phone, setPhone] = useState('');
  const [sent, setSent] = useState<Delivery>();
  const [cooldown, startCooldown] = useCountdown();
  const begin = useAction(() => startMfaEnrollment({ method: 'sms', phone, keepOthers }));
  const wait = Math.max(cooldown, begin.wait);
  const submit = async () => {
    const result = await begin.run();
    if (result.error !== null) return;
    setSent(result);
    startCooldown(secondsUntil(result.resendAfter));
  };
  const verify = async (code: string) => {
    const result = await verifyMfaEnrollment({ method: 'sms', code });
    if (result.error === null) onDone?.();
    return result;
  };
  return (
    <Setup title={texts.smsSetup}>
      {sent ? (
        <>
          <p role="status">{texts.codeSent(sent.phone)}</p>
          <CodeForm label={texts.code} onSubmit={verify} />
          <ErrorText error={begin.error} />
          <Wait seconds={wait} />
          <Button disabled={begin.pending || wait > 0} onClick={() => void submit()}>
            {texts.sendAnother}
          </Button>
        </>
      ) : (
        <BeginForm action={begin} onSubmit={submit}>
          <Field label={texts.phone} type="tel" name="phone" autoComplete="tel" required value={phone} onChange={(e) => setPhone(e.target.value)} />
        </BeginForm>
      )}
    </Setup>
  );
}

/** PasskeySetup adds a passkey. */
export function PasskeySetup({ onDone }: Pick<SetupProps, 'onDone'>) {
  const texts = useTexts();
  const { startMfaEnrollment, verifyMfaEnrollment } = useAuth();
  const [label, setLabel] = useState('');
  const action = useAction(async () => {
    const begun = await startMfaEnrollment({ method: 'passkey', label: label || undefined });
    if (begun.error !== null) return begun;
    const passkey = await createPasskey(begun.options);
    if (passkey === null) return { error: { code: 'passkey_cancelled', message: texts.passkeyCancelled, status: 0 } };
    return verifyMfaEnrollment({ method: 'passkey', passkey });
  });
  const submit = async () => {
    const { error } = await action.run();
    if (error === null) onDone?.();
  };
  return (
    <Setup title={texts.passkeySetup}>
      {passkeysSupported() ? (
        <BeginForm action={action} onSubmit={submit}>
          <Field label={texts.name} name="label" maxLength={64} value={label} onChange={(e) => setLabel(e.target.value)} />
        </BeginForm>
      ) : (
        <p>{texts.passkeyUnsupported}</p>
      )}
    </Setup>
  );
}

function Setup({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="protekt-setup" aria-labelledby={id}>
      <h3 className="protekt-title" id={id}>
        {title}
      </h3>
      {children}
    </section>
  );
}

function BeginForm({ action, onSubmit, children }: { action: Pick<Action<never, never>, 'pending' | 'error' | 'wait'>; onSubmit: () => Promise<void>; children: ReactNode }) {
  const texts = useTexts();
  return (
    <form
      className="protekt-begin"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (!action.pending && action.wait === 0) void onSubmit();
      }}
    >
      {children}
      <ErrorText error={action.error} />
      <Wait seconds={action.wait} />
      <Button primary type="submit" disabled={action.pending || action.wait > 0}>
        {texts.continue}
      </Button>
    </form>
  );
}
