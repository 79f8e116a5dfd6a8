package flaw

// enrollment are flaws of enrollment and of the life of factors.
var enrollment = []Flaw{
	{
		Name: "beginning an enrollment removes the factor",
		In:   "record: (*User).BeginTOTP",
		Old: `u.PendingTOTP = &PendingTOTP{
	Pending: Pending{Expires: expires, Proven: u.Enrolled()},
	Key:     key,
}`,
		New: `u.TOTP = nil
u.PendingTOTP = &PendingTOTP{
	Pending: Pending{Expires: expires, Proven: u.Enrolled()},
	Key:     key,
}`,
		Caught: "D01 D02 D09",
	},
	{
		Name:   "a key that is not confirmed is written down as a factor",
		In:     "mfa: (*user).confirmedMethods",
		Old:    "u.TOTP != nil",
		New:    "u.TOTP != nil || u.PendingTOTP != nil",
		Caught: "D05 D13",
	},
	{
		Name: "an app is enrolled without a proof",
		In:   "mfa: (*Engine).EnrollTOTP",
		Old: `if err := e.mayChange(u, opts); err != nil {
	return err
}`,
		Caught: "C12 C13 C15 D03 D04",
	},
	{
		Name:   "an enrollment's token lives on when there is a factor",
		In:     "mfa: (*Engine).EnrollmentUser",
		Old:    "u.Enrolled() || claims.Epoch != u.Epoch",
		New:    "false",
		Caught: "C06 C14 D04 D14",
	},
	{
		Name:   "a pending app counts as a factor",
		In:     "record: (*User).Enrolled",
		Old:    "u.TOTP != nil || u.SMS != nil",
		New:    "u.TOTP != nil || u.SMS != nil || u.PendingTOTP != nil",
		Caught: "D05",
	},
	{
		Name:   "what was begun without a proof stays",
		In:     "record: (*User).confirmed",
		Old:    "p != nil && !p.Proven",
		New:    "p != nil && false",
		Caught: "D03 TestRandomHistories/profiles/everything",
	},
	{
		Name: "factors are removed without a proof",
		In:   "mfa: (*Engine).Unenroll",
		Old: `if err := e.mayChange(u, opts); err != nil {
	return err
}`,
		Caught: "D03 D08",
	},
	{
		Name: "factors are removed although they are required",
		In:   "mfa: (*Engine).Unenroll",
		Old: `if required {
	return ErrEnforced
}`,
		New:    "_ = required",
		Caught: "D09 TestRandomHistories/profiles/everything",
	},
	{
		Name: "backup codes outlive the last factor",
		In:   "record: (*User).Remove",
		Old: `if !u.Enrolled() {
	u.BackupCodes = nil
}`,
		Caught: "D10",
	},
	{
		Name:   "backup codes are made without a proof",
		In:     "mfa: (*Engine).GenerateBackupCodes",
		Old:    "e.mayChange(u, opts)",
		New:    "nil",
		Caught: "D03 D11",
	},
	{
		Name:   "an event tells the key",
		In:     "mfa: (*Engine).EnrollTOTP",
		Old:    "u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, nil)",
		Where:  []string{"enrollment.ExpiresAt = u.now.Add(e.pendingTTL(MethodTOTP))"},
		New:    `u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, fmt.Errorf("begun: %s", enrollment.URI))`,
		Caught: "D12",
	},
	{
		Name:   "what is pending outlives the factor that proved it",
		In:     "record: (*User).Remove",
		Old:    "u.DropPending()",
		Caught: "D15",
	},
}
