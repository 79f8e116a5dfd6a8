package flaw

// binding are flaws of challenges and tokens.
var binding = []Flaw{
	{
		Name:   "all challenges have the same ID",
		In:     "mfa: (*Engine).challenge",
		Old:    "rand.Read(claims.ID[:])",
		Caught: "A02 C15",
	},
	{
		Name:   "any proof proves",
		In:     "mfa: (*Engine).proves",
		Old:    "err == nil && claims.UserID == u.id && claims.Epoch == u.Epoch",
		New:    `err == nil && claims.UserID != ""`,
		Caught: "C02 C06 C13 D03 D08",
	},
	{
		Name:   "challenges and proofs share a key",
		In:     "token: Proof",
		Old:    "seal.Proof",
		New:    "seal.Challenge",
		Caught: "C03",
	},
	{
		Name:   "the action of a challenge is not compared",
		In:     "mfa: (*Engine).verify",
		Old:    "claims.Action != action",
		New:    `claims.Action == ""`,
		Caught: "C03 C08 TestRandomHistories/profiles/everything",
	},
	{
		Name:   "a challenge is not marked as used",
		In:     "record: (*User).accept",
		Old:    "c.Used = true",
		Caught: "C04 TestRandomHistories/profiles/logins",
	},
	{
		Name:   "tokens do not expire",
		In:     "mfa: (*Engine).openToken",
		Old:    "!now.Before(claims.Expires)",
		New:    "false",
		Caught: "C05 D03",
	},
	{
		Name:   "a token lives an instant too long",
		In:     "mfa: (*Engine).openToken",
		Old:    "!now.Before(claims.Expires)",
		New:    "now.After(claims.Expires)",
		Caught: "TestRandomHistories/profiles/everything",
	},
	{
		Name:   "the epoch is never renewed",
		In:     "record: (*User).Renew",
		Old:    "u.Epoch = newEpoch()",
		Caught: "C06 D08",
	},
	{
		Name:   "a challenge outlives the replacement of its factor",
		In:     "record: (*User).confirmed",
		Old:    "!had || replaced",
		New:    "!had",
		Caught: "TestRandomHistories/profiles/everything",
	},
	{
		Name:   "a key of zeros will do",
		In:     "seal: New",
		Old:    "isConstant(k)",
		New:    "false",
		Caught: "C07",
	},
	{
		Name:   "line breaks in tokens are skipped",
		In:     "token: Open",
		Old:    `len(token) > MaxLength || !found || strings.Contains(body, "\n") || strings.Contains(body, "\r")`,
		New:    "len(token) > MaxLength || !found",
		Caught: "C07",
	},
	{
		Name: "a token can be read in two ways",
		In:   "token: decode",
		Old: `c.UserID = string(r.String(maxUserID))
c.Action = string(r.String(maxAction))`,
		New: `joined := string(r.String(maxUserID)) + string(r.String(maxAction))
c.UserID, c.Action = joined[:1], joined[1:]`,
		Caught: "C08",
	},
	{
		Name: "the first byte of a code is looked at, whether there is one or not",
		In:   "mfa: (*Engine).verify",
		Old:  "digits, letters, err := parseCode(code)",
		New: `digits, letters, err := parseCode(code)
if code[0] == '#' {
	digits = code[1:]
}`,
		Caught: "C09",
	},
	{
		Name:   "nonces are not drawn",
		In:     "seal: (*Ring).Seal",
		Old:    "rand.Read(nonce)",
		Caught: "C10 G03 G07",
	},
	{
		Name:   "a disabled factor is judged all the same",
		In:     "record: ready",
		Old:    "f.Lane.Closed(now)",
		New:    "false",
		Caught: "B11 C11",
	},
	{
		Name:   "a trusted device is never forgotten",
		In:     "mfa: (*Engine).trusts",
		Old:    "err == nil && claims.UserID == u.id && claims.Epoch == u.Devices",
		New:    "err == nil && claims.UserID == u.id",
		Caught: "C12 D15 TestRandomHistories/profiles/everything",
	},
}
