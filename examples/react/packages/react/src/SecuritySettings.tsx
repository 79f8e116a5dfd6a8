import { useCallback, useEffect, useId, useState, type FormEvent, type ReactNode } from 'react';
import type { Device, Factor, Method, Status } from '@protekt/js';
import { BackupCodes } from './BackupCodes.js';
import { useAuth, useTexts } from './context.js';
import { Button, ErrorText, Field } from './fields.js';
import { useAction } from './hooks.js';
import { Reverification } from './MfaChallenge.js';
import { PasskeySetup, SmsSetup, TotpSetup } from './setup.js';

const setups = { totp: TotpSetup, sms: SmsSetup, passkey: PasskeySetup };
const titles = { totp: 'totpSetup', sms: 'smsSetup', passkey: 'passkeySetup' } as const;

export interface SecuritySettingsProps {
  /** What may be added. The default is all. */
  methods?: Exclude<Method, 'backup_code'>[];
}

/** SecuritySettings lists second factors, backup codes and trusted devices, and changes them. */
export function SecuritySettings({ methods = ['totp', 'sms', 'passkey'] }: SecuritySettingsProps) {
  const texts = useTexts();
  const { mfaStatus, devices: listDevices, generation, status: login } = useAuth();
  const [status, setStatus] = useState<Status>();
  const [devices, setDevices] = useState<Device[]>([]);
  const [adding, setAdding] = useState<Exclude<Method, 'backup_code'>>();
  const loading = useAction(
    useCallback(async () => {
      const [factors, trusted] = await Promise.all([mfaStatus(), listDevices()]);
      if (factors.error === null) setStatus(factors);
      if (trusted.error === null) setDevices(trusted.devices);
      return { error: factors.error ?? trusted.error };
    }, [mfaStatus, listDevices]),
  );
  const { run: reload } = loading;
  useEffect(() => {
    if (login === 'signedIn') void reload();
  }, [reload, generation, login]);

  if (!status) {
    return (
      <div className="protekt-security">
        <p role="status">{loading.pending ? texts.loading : ''}</p>
        <ErrorText error={loading.error} />
      </div>
    );
  }
  const factors = status.factors.filter(({ method }) => method !== 'backup_code');
  const removable = !status.required ? 'always' : factors.length > 1 ? 'lost' : 'never';
  const Setup = adding && setups[adding];
  return (
    <div className="protekt-security">
      <Reverification />
      <Section title={texts.factors}>
        {status.required && <p>{texts.required}</p>}
        {factors.length === 0 && <p>{texts.noFactors}</p>}
        <ul className="protekt-list">
          {factors.map((factor) => (
            <FactorItem key={factor.id} factor={factor} removable={removable} onChange={() => void reload()} />
          ))}
        </ul>
        {methods.map((method) => (
          <Button key={method} onClick={() => setAdding(method)}>
            {texts[titles[method]]}
          </Button>
        ))}
        {Setup && (
          <Setup
            key={adding}
            keepOthers
            onDone={() => {
              setAdding(undefined);
              void reload();
            }}
          />
        )}
      </Section>
      {factors.length > 0 && (
        <Section title={texts.backupCodes}>
          <p>{texts.backupCodesLeft(status.backupCodesLeft)}</p>
          <BackupCodes replaces={status.backupCodesLeft > 0} onGenerated={() => void reload()} />
        </Section>
      )}
      <Section title={texts.devices}>
        <Devices devices={devices} onChange={setDevices} />
      </Section>
    </div>
  );
}

interface FactorItemProps {
  factor: Factor;
  /** While MFA is required, the server removes a lost factor beside others, and no more. */
  removable: 'always' | 'lost' | 'never';
  onChange: () => void;
}

function FactorItem({ factor, removable, onChange }: FactorItemProps) {
  const texts = useTexts();
  const { unenrollMfa, revokeMfa, renameFactor } = useAuth();
  const [label, setLabel] = useState<string>();
  const id = factor.id ?? '';
  const name = [texts[factor.method], factor.label ?? factor.phone].filter((part) => part !== undefined).join(': ');
  const removal = useAction(() => (removable === 'lost' ? revokeMfa({ factorId: id }) : unenrollMfa({ factorId: id })));
  const renaming = useAction(() => renameFactor(id, label ?? ''));

  const remove = async () => {
    if ((await removal.run()).error === null) onChange();
  };
  const rename = async (event: FormEvent) => {
    event.preventDefault();
    if ((await renaming.run()).error !== null) return;
    setLabel(undefined);
    onChange();
  };
  return (
    <li className="protekt-factor">
      <span className="protekt-name">
        {name}
        {factor.disabled && ` (${texts.disabled})`}
      </span>{' '}
      {label === undefined ? (
        <>
          <Button onClick={() => setLabel(factor.label ?? '')}>{texts.rename(name)}</Button>{' '}
          {removable !== 'never' && (
            <Button disabled={removal.pending} onClick={() => void remove()}>
              {removable === 'lost' ? texts.removeLost(name) : texts.remove(name)}
            </Button>
          )}
          <ErrorText error={removal.error?.code === 'mfa_required' ? null : removal.error} />
        </>
      ) : (
        <form onSubmit={(event) => void rename(event)}>
          <Field label={texts.newName} maxLength={64} focused value={label} error={renaming.error} onChange={(e) => setLabel(e.target.value)} />
          <Button primary type="submit" disabled={renaming.pending}>
            {texts.save}
          </Button>
          <Button onClick={() => setLabel(undefined)}>{texts.cancel}</Button>
        </form>
      )}
    </li>
  );
}

function Devices({ devices, onChange }: { devices: Device[]; onChange: (devices: Device[]) => void }) {
  const texts = useTexts();
  const { forgetDevice, forgetDevices } = useAuth();
  const action = useAction((id?: string) => (id === undefined ? forgetDevices() : forgetDevice(id)));
  const forget = async (id?: string) => {
    const { error, devices: left } = await action.run(id);
    if (error === null) onChange(left);
  };
  if (devices.length === 0) return <p>{texts.noDevices}</p>;
  return (
    <>
      <ul className="protekt-list">
        {devices.map(({ id, label = texts.unnamedDevice, expiresAt }) => (
          <li key={id}>
            <span className="protekt-name">
              {label}, <time dateTime={expiresAt}>{new Date(expiresAt).toLocaleDateString()}</time>
            </span>{' '}
            <Button disabled={action.pending} onClick={() => void forget(id)}>
              {texts.forget(label)}
            </Button>
          </li>
        ))}
      </ul>
      <ErrorText error={action.error} />
      <Button disabled={action.pending} onClick={() => void forget()}>
        {texts.forgetAll}
      </Button>
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="protekt-section" aria-labelledby={id}>
      <h2 className="protekt-title" id={id}>
        {title}
      </h2>
      {children}
    </section>
  );
}
