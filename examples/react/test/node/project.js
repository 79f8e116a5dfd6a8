/** requireMfa makes MFA required of the whole project. It needs the API key. */
export async function requireMfa(protekt) {
  await protekt.projects.update('proj_01jk8abc', { mfaRequired: true });
}
