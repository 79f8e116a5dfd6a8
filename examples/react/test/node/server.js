import express from 'express';
import session from 'express-session';

/** createApp returns an Express application whose users log in as the guide says. */
export function createApp(protekt) {
  const app = express();
  app.use(express.urlencoded({ extended: false }));
  app.use(session({ secret: 'for tests only', resave: false, saveUninitialized: false }));

  app.post('/login', async (req, res) => {
    const { email, password } = req.body;

    // Node.js — handle login with MFA
    const loginResult = await protekt.auth.login({ email, password });

    if (loginResult.error?.code === 'mfa_required') {
      const { mfaToken, availableMethods } = loginResult.error;

      // Store mfaToken in the session and redirect to MFA prompt
      req.session.mfaToken = mfaToken;
      return res.redirect('/login/mfa');
    }

    if (loginResult.error) return res.status(401).json({ error: 'Invalid credentials.' });
    res.cookie('access_token', loginResult.accessToken, { httpOnly: true, secure: true });
    res.redirect('/dashboard');
  });

  // MFA prompt route
  app.post('/login/mfa', async (req, res) => {
    const { accessToken, refreshToken, error } = await protekt.mfa.verifyLogin({
      mfaToken: req.session.mfaToken,
      code: req.body.code,
    });

    if (error) return res.status(401).json({ error: 'Invalid MFA code.' });

    res.cookie('access_token', accessToken, { httpOnly: true, secure: true });
    res.redirect('/dashboard');
  });

  return app;
}
