function BackupCodes({ codes }) {
  return (
    <div>
      <p>Save these codes in a safe place. Each can only be used once.</p>
      <ul>
        {codes.map((code) => <li key={code}><code>{code}</code></li>)}
      </ul>
      <button onClick={() => navigator.clipboard.writeText(codes.join('\n'))}>
        Copy all
      </button>
    </div>
  );
}

export { BackupCodes };
