import { LoginForm } from '@protekt/react';
import { useAuth, MfaChallenge } from '@protekt/react';

function LoginPage() {
  const { login, mfaRequired, mfaToken } = useAuth();

  if (mfaRequired) {
    return <MfaChallenge mfaToken={mfaToken} />;
  }

  return <LoginForm onSubmit={login} />;
}

export { LoginPage };
