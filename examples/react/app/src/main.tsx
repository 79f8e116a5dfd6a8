import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ProtektProvider } from '@protekt/react';
import { App } from './App.js';
import './app.css';

// With ?session=cookie the host's cookie holds the session, otherwise this page's tokens do.
const cookie = new URLSearchParams(location.search).get('session') === 'cookie';
const session = cookie ? ({ session: 'cookie' } as const) : ({ session: 'bearer', storage: sessionStorage } as const);

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ProtektProvider {...session}>
      <App />
    </ProtektProvider>
  </StrictMode>,
);
