package flaw

// guessing are flaws of counting, delaying and disabling.
var guessing = []Flaw{
	{
		Name:   "failures are not counted to the factor",
		In:     "record: (*User).charge",
		Old:    "u.Lane(m).Charge(now)",
		New:    "_ = m",
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
u.Lane(MethodSMS).Succeed()`,
		Caught: "B04",
	},
	{
		Name: "a new password clears the counts",
		In:   "mfa: (*Engine).PasswordChanged",
		Old:  "u.Renew()",
		New: `u.Renew()
u.Unlock(u.now)`,
		Caught: "B01 B05",
	},
	{
		Name: "success with one factor clears the counts of all",
		In:   "record: (*User).accept",
		Old:  "u.Lane(f.Method).Succeed()",
		New: `for _, each := range u.Factors() {
	u.Lane(each.Method).Succeed()
}`,
		Caught: "B05 B06",
	},
	{
		Name:   "a delayed factor is judged all the same",
		In:     "record: (*User).ready",
		Old:    "now.Before(retryAt)",
		New:    "false",
		Caught: "B01 B06 B12 J03",
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
		In:     "record: (*User).refusePending",
		Old:    "p.Failures++",
		Caught: "B10",
	},
	{
		Name:  "wrong codes for a pending factor are charged to the one in place",
		In:    "record: (*User).Confirm",
		Old:   "return u.refusePending(p)",
		Where: []string{"p := u.confirmable(m, now, latest)"},
		New: `u.Lane(m).Charge(now)
return u.refusePending(p)`,
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
		Old: `if claims.Action != action || userID != anyUser && claims.UserID != userID {
	return nil, e.refuseToken(ctx, claims)
}`,
		Where: []string{"input, err := parseAnswer(answered)"},
		New: `if userID != anyUser && claims.UserID != userID {
	return nil, e.refuseToken(ctx, claims)
}
if claims.Action != action {
	input = answer{digits: "0"}
}`,
		Caught: "B15 C08",
	},
	{
		Name:   "new apps have codes of two minutes",
		In:     "mfa: Config.check",
		Old:    "outside(c.TOTP.Period, time.Minute)",
		New:    "outside(c.TOTP.Period, 2*time.Minute)",
		Caught: "B17",
	},
	{
		Name:   "digits that are compared with nothing are remembered",
		In:     "record: (*User).Answer",
		Old:    "return Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}",
		Where:  []string{"u.Answerable(t, now)"},
		New:    "return u.refuse(c, nil, now)",
		Caught: "B19",
	},
	{
		Name:  "letters that are compared with nothing are remembered",
		In:    "record: (*User).openBackup",
		Old:   "return nil, &Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}",
		Where: []string{"u.ready([]Method{MethodBackupCode}, now)"},
		New: `verdict := u.refuse(c, nil, now)
return nil, &verdict`,
		Caught: "B19 C11",
	},
	{
		Name:   "sets of backup codes are not counted",
		In:     "mfa: (*Engine).GenerateBackupCodes",
		Old:    "u.CountSet(u.now)",
		Caught: "B20",
	},
	{
		Name:   "whoever makes backup codes stands in the line of those who use them",
		In:     "mfa: hashing.generate",
		Old:    "h.generating",
		New:    "h.checking",
		Caught: "B20",
	},
	{
		Name:   "many hashes are computed at a time",
		In:     "mfa: newHashing",
		Old:    "checking: make(chan struct{}, 1)",
		New:    "checking: make(chan struct{}, 32)",
		Caught: "TestFlood",
	},
	{
		Name:   "whoever gives up waiting has paid",
		In:     "mfa: (*Engine).chargeAndHash",
		Old:    "u.Uncharge(ticket, charged, before, u.now)",
		New:    "_, _ = charged, before",
		Caught: "B20",
	},
	{
		Name: "a charge that is taken back leaves its challenge remembered",
		In:   "record: (*User).Uncharge",
		Old: `if c.Failures == 0 && c.Sends == 0 && c.Issued.After(u.Forgotten) {
	u.Challenges = slices.DeleteFunc(u.Challenges, func(other Challenge) bool { return other.ID == c.ID })
}`,
		Caught: "B20",
	},
	{
		Name: "a wrong code is charged for each app",
		In:   "record: (*User).charge",
		Old:  "u.Lane(m).Charge(now)",
		New: `for range u.count(m) {
	u.Lane(m).Charge(now)
}`,
		Caught: "B22",
	},
	{
		Name:   "removing one of several apps clears their count",
		In:     "record: (*User).discard",
		Old:    "!u.Has(m)",
		New:    "true",
		Caught: "B22",
	},
	{
		Name:   "there is no end of apps",
		In:     "mfa: (*Engine).mayEnroll",
		Old:    "p.Keep && u.Full(method)",
		New:    "false",
		Caught: "B22 J06",
	},
	{
		Name:   "limits for each number may be forgotten",
		In:     "mfa: Config.check",
		Old:    "c.SMS != nil && c.SMSCodes.Numbers == nil && !c.SMSCodes.InsecureNoNumberLimits",
		New:    "false",
		Caught: "B13",
	},
}
