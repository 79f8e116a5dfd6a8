import { useState } from 'react';
import { useAuth, useTexts } from './context.js';
import { Button, ErrorText, Wait } from './fields.js';
import { useAction } from './hooks.js';

export interface BackupCodesProps {
  /** Codes to show. Without them, the user can generate a set. */
  codes?: string[];
  /** Whether there is a set already, which a new one replaces. */
  replaces?: boolean;
  onGenerated?: () => void;
}

/** BackupCodes generates a set of backup codes and shows it, once. */
export function BackupCodes({ codes, replaces = false, onGenerated }: BackupCodesProps) {
  const texts = useTexts();
  const { generateBackupCodes } = useAuth();
  const [generated, setGenerated] = useState(codes);
  const [copied, setCopied] = useState(false);
  const action = useAction(generateBackupCodes);
  const shown = codes ?? generated;

  const generate = async () => {
    const { error, backupCodes } = await action.run();
    if (error !== null) return;
    setGenerated(backupCodes);
    setCopied(false);
    onGenerated?.();
  };
  const copy = async (list: string[]) => {
    await navigator.clipboard.writeText(list.join('\n'));
    setCopied(true);
  };

  return (
    <div className="protekt-backup-codes">
      {shown && (
        <>
          <p>{texts.saveCodes}</p>
          <ul className="protekt-codes">
            {shown.map((code) => (
              <li key={code}>
                <code>{code}</code>
              </li>
            ))}
          </ul>
          <Button onClick={() => void copy(shown)}>{texts.copyAll}</Button>
          <p role="status">{copied ? texts.copied : ''}</p>
        </>
      )}
      {!codes && (
        <>
          <ErrorText error={action.error?.code === 'mfa_required' ? null : action.error} />
          <Wait seconds={action.wait} />
          <Button disabled={action.pending || action.wait > 0} onClick={() => void generate()}>
            {replaces || shown ? texts.generateNew : texts.generate}
          </Button>
        </>
      )}
    </div>
  );
}
