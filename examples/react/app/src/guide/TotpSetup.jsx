import { useState } from 'react';
import { useAuth } from '@protekt/react';

function TotpSetup({ qrCode, totpUri }) {
  const [code, setCode] = useState('');
  const { verifyMfaEnrollment } = useAuth();

  async function handleVerify() {
    const { error } = await verifyMfaEnrollment({ method: 'totp', code });
    if (error) alert('Incorrect code. Please try again.');
  }

  return (
    <div>
      <p>Scan this QR code with your authenticator app:</p>
      <img src={qrCode} alt="MFA QR code" />
      <p>Or enter the key manually: <code>{totpUri}</code></p>
      <input
        placeholder="Enter the 6-digit code"
        value={code}
        onChange={(e) => setCode(e.target.value)}
        maxLength={6}
      />
      <button onClick={handleVerify}>Verify & Enable MFA</button>
    </div>
  );
}

export { TotpSetup };
