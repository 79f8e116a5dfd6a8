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
		In:     "record: (*Spent).covers",
		Old:    "step < s.Next || slices.Contains(s.Steps, step)",
		New:    "slices.Contains(s.Steps, step)",
		Caught: "A02 A05 TestRandomHistories/profiles/logins",
	},
	{
		Name:   "the code that confirmed is not spent",
		In:     "record: (*User).Confirm",
		Old:    "func(f Factor) { app.Factor = f; u.TOTP = append(u.TOTP, app) }",
		New:    "func(f Factor) { app.Factor, app.Spent = f, Spent{}; u.TOTP = append(u.TOTP, app) }",
		Caught: "A06",
	},
	{
		Name: "importing the key that a user has begins anew",
		In:   "mfa: (*Engine).ImportTOTP",
		Old:  "return alreadyEnrolled(slices.ContainsFunc(u.TOTP, func(app record.TOTP) bool { return app.Key.Equal(parsed) }))",
		New: `if !slices.ContainsFunc(u.TOTP, func(app record.TOTP) bool { return app.Key.Equal(parsed) }) {
	return ErrAlreadyEnrolled
}
u.Remove(MethodTOTP, record.ID{})`,
		Caught: "A07 B21",
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
		In:     "record: (*Spent).covers",
		Old:    "step < s.Next || slices.Contains(s.Steps, step)",
		New:    "step < s.Next && step > s.Next-10",
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
	{
		Name:   "what is left of a code may be of any length",
		In:     "mfa: parseCode",
		Old:    "len(code) > maxCode",
		New:    "false",
		Caught: "A03",
	},
	{
		Name:   "an import takes the place of another key",
		In:     "mfa: (*Engine).ImportTOTP",
		Old:    "return alreadyEnrolled(slices.ContainsFunc(u.TOTP, func(app record.TOTP) bool { return app.Key.Equal(parsed) }))",
		New:    "u.Remove(MethodTOTP, record.ID{})",
		Caught: "B21 C06",
	},
	{
		Name:   "unlocking frees what was used",
		In:     "record: (*Spent).clockWas",
		Old:    "s.Next = min(s.Next, next)",
		New:    "s.Next, s.Steps = min(s.Next, next), nil",
		Caught: "A01 A15",
	},
	{
		Name:   "unlocking leaves what a clock ran ahead to",
		In:     "record: (*User).Unlock",
		Old:    "app.Spent.clockWas(app.Key.Step(now) + 1)",
		New:    "_ = app",
		Caught: "A15",
	},
	{
		Name: "digits that two apps show are spent for one",
		In:   "record: (*User).acceptTOTP",
		Old: `if accepted && by == nil {
	by = &u.TOTP[i].Factor
}`,
		New: `if accepted {
	return &u.TOTP[i].Factor, false
}`,
		Caught: "A16",
	},
}
