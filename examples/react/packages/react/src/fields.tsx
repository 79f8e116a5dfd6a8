import { useEffect, useId, useRef, type InputHTMLAttributes, type ReactNode } from 'react';
import type { ProtektError } from '@protekt/js';
import { useTexts } from './context.js';
import type { Texts } from './texts.js';

/** messageOf returns what to say about an error, in the host's words if there are some. */
export function messageOf(error: ProtektError, texts: Texts): string {
  const message = texts.errors[error.code] ?? error.message;
  return error.triesLeft === undefined ? message : `${message} ${texts.triesLeft(error.triesLeft)}`;
}

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'id' | 'className'> {
  label: string;
  error?: ProtektError | null;
  /** Takes the focus when it appears, and again after an error. */
  focused?: boolean;
}

/** A Field is a labelled input with its error. */
export function Field({ label, error = null, focused = false, ...input }: FieldProps) {
  const id = useId();
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!focused) return;
    ref.current?.focus();
    if (error) ref.current?.select();
  }, [focused, error]);
  return (
    <div className="protekt-field">
      <label className="protekt-label" htmlFor={id}>
        {label}
      </label>
      <input
        {...input}
        ref={ref}
        id={id}
        className="protekt-input"
        aria-invalid={error ? true : undefined}
        aria-describedby={error ? `${id}-error` : undefined}
      />
      <ErrorText id={`${id}-error`} error={error} />
    </div>
  );
}

/** ErrorText says an error aloud. */
export function ErrorText({ id, error }: { id?: string; error: ProtektError | null }) {
  const texts = useTexts();
  return (
    <p className="protekt-error" id={id} role="alert">
      {error ? messageOf(error, texts) : ''}
    </p>
  );
}

/** Wait shows the seconds left. Screen readers do not hear each of them. */
export function Wait({ seconds }: { seconds: number }) {
  const texts = useTexts();
  return seconds > 0 ? (
    <p className="protekt-wait" role="timer">
      {texts.wait(seconds)}
    </p>
  ) : null;
}

export function Button({ primary = false, ...button }: { primary?: boolean; type?: 'button' | 'submit'; disabled?: boolean; onClick?: () => void; children: ReactNode; 'aria-label'?: string }) {
  return <button type="button" {...button} className={primary ? 'protekt-button protekt-primary' : 'protekt-button'} />;
}
