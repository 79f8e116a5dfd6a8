// Each function is one block of the guide, and returns what the block has got.

export async function startTotp(protekt, accessToken) {
  // Node.js
  const { totpUri, qrCode } = await protekt.mfa.enroll({
    method: 'totp',
  }, accessToken);

  // totpUri: otpauth://totp/Protekt:user@example.com?secret=BASE32...
  // qrCode: data:image/png;base64,...
  return { totpUri, qrCode };
}

export async function confirmTotp(protekt, accessToken) {
  const { error } = await protekt.mfa.verify({
    code: '482910',
  }, accessToken);

  if (!error) {
    // MFA enrollment complete
    // Generate and display backup codes
  }
  return error;
}

export async function startSms(protekt, accessToken) {
  // Step 1 — Start enrollment with a phone number
  const { error } = await protekt.mfa.enroll({
    method: 'sms',
    phone: '+2348012345678',
  }, accessToken);

  // A verification code is sent to the phone number
  return error;
}

export async function confirmSms(protekt, accessToken) {
  // Step 2 — Verify the code to complete enrollment
  const { error } = await protekt.mfa.verify({
    code: '482910',
  }, accessToken);
  return error;
}

export async function generateBackupCodes(protekt, accessToken) {
  const { backupCodes } = await protekt.mfa.generateBackupCodes(accessToken);

  // backupCodes: ['7f3k-2m9p', '4x8n-6t1w', ...]
  // Show these to the user once — they cannot be retrieved again
  return backupCodes;
}

export async function removeTotp(protekt, accessToken) {
  const { error } = await protekt.mfa.unenroll({
    method: 'totp',
  }, accessToken);

  if (error?.code === 'mfa_enforced') {
    // Project requires MFA — cannot remove
  }
  return error;
}
