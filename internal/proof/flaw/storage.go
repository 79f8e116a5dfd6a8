package flaw

// storage are flaws of randomness, of what is stored, and of stores that fail.
var storage = []Flaw{
	{
		Name:   "codes are read from the clock",
		In:     "mfa: newSMSCode",
		Old:    "n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))",
		New:    "n, err := big.NewInt(time.Now().UnixNano()/1000%1_000_000), error(nil)",
		Caught: "G01",
	},
	{
		Name: "digits are bytes modulo ten",
		In:   "mfa: newSMSCode",
		Old:  "n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))",
		New: `n, err := new(big.Int), error(nil)
var b [6]byte
rand.Read(b[:])
for _, digit := range b {
	n.Add(n.Mul(n, big.NewInt(10)), big.NewInt(int64(digit%10)))
}`,
		Caught: "G02",
	},
	{
		Name:   "all apps have one key",
		In:     "mfa: newKey",
		Old:    "rand.Read(key.Secret)",
		Caught: "C01 D01 D06 G01 G03 G04",
	},
	{
		Name:   "keys have 120 bits",
		In:     "mfa: TOTPConfig.blankKey",
		Old:    "make([]byte, algorithm.Size())",
		New:    "make([]byte, 15)",
		Caught: "G04",
	},
	{
		Name:   "backup codes are hashed for next to nothing",
		In:     "mfa: backupCost",
		Old:    "Memory: 19 << 10",
		New:    "Memory: 64",
		Caught: "G05",
	},
	{
		Name:   "all backup codes have one salt",
		In:     "mfa: (*Engine).GenerateBackupCodes",
		Old:    "rand.Read(salt[:])",
		New:    `copy(salt[:], "salt")`,
		Caught: "G03 G05",
	},
	{
		Name:   "backup codes are stored as they are",
		In:     "mfa: hashInTurn",
		Old:    "argon2.IDKey([]byte(symbols), salt[:], cost.Time, cost.Memory, cost.Threads, uint32(len(hash)))",
		New:    "symbols",
		Caught: "G05 G06",
	},
	{
		Name:   "what is sealed is sent along",
		In:     "mfa: (*Engine).save",
		Old:    "e.ring.Seal(seal.Record, buffer, associated(u.id, u.version+1))",
		New:    "append(e.ring.Seal(seal.Record, bytes.Clone(buffer), associated(u.id, u.version+1)), seal.Plaintext(buffer)...)",
		Caught: "G07",
	},
	{
		Name:   "a record is not bound to its user",
		In:     "mfa: associated",
		Old:    "append(b, userID...)",
		New:    "b",
		Caught: "G08",
	},
	{
		Name:   "a record is not bound to its version",
		In:     "mfa: associated",
		Old:    "uint64(version)",
		New:    "0",
		Caught: "G08",
	},
	{
		Name:   "codes are hashed without a key",
		In:     "seal: (*key).tag",
		Old:    "hmac.New(sha256.New, k.hash)",
		New:    "sha256.New()",
		Caught: "G09",
	},
	{
		Name:   "a conflict is a save",
		In:     "mfa: (*Engine).updateIn",
		Old:    "err == nil",
		New:    "err == nil || errors.Is(err, ErrConflict)",
		Caught: "G11 G12 G13 I06",
	},
	{
		Name:   "a save that fails is none that was needed",
		In:     "mfa: (*Engine).save",
		Old:    "err != nil",
		New:    "errors.Is(err, ErrConflict)",
		Caught: "G11 G12",
	},
	{
		Name:   "a success is told though its save failed",
		In:     "mfa: (*Engine).updateIn",
		Old:    "err == nil",
		Where:  []string{"verdict := change(u)"},
		New:    "err == nil || verdict == nil && !errors.Is(err, ErrConflict)",
		Caught: "TestRandomHistories/profiles/faults",
	},
	{
		Name:   "a record that does not open is no record",
		In:     "mfa: (*Engine).loadFrom",
		Old:    "open(u, stored)",
		New:    "func() error { open(u, stored); return nil }()",
		Caught: "E07 F01 G07 G08 G16",
	},
	{
		Name:   "challenges are remembered without bound",
		In:     "record: MaxChallenges",
		Old:    "32",
		New:    "1 << 20",
		Caught: "G15",
	},
	{
		Name:   "a challenge that is forgotten begins anew",
		In:     "record: (*User).remember",
		Old:    "u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)",
		Caught: "G15 TestRandomHistories/profiles/many_challenges",
	},
	{
		Name: "without a key one is made up",
		In:   "seal: New",
		Old:  "len(keys) == 0",
		New: `func() bool {
	if len(keys) == 0 {
		keys = [][]byte{append(make([]byte, KeySize-1), 1)}
	}
	return false
}()`,
		Caught: "G16",
	},
	{
		Name:   "what is written stays under the old key",
		In:     "seal: (*Ring).Seal",
		Old:    "&r.keys[0]",
		New:    "&r.keys[len(r.keys)-1]",
		Caught: "G16",
	},
	{
		Name:   "a secret that is cut off is taken for a shorter one",
		In:     "otpauth: parseSecret",
		Old:    "base32NoPadding.EncodedLen(len(secret)) != len(text)",
		New:    "false",
		Caught: "G04",
	},
	{
		Name:   "a key may be text",
		In:     "seal: New",
		Old:    "isText(k)",
		New:    "false",
		Caught: "G16",
	},
	{
		Name:   "events end with the caller",
		In:     "mfa: (*Engine).emit",
		Old:    "ctx = context.WithoutCancel(ctx)",
		Caught: "G17",
	},
	{
		Name:   "a refused token is not told",
		In:     "mfa: (*Engine).refuseToken",
		Old:    "e.emit(ctx, event)",
		Caught: "C02 G17",
	},
}
