package flaw

// policy are flaws of who must do what.
var policy = []Flaw{
	{
		Name:   "a factor is asked for where MFA is required only",
		In:     "mfa: (*Engine).BeginLogin",
		Old:    "!u.Enrolled()",
		Where:  []string{"e.mayPassWithout(ctx, u)"},
		New:    "func() bool { required, _ := e.required(ctx, u.id); return !required || !u.Enrolled() }()",
		Caught: "E01",
	},
	{
		Name:   "what is pending is enough where MFA is required",
		In:     "mfa: (*Engine).mayPassWithout",
		Old:    "!required",
		Where:  []string{"required, err := e.required(ctx, u.id)"},
		New:    "!required || len(u.Pending) > 0",
		Caught: "E02",
	},
	{
		Name:   "whoever must enroll is asked for a proof",
		In:     "mfa: (*Engine).mayChange",
		Old:    "!u.Enrolled()",
		Where:  []string{"e.challenge(u, ActionManage)"},
		New:    "!u.Enrolled() && e.config.Required == nil",
		Caught: "E02 E03",
	},
	{
		Name: "a policy that fails requires nothing",
		In:   "mfa: (*Engine).required",
		Old:  "required, err := e.config.Required(ctx, userID)",
		New: `required, err := e.config.Required(ctx, userID)
if err != nil {
	return false, nil
}`,
		Caught: "C16 E04",
	},
	{
		Name:   "a login is not told from a step-up",
		In:     "mfa: (*Engine).login",
		Old:    "Action: action",
		New:    "Action: ActionLogin",
		Caught: "E05",
	},
	{
		Name:   "a new password ends what is pending alone",
		In:     "mfa: (*Engine).PasswordChanged",
		Old:    "u.Renew()",
		New:    "u.DropPending()",
		Caught: "E06 H04 I07 TestRandomHistories/profiles/everything",
	},
	{
		Name:   "the host's own record is not looked at",
		In:     "mfa: (*Engine).BeginLogin",
		Old:    "options.expectEnrolled",
		New:    "false",
		Caught: "E08",
	},
}
