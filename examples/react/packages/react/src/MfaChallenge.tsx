import { useEffect, useId, useRef, useState } from 'react';
import type { Answer, Method } from '@protekt/js';
import { CodeForm } from './CodeForm.js';
import { useAuth, useTexts } from './context.js';
import { Button, ErrorText, Wait } from './fields.js';
import { useAction, useCountdown } from './hooks.js';
import { getPasskey, passkeysSupported } from './passkeys.js';
import type { Challenge } from './session.js';
import type { Texts } from './texts.js';

/** A way to answer a challenge: a method, and for text messages which phone. */
interface Way {
  key: string;
  method: Method;
  factorId?: string | undefined;
  name: string;
  phone: string;
}

export interface MfaChallengeProps {
  mfaToken: string | undefined;
  /** Whether a login may ask to trust the device. The default is true. */
  trustDevice?: boolean;
}

/** MfaChallenge asks for a second factor: for a login, or for the call that waits for a step-up. */
export function MfaChallenge({ mfaToken, trustDevice = true }: MfaChallengeProps) {
  const { challenge, stepUp } = useAuth();
  const current = [challenge, stepUp].find((c) => c !== null && c.mfaToken === mfaToken);
  const texts = useTexts();
  if (!current) return <p role="alert">{texts.expired}</p>;
  return <Ways key={mfaToken} challenge={current} login={current === challenge} trustDevice={trustDevice} />;
}

/** Reverification asks while a call waits for a step-up, and shows nothing otherwise. */
export function Reverification() {
  const { stepUp } = useAuth();
  return stepUp && <MfaChallenge mfaToken={stepUp.mfaToken} />;
}

function Ways({ challenge, login, trustDevice }: { challenge: Challenge; login: boolean; trustDevice: boolean }) {
  const texts = useTexts();
  const auth = useAuth();
  const title = useId();
  const heading = useRef<HTMLHeadingElement>(null);
  const [trust, setTrust] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const ways = waysOf(challenge, texts);
  const [chosen, setChosen] = useState(ways[0]?.key);
  const way = ways.find(({ key }) => key === chosen);
  const verify = (answer: Answer) => (login ? auth.verifyMfa({ ...answer, trustDevice: trust || undefined }) : auth.verifyStepUp(answer));

  useEffect(() => {
    // A way without a field to type in: otherwise that has taken the focus.
    if (!heading.current?.parentElement?.contains(document.activeElement)) heading.current?.focus();
  }, [chosen]);

  return (
    <section className="protekt-challenge" aria-labelledby={title}>
      <h2 className="protekt-title" id={title} ref={heading} tabIndex={-1}>
        {texts.challengeTitle}
      </h2>
      {way && <Prompt key={way.key} way={way} verify={verify} />}
      {login && trustDevice && (
        <label className="protekt-check">
          <input type="checkbox" checked={trust} onChange={(event) => setTrust(event.target.checked)} /> {texts.trustDevice}
        </label>
      )}
      {ways.length > 1 && (
        <div className="protekt-ways">
          <button type="button" className="protekt-button" aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>
            {texts.useAnotherWay}
          </button>
          {choosing && (
            <ul className="protekt-list">
              {ways
                .filter(({ key }) => key !== chosen)
                .map(({ key, name }) => (
                  <li key={key}>
                    <Button
                      onClick={() => {
                        setChosen(key);
                        setChoosing(false);
                      }}
                    >
                      {name}
                    </Button>
                  </li>
                ))}
            </ul>
          )}
        </div>
      )}
      <Button onClick={login ? auth.cancel : auth.cancelStepUp}>{texts.cancel}</Button>
    </section>
  );
}

interface PromptProps {
  way: Way;
  verify: (answer: Answer) => ReturnType<ReturnType<typeof useAuth>['verifyStepUp' | 'verifyMfa']>;
}

function Prompt({ way, verify }: PromptProps) {
  const texts = useTexts();
  const onSubmit = (code: string) => verify({ code });
  switch (way.method) {
    case 'passkey':
      return <PasskeyButton verify={verify} />;
    case 'sms':
      return <SmsPrompt way={way} verify={verify} />;
    case 'backup_code':
      return (
        <>
          <p>{texts.backupPrompt}</p>
          <CodeForm label={texts.backupCode} backup onSubmit={onSubmit} />
        </>
      );
    case 'totp':
      return (
        <>
          <p>{texts.totpPrompt}</p>
          <CodeForm label={texts.code} onSubmit={onSubmit} />
        </>
      );
  }
}

function SmsPrompt({ way, verify }: PromptProps) {
  const texts = useTexts();
  const { sendMfaCode } = useAuth();
  const [sentTo, setSentTo] = useState<string>();
  const [cooldown, startCooldown] = useCountdown();
  const send = useAction(sendMfaCode);
  const wait = Math.max(cooldown, send.wait);
  const submit = async () => {
    const { error, phone, resendAfter } = await send.run({ factorId: way.factorId });
    if (error !== null) return;
    setSentTo(phone);
    startCooldown(secondsUntil(resendAfter));
  };
  return (
    <>
      <p role="status">{sentTo === undefined ? texts.smsPrompt(way.phone) : texts.codeSent(sentTo)}</p>
      {sentTo !== undefined && <CodeForm label={texts.code} onSubmit={(code) => verify({ code })} />}
      <ErrorText error={send.error} />
      <Wait seconds={wait} />
      <Button primary={sentTo === undefined} disabled={send.pending || wait > 0} onClick={() => void submit()}>
        {sentTo === undefined ? texts.sendCode : texts.sendAnother}
      </Button>
    </>
  );
}

function PasskeyButton({ verify }: Pick<PromptProps, 'verify'>) {
  const texts = useTexts();
  const { passkeyOptions } = useAuth();
  const action = useAction(async () => {
    const { error, ...options } = await passkeyOptions();
    if (error !== null || options.publicKey === undefined) return { error };
    const passkey = await getPasskey({ publicKey: options.publicKey });
    if (passkey === null) return { error: { code: 'passkey_cancelled', message: texts.passkeyCancelled, status: 0 } };
    return verify({ passkey });
  });
  return (
    <div className="protekt-passkey">
      <p>{passkeysSupported() ? texts.passkeyPrompt : texts.passkeyUnsupported}</p>
      <ErrorText error={action.error} />
      <Wait seconds={action.wait} />
      <Button primary disabled={!passkeysSupported() || action.pending || action.wait > 0} onClick={() => void action.run()}>
        {texts.usePasskey}
      </Button>
    </div>
  );
}

/** waysOf returns one way for each method, and for each phone. */
function waysOf({ availableMethods, factors }: Challenge, texts: Texts): Way[] {
  return availableMethods.flatMap((method): Way[] => {
    const own = factors.filter((factor) => factor.method === method);
    const names = own.map(({ label, phone }) => label ?? phone).filter((name) => name !== undefined);
    if (method !== 'sms' || own.length === 0) return [{ key: method, method, name: named(texts[method], names), phone: texts.yourPhone }];
    return own.map(({ id, label, phone = texts.yourPhone }) => ({
      key: `sms ${id}`,
      method,
      factorId: id,
      name: named(texts.sms, [label ?? phone]),
      phone,
    }));
  });
}

function named(method: string, names: string[]): string {
  return names.length > 0 ? `${method} (${names.join(', ')})` : method;
}

/** secondsUntil returns how long a time of the server's is away, within what clocks that differ make believable. */
export function secondsUntil(time: string): number {
  return Math.min(60, Math.max(0, (Date.parse(time) - Date.now()) / 1000));
}
