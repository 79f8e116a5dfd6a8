import { useState } from 'react';
import { PasskeySetup, Reverification, SecuritySettings, SmsSetup, useAuth } from '@protekt/react';
import { BackupCodes } from './guide/BackupCodes.jsx';
import { LoginPage } from './guide/LoginPage.jsx';
import { TotpSetup } from './guide/TotpSetup.jsx';

export function App() {
  const { status, logout } = useAuth();
  const [enrolled, setEnrolled] = useState(false); // a moment ago, so that backup codes are next
  if (status === 'enrollment' && !enrolled) setEnrolled(true);
  return (
    <main>
      <h1>Protekt</h1>
      {status === 'loading' && <p role="status">Loading …</p>}
      {(status === 'signedOut' || status === 'challenge') && <LoginPage />}
      {status === 'enrollment' && <Enrollment />}
      {status === 'signedIn' && enrolled && <SaveCodes onDone={() => setEnrolled(false)} />}
      {status === 'signedIn' && !enrolled && <SecuritySettings />}
      {status === 'signedIn' && <button onClick={() => void logout()}>Sign out</button>}
    </main>
  );
}

/** Enrollment lets who must have MFA set it up before the login is complete. */
function Enrollment() {
  const { availableMethods, startMfaEnrollment, cancel } = useAuth();
  const [totp, setTotp] = useState<{ qrCode: string; totpUri: string }>();
  const [message, setMessage] = useState('');
  const begin = async () => {
    const { error, qrCode, totpUri } = await startMfaEnrollment({ method: 'totp' });
    setMessage(error?.message ?? '');
    if (error === null) setTotp({ qrCode, totpUri });
  };
  return (
    <>
      <h2>Set up a second factor</h2>
      <p role="alert">{message}</p>
      {availableMethods.includes('totp') && !totp && <button onClick={() => void begin()}>Set up an authenticator app</button>}
      {totp && <TotpSetup {...totp} />}
      {availableMethods.includes('sms') && <SmsSetup />}
      {availableMethods.includes('passkey') && <PasskeySetup />}
      <button onClick={cancel}>Cancel</button>
    </>
  );
}

/** SaveCodes shows a set of backup codes right after the first enrollment. */
function SaveCodes({ onDone }: { onDone: () => void }) {
  const { generateBackupCodes } = useAuth();
  const [codes, setCodes] = useState<string[]>();
  const [message, setMessage] = useState('');
  const generate = async () => {
    const { error, backupCodes } = await generateBackupCodes();
    setMessage(error?.message ?? '');
    setCodes(backupCodes);
  };
  return (
    <>
      <h2>Backup codes</h2>
      <Reverification />
      <p role="alert">{message}</p>
      {codes ? <BackupCodes codes={codes} /> : <button onClick={() => void generate()}>Generate backup codes</button>}
      <button onClick={onDone}>Continue</button>
    </>
  );
}
