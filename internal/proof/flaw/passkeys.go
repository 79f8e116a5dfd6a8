package flaw

// passkeys are flaws of the engine's part of WebAuthn.
var passkeys = []Flaw{
	{
		Name:   "a passkey's new counter is not kept",
		In:     "record: (*User).AnswerPasskey",
		Old:    "passkey.Data = credential.Data",
		Caught: "J04",
	},
	{
		Name:   "a copied authenticator is a wrong code",
		In:     "record: (*User).AnswerPasskey",
		Old:    "errors.Is(err, ErrCloned)",
		New:    "false",
		Caught: "J04",
	},
	{
		Name:   "a copy is overlooked while keys rotate",
		In:     "mfa: underEachKey",
		Old:    "errors.Is(err, ErrClonedPasskey)",
		New:    "false",
		Caught: "J04",
	},
	{
		Name: "any credential logs in",
		In:   "record: (*User).AnswerPasskey",
		Old:  "passkey := u.passkey(credential)",
		New: `passkey := u.passkey(credential)
if passkey == nil {
	passkey = &u.Passkeys[0]
}`,
		Caught: "J05",
	},
	{
		Name:   "credentials have any size",
		In:     "record: Credential.fits",
		Old:    "len(c.ID)+len(c.Data) <= MaxCredential",
		New:    "true",
		Caught: "J05 J07",
	},
	{
		Name:   "an authenticator is enrolled twice",
		In:     "record: (*User).ConfirmPasskey",
		Old:    "u.passkey(credential) != nil",
		New:    "false",
		Caught: "J06",
	},
	{
		Name:   "a passkey takes the others' place",
		In:     "mfa: (*Engine).EnrollPasskey",
		Old:    "options.keep = true",
		Caught: "J06",
	},
	{
		Name:   "options are given while there is a delay",
		In:     "mfa: (*Engine).mayRequest",
		Old:    "u.throttled(u.RetryAt(MethodPasskey), false, about)",
		New:    "nil",
		Caught: "J03",
	},
	{
		Name:   "responses have any length",
		In:     "mfa: parseAnswer",
		Old:    "len(text) > maxPasskey",
		New:    "false",
		Caught: "J03",
	},
	{
		Name:   "what is no JSON is a response",
		In:     "mfa: parseAnswer",
		Old:    "!json.Valid([]byte(text))",
		New:    "false",
		Caught: "J03",
	},
	{
		Name:   "challenges end with a rotation of keys",
		In:     "mfa: (*Engine).passkeyRequest",
		Old:    "e.ring.MACs(passkeyChallenge, u.id, string(claims.ID[:]))",
		New:    "e.ring.MACs(passkeyChallenge, u.id, string(claims.ID[:]))[:1]",
		Caught: "J08",
	},
	{
		Name:   "enrollments end with a rotation of keys",
		In:     "mfa: (*Engine).passkeyCreation",
		Old:    "e.ring.MACs(passkeyEnrollment, u.id, string(p.ID[:]))",
		New:    "e.ring.MACs(passkeyEnrollment, u.id, string(p.ID[:]))[:1]",
		Caught: "J08",
	},
	{
		Name: "a keyed hash is of its label alone",
		In:   "seal: (*key).tag",
		Old: `for _, part := range parts {
	writePart(mac, part)
}`,
		New:    "_ = parts",
		Caught: "G09 J01",
	},
}
