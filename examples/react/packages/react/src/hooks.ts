import { useCallback, useEffect, useRef, useState } from 'react';
import type { ProtektError } from '@protekt/js';

/** useCountdown returns the seconds left, and a function that starts to count. */
export function useCountdown(): [left: number, start: (seconds: number) => void] {
  const [until, setUntil] = useState(0);
  const [now, setNow] = useState(0);
  const left = Math.max(0, Math.ceil((until - now) / 1000));
  const counting = left > 0;
  useEffect(() => {
    if (!counting) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [counting]);
  const start = useCallback((seconds: number) => {
    setNow(Date.now());
    setUntil(Date.now() + seconds * 1000);
  }, []);
  return [left, start];
}

export interface Action<A extends unknown[], R> {
  run: (...args: A) => Promise<R>;
  pending: boolean;
  error: ProtektError | null;
  /** Seconds to wait before the next attempt. */
  wait: number;
  fail: (error: ProtektError | null) => void;
}

/** useAction makes a call, once at a time, and keeps its error and how long to wait. */
export function useAction<A extends unknown[], R extends { error: ProtektError | null }>(call: (...args: A) => Promise<R>): Action<A, R> {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<ProtektError | null>(null);
  const [wait, startWaiting] = useCountdown();
  const latest = useRef(call);
  useEffect(() => {
    latest.current = call;
  });
  const run = useCallback(
    async (...args: A) => {
      setPending(true);
      setError(null);
      const result = await latest.current(...args);
      setPending(false);
      if (result.error?.retryAfter) startWaiting(result.error.retryAfter);
      setError(result.error?.code === 'aborted' ? null : result.error);
      return result;
    },
    [startWaiting],
  );
  return { run, pending, error, wait, fail: setError };
}
