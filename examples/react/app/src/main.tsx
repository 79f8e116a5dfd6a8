import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ProtektProvider } from '@protekt/react';
import { App } from './App.js';
import './app.css';

// With ?session=cookie the host's cookie holds the session, otherwise this page's
// tokens do. In either case the storage keeps the token of a trusted device.
const session = new URLSearchParams(location.search).get('session') === 'cookie' ? 'cookie' : 'bearer';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ProtektProvider session={session} storage={localStorage}>
      <App />
    </ProtektProvider>
  </StrictMode>,
);
