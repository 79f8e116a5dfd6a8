package flaw

// enrollment are flaws of enrollment and of the life of factors.
var enrollment = []Flaw{
	{
		Name: "beginning an enrollment removes the factor",
		In:   "record: (*User).Begin",
		Old:  "u.drop(p.Method)",
		New: `u.drop(p.Method)
if !p.Keep {
	u.discard(p.Method, p.Replaces)
}`,
		Caught: "D01 D02 D09",
	},
	{
		Name:   "a key that is not confirmed is written down as a factor",
		In:     "mfa: (*user).confirmedMethods",
		Old:    "u.Has(m)",
		New:    "u.Has(m) || u.Begun(u.now) == m",
		Caught: "D05 D13",
	},
	{
		Name: "a factor is enrolled without a proof",
		In:   "mfa: (*Engine).mayEnroll",
		Old: `if err := e.mayChange(u, options); err != nil {
	return p, err
}`,
		Caught: "C12 C13 C15 D03 D04 J06",
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
		Old:    "len(u.Passkeys)+len(u.TOTP)+len(u.SMS) > 0",
		New:    "len(u.Passkeys)+len(u.TOTP)+len(u.SMS)+len(u.Pending) > 0",
		Caught: "D05",
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
		Old: `if required && !(options.lost && u.keepsOther(method, only)) {
	u.event(Event{Type: EventEnforced, Method: method, Err: ErrEnforced})
	return ErrEnforced
}`,
		New:    "_ = required",
		Caught: "D09 TestRandomHistories/profiles/everything",
	},
	{
		Name:   "the only factor is removed as lost",
		In:     "mfa: (*Engine).Unenroll",
		Old:    "required && !(options.lost && u.keepsOther(method, only))",
		New:    "required && !options.lost",
		Caught: "D09",
	},
	{
		Name: "backup codes outlive the last factor",
		In:   "record: (*User).Remove",
		Old: `if !u.Enrolled() {
	u.discard(MethodBackupCode, ID{})
}`,
		Caught: "D10",
	},
	{
		Name: "backup codes are made without a proof",
		In:   "mfa: (*Engine).GenerateBackupCodes",
		Old:  "return e.mayChange(u, options)",
		New: `_ = options
return nil`,
		Caught: "D03 D11",
	},
	{
		Name:   "an event tells the key",
		In:     "mfa: (*Engine).EnrollTOTP",
		Old:    "FactorID: factorID(begun.ID)",
		Where:  []string{"enrollment := &TOTPEnrollment{URI: uri, Secret: otpauth.Secret(key)}"},
		New:    `FactorID: factorID(begun.ID), Err: fmt.Errorf("begun: %s", enrollment.URI)`,
		Caught: "D12",
	},
	{
		Name:   "what is pending outlives the proof that it was begun under",
		In:     "record: (*User).Renew",
		Old:    "u.DropPending()",
		Caught: "C06 D15 D16",
	},
	{
		Name:   "an import leaves what is pending",
		In:     "record: (*User).ImportTOTP",
		Old:    "u.DropPending()",
		Caught: "D16",
	},
	{
		Name:   "unlocking leaves what is pending",
		In:     "record: (*User).Unlock",
		Old:    "u.DropPending()",
		Caught: "D16",
	},
}
