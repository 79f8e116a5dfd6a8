package flaw

// codes are flaws of the one-time use of codes.
var codes = []Flaw{
	{
		Name:   "spent codes are not looked at",
		In:     "record: (*TOTP).accept",
		Old:    "t.Spent.covers(step)",
		New:    "false",
		Caught: "A01 A04",
	},
	{
		Name:   "the current step is spent, not the one of the code",
		In:     "record: (*TOTP).accept",
		Old:    "t.Spent.add(step)",
		Where:  []string{"current := t.Key.Step(now)"},
		New:    "t.Spent.add(current)",
		Caught: "A02",
	},
	{
		Name:   "characters without width stay in codes",
		In:     "mfa: normalRune",
		Old:    "unicode.In(r, unicode.Dash, unicode.Cf, unicode.Variation_Selector)",
		New:    "unicode.Is(unicode.Dash, r)",
		Caught: "A03 F04",
	},
	{
		Name: "a conflict is taken for a save",
		In:   "mfa: (*Engine).updateIn",
		Old: `if !errors.Is(err, ErrConflict) {
	return err
}`,
		Where: []string{"verdict := change(u)"},
		New: `if errors.Is(err, ErrConflict) {
	return verdict
}
return err`,
		Caught: "A04 A11 A12 B08 C04 C14 D06 D11",
	},
	{
		Name:   "the last spent step is compared, not all before it",
		In:     "record: Spent.covers",
		Old:    "step <= s[len(s)-1]",
		New:    "step == s[len(s)-1]",
		Caught: "A02 A05 TestRandomHistories/profiles/logins",
	},
	{
		Name:   "the code that confirmed is not spent",
		In:     "record: (*User).confirmTOTP",
		Old:    "u.PendingTOTP = nil",
		Where:  []string{"u.setTOTP(&factor)"},
		New:    "u.PendingTOTP, factor.Spent = nil, nil",
		Caught: "A06",
	},
	{
		Name:   "importing a key forgets what was spent of it",
		In:     "record: (*User).ImportTOTP",
		Old:    "factor.Spent = had.Spent",
		New:    "factor.Spent = nil",
		Caught: "A07",
	},
	{
		Name: "the earlier of two equal steps is spent",
		In:   "totp: Key.Match",
		Old:  "found = subtle.ConstantTimeSelect(equal, int(s-first)+1, found)",
		New: `if found > 0 {
	continue
}
found = subtle.ConstantTimeSelect(equal, int(s-first)+1, found)`,
		Caught: "A08",
	},
	{
		Name:   "spent steps are forgotten after five minutes",
		In:     "record: Spent.covers",
		Old:    "step <= s[len(s)-1]",
		New:    "step <= s[len(s)-1] && step > s[len(s)-1]-10",
		Caught: "A09",
	},
	{
		Name:   "clocks may differ by more than five minutes",
		In:     "mfa: clockSkew",
		Old:    "5 * time.Minute",
		New:    "5*time.Minute + 1",
		Caught: "A09",
	},
	{
		Name:   "what is pending may be of a clock ten minutes ahead",
		In:     "mfa: (*Engine).confirm",
		Old:    "e.pendingTTL(method) + clockSkew",
		New:    "e.pendingTTL(method) + 2*clockSkew",
		Caught: "A09",
	},
	{
		Name:   "a backup code is not deleted",
		In:     "record: (*BackupCodes).spend",
		Old:    "b.Hashes = slices.Delete(slices.Clone(b.Hashes), found, found+1)",
		Caught: "A03 A10 A11 TestRandomHistories/profiles/backup_codes",
	},
	{
		Name:   "one wrong code ends a challenge",
		In:     "record: (*User).charge",
		Old:    "c.Failures++",
		New:    "c.Failures = MaxTries",
		Caught: "A13",
	},
}
