import { useState, type ReactNode } from 'react';
import type { ProtektError } from '@protekt/js';
import { useTexts } from './context.js';
import { Button, Field, Wait } from './fields.js';
import { useAction } from './hooks.js';

interface CodeFormProps {
  label: string;
  /** Whether it is a backup code, which has letters and is nobody's one-time code. */
  backup?: boolean;
  onSubmit: (code: string) => Promise<{ error: ProtektError | null }>;
  children?: ReactNode;
}

/** A CodeForm takes a code and verifies it. */
export function CodeForm({ label, backup = false, onSubmit, children }: CodeFormProps) {
  const texts = useTexts();
  const [code, setCode] = useState('');
  const action = useAction(onSubmit);
  return (
    <form
      className="protekt-code-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!action.pending && action.wait === 0) void action.run(code);
      }}
    >
      <Field
        label={label}
        name="code"
        inputMode={backup ? 'text' : 'numeric'}
        autoComplete={backup ? 'off' : 'one-time-code'}
        autoCapitalize="none"
        spellCheck={false}
        required
        focused
        value={code}
        error={action.error}
        onChange={(event) => setCode(event.target.value)}
      />
      {children}
      <Wait seconds={action.wait} />
      <Button primary type="submit" disabled={action.pending || action.wait > 0}>
        {texts.verify}
      </Button>
    </form>
  );
}
