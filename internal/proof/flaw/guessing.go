package flaw

// guessing are flaws of counting, delaying and disabling.
var guessing = []Flaw{
	{
		Name:   "failures are not counted to the factor",
		In:     "record: (*User).charge",
		Old:    "f.Lane.Charge(now)",
		New:    "_ = f",
		Caught: "B01 B02 B09 B14 B16",
	},
	{
		Name:   "failures are not remembered of the challenge",
		In:     "record: (*User).charge",
		Old:    "u.remember(c, now)",
		Caught: "A13 B03",
	},
	{
		Name:   "a challenge takes any number of wrong codes",
		In:     "record: (*User).Answerable",
		Old:    "ok && c.triesLeft() > 0",
		New:    "ok",
		Caught: "TestRandomHistories/profiles/guessing",
	},
	{
		Name:  "a new message clears the counts",
		In:    "record: (*User).Send",
		Old:   "c.Sends++",
		Where: []string{"u.remember(c, now)"},
		New: `c.Sends++
c.Failures = 0
u.SMS.Lane.Succeed()`,
		Caught: "B04",
	},
	{
		Name: "a new password clears the counts",
		In:   "mfa: (*Engine).PasswordChanged",
		Old:  "u.DropPending()",
		New: `u.DropPending()
u.Unlock(u.now)`,
		Caught: "B01 B05",
	},
	{
		Name:  "success with one factor clears the counts of all",
		In:    "record: (*User).accept",
		Old:   "f.Lane.Succeed()",
		Where: []string{"u.remember(c, now)"},
		New: `for _, each := range u.Factors() {
	each.Lane.Succeed()
}`,
		Caught: "B05 B06",
	},
	{
		Name:   "a delayed factor is judged all the same",
		In:     "record: ready",
		Old:    "now.Before(retryAt)",
		New:    "false",
		Caught: "B01 B06 B12",
	},
	{
		Name:   "the first delay comes a failure late",
		In:     "throttle: OneTimeCodes",
		Old:    "Free: 5",
		New:    "Free: 6",
		Caught: "TestRandomHistories/profiles/guessing",
	},
	{
		Name: "what ends in an error is not saved",
		In:   "mfa: (*Engine).updateIn",
		Old:  "verdict := change(u)",
		New: `verdict := change(u)
if verdict != nil {
	return verdict
}`,
		Caught: "B01 B07",
	},
	{
		Name:   "wrong codes for a pending factor are not counted",
		In:     "record: (*User).Confirm",
		Old:    "p.Failures++",
		Caught: "B10",
	},
	{
		Name:  "wrong codes for a pending factor are charged to the one in place",
		In:    "record: (*User).Confirm",
		Old:   "p.Failures++",
		Where: []string{"u.dropExpired(now)", "p := u.pending(m)"},
		New: `p.Failures++
if f := u.Factor(m); f != nil {
	f.Lane.Charge(now)
}`,
		Caught: "B10",
	},
	{
		Name:   "what is no backup code is not counted",
		In:     "record: (*User).Misspelled",
		Old:    "u.refuse(c, open, now)",
		New:    "u.refuse(c, open[:0], now)",
		Caught: "B11",
	},
	{
		Name:   "it takes two hundred failures to disable",
		In:     "throttle: Limit",
		Old:    "100",
		New:    "200",
		Caught: "B01 B11 TestGuessesSucceedAsSeldomAsPromised TestRandomHistories/profiles/guessing",
	},
	{
		Name:   "delays do not grow",
		In:     "throttle: Schedule.Delay",
		Old:    "delay *= 2",
		New:    "delay += 0",
		Caught: "B12",
	},
	{
		Name:   "success clears the count of 30 days too",
		In:     "throttle: (*Lane).Succeed",
		Old:    "l.LastFailure = time.Time{}",
		New:    "l.LastFailure, l.Recent = time.Time{}, nil",
		Caught: "B12",
	},
	{
		Name:   "a setting below zero means without limit",
		In:     "mfa: Config.check",
		Old:    "outside(c.ChallengeTTL, 10*time.Minute)",
		New:    "c.ChallengeTTL > 10*time.Minute",
		Caught: "B13",
	},
	{
		Name:   "codes of five steps are right",
		In:     "mfa: (*Engine).guess",
		Old:    "Reach: 1",
		New:    "Reach: 2",
		Caught: "A14 B17",
	},
	{
		Name: "a store that is down is a wrong code",
		In:   "mfa: (*Engine).loadFrom",
		Old:  "stored, err := store.Load(ctx, userID)",
		New: `stored, err := store.Load(ctx, userID)
if err != nil && !errors.Is(err, ErrNoRecord) {
	return nil, ErrInvalidCode
}`,
		Caught: "B18 C16",
	},
	{
		Name:   "a store that is down is a user without MFA",
		In:     "mfa: (*Engine).loadFrom",
		Old:    "errors.Is(err, ErrNoRecord)",
		New:    "err != nil",
		Caught: "B18 C16 E04 G12",
	},
	{
		Name: "an answer to another action is a wrong code",
		In:   "mfa: (*Engine).verify",
		Old: `if claims.Action != action {
	return nil, ErrInvalidToken
}`,
		Where: []string{"digits, letters, err := parseCode(code)"},
		New: `if claims.Action != action {
	digits, letters = "0", ""
}`,
		Caught: "B15 C08",
	},
}
