import { useState, type FormEvent } from 'react';
import type { ProtektError } from '@protekt/js';
import { useAuth, useTexts } from './context.js';
import { Button, ErrorText, Field, Wait } from './fields.js';
import { useAction } from './hooks.js';
import type { Credentials } from './session.js';

/** LoginForm asks for address and password: <LoginForm onSubmit={login}/>. */
export function LoginForm({ onSubmit }: { onSubmit: (credentials: Credentials) => Promise<{ error: ProtektError | null }> }) {
  const texts = useTexts();
  const { expired } = useAuth();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const action = useAction(onSubmit);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!action.pending && action.wait === 0) void action.run({ email, password });
  };
  return (
    <form className="protekt-login" onSubmit={submit}>
      {expired && (
        <p className="protekt-notice" role="alert">
          {texts.expired}
        </p>
      )}
      <Field label={texts.email} type="email" name="email" autoComplete="username" required value={email} onChange={(e) => setEmail(e.target.value)} />
      <Field label={texts.password} type="password" name="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
      <ErrorText error={action.error?.mfaToken ? null : action.error} />
      <Wait seconds={action.wait} />
      <Button primary type="submit" disabled={action.pending || action.wait > 0}>
        {texts.signIn}
      </Button>
    </form>
  );
}
