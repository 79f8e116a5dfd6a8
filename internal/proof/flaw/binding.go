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
		In:     "record: (*User).admit",
		Old:    "!had || replaced",
		New:    "!had",
		Caught: "C06 D16 TestRandomHistories/profiles/everything",
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
		Old:  "input, err := parseAnswer(answered)",
		New: `input, err := parseAnswer(answered)
if answered[0] == '#' {
	input.digits = answered[1:]
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
		In:     "record: (*User).ready",
		Old:    "lane.Closed(now)",
		New:    "false",
		Caught: "B11 C11 J03",
	},
	{
		Name:   "a trusted device is never forgotten",
		In:     "mfa: (*Engine).trusted",
		Old:    "return u.Device(claims.ID)",
		New:    "return &record.Device{ID: claims.ID, LastUsedAt: u.now}",
		Caught: "C12 D15 TestRandomHistories/profiles/everything",
	},
	{
		Name:   "a step-up serves whoever asks",
		In:     "mfa: (*Engine).verify",
		Old:    "userID != anyUser && claims.UserID != userID",
		New:    "false",
		Caught: "C02 C08 G17",
	},
	{
		Name:   "a lowered setting binds new tokens alone",
		In:     "mfa: (*Engine).openToken",
		Old:    "claims.Expires = earlier(claims.Expires, claims.Issued.Add(ttl))",
		Caught: "C05",
	},
	{
		Name:   "forgetting the devices leaves the proofs",
		In:     "mfa: (*Engine).ForgetDevices",
		Old:    "u.Renew()",
		New:    "u.User.Devices = nil",
		Caught: "C06 C12 D16",
	},
	{
		Name:   "there is no end of devices",
		In:     "record: MaxDevices",
		Old:    "20",
		New:    "1 << 20",
		Caught: "C12",
	},
	{
		Name:   "a removal ends nothing",
		In:     "record: (*User).Remove",
		Old:    "u.Renew()",
		Caught: "C06 D15 D16",
	},
	{
		Name:   "no factor is any factor",
		In:     "mfa: parseID",
		Old:    "id != record.ID{}",
		New:    "true",
		Caught: "C13",
	},
	{
		Name:   "a factor is named whatever its method",
		In:     "mfa: (*user).selected",
		Old:    "f == nil || f.Method != method",
		New:    "f == nil",
		Caught: "C13",
	},
	{
		Name:   "a proof that is asked for by itself is not looked at",
		In:     "mfa: (*Engine).CheckProof",
		Old:    "return e.mayChange(u, changeOptions{proof: proof})",
		New:    "return nil",
		Caught: "C03",
	},
}
