package attack_test

import "github.com/protekt/mfa/internal/proof/flaw"

// mutationsAToD are flaws of codes, guessing, binding and enrollment.
var mutationsAToD = []injected{
	{
		flaw.Mutation{
			Name: "spent codes are not looked at",
			File: "internal/record/totp.go", Old: "if t.Spent.covers(step) {", New: "if t.Spent.covers(step) && now.IsZero() {",
		},
		"TestA01SameCodeTwice|TestA04SameCodeConcurrently",
	},
	{
		flaw.Mutation{
			Name: "the current step is spent, not the one of the code",
			File: "internal/record/totp.go", Old: "t.Spent.add(step)", New: "t.Spent.add(current)",
		},
		"TestA02CodeOfANeighbourStep",
	},
	{
		flaw.Mutation{
			Name: "characters without width are dropped from codes",
			File: "sms.go", Old: "return unicode.IsSpace(r) ||", New: "return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) ||",
		},
		"TestA03OtherSpellings",
	},
	{
		flaw.Mutation{
			Name: "a conflict is taken for a save",
			File: "mfa.go", Old: "		if !errors.Is(err, ErrConflict) {\n			return err\n		}\n", New: "		if errors.Is(err, ErrConflict) {\n			return verdict\n		}\n		return err\n",
		},
		"TestA04SameCodeConcurrently|TestA11BackupCodeConcurrently|TestA12MessageTwice|TestB08ParallelGuesses|TestC04ChallengeTwice|TestC14EnrollmentTwice|TestD06ConfirmsAnother|TestD11BackupCodesAnew",
	},
	{
		flaw.Mutation{
			Name: "the last spent step is compared, not all before it",
			File: "internal/record/totp.go", Old: "step <= s[len(s)-1]", New: "step == s[len(s)-1]",
		},
		"TestA02CodeOfANeighbourStep|TestA05MemoryGoesBack",
	},
	{
		flaw.Mutation{
			Name: "the code that confirmed is not spent",
			File: "internal/record/totp.go", Old: "	u.PendingTOTP = nil\n", New: "	u.PendingTOTP, factor.Spent = nil, nil\n",
		},
		"TestA06CodeOfAnotherPurpose",
	},
	{
		flaw.Mutation{
			Name: "importing a key forgets what was spent of it",
			File: "internal/record/totp.go", Old: "factor.Spent = had.Spent", New: "factor.Spent = nil",
		},
		"TestA07SecondWayToVerify",
	},
	{
		flaw.Mutation{
			Name: "the earlier of two equal steps is spent",
			File: "internal/totp/totp.go", Old: "		found = subtle.", New: "		if found > 0 {\n			continue\n		}\n		found = subtle.",
		},
		"TestA08EqualCodesOfNeighbours",
	},
	{
		flaw.Mutation{
			Name: "spent steps are forgotten after five minutes",
			File: "internal/record/totp.go", Old: "step <= s[len(s)-1]", New: "step <= s[len(s)-1] && step > s[len(s)-1]-10",
		},
		"TestA09ClockGoesBack",
	},
	{
		flaw.Mutation{
			Name: "clocks may differ by more than five minutes",
			File: "challenge.go", Old: "const clockSkew = 5 * time.Minute", New: "const clockSkew = 5*time.Minute + 1",
		},
		"TestA09ClockGoesBack",
	},
	{
		flaw.Mutation{
			Name: "what is pending may be of a clock ten minutes ahead",
			File: "totp.go", Old: "e.pendingTTL(method) + clockSkew", New: "e.pendingTTL(method) + 2*clockSkew",
		},
		"TestA09ClockGoesBack",
	},
	{
		flaw.Mutation{
			Name: "a backup code is not deleted",
			File: "internal/record/backupcodes.go", Old: "b.Hashes = slices.Delete(", New: "_ = slices.Delete(",
		},
		"TestA03OtherSpellings|TestA10BackupCodeTwice|TestA11BackupCodeConcurrently",
	},
	{
		flaw.Mutation{
			Name: "one wrong code ends a challenge",
			File: "internal/record/challenge.go", Old: "c.Failures++", New: "c.Failures = MaxTries",
		},
		"TestA13OneWrongTryVoidsTheCode",
	},
	{
		flaw.Mutation{
			Name: "failures are not counted to the factor",
			File: "internal/record/challenge.go", Old: "f.Lane.Charge(now)", New: "_ = f",
		},
		"TestB01UnlimitedGuesses|TestB02NewChallenges|TestB09OtherNameForTheSameUser|TestB14CountIsEvicted|TestB16SameCodeForManyUsers",
	},
	{
		flaw.Mutation{
			Name: "failures are not remembered of the challenge",
			File: "internal/record/challenge.go", Old: "	c.Failures++\n	u.remember(c, now)\n", New: "	c.Failures++\n",
		},
		"TestA13OneWrongTryVoidsTheCode|TestB03WrongCodeBeginsAnew",
	},
	{
		flaw.Mutation{
			Name: "a new message clears the counts",
			File: "internal/record/sms.go", Old: "	c.Sends++\n", New: "	c.Sends++\n	c.Failures = 0\n	u.SMS.Lane.Succeed()\n",
		},
		"TestB04AnotherMessage",
	},
	{
		flaw.Mutation{
			Name: "a new password clears the counts",
			File: "mfa.go", Old: "			u.DropPending()\n", New: "			u.DropPending()\n			u.Unlock(u.now)\n",
		},
		"TestB01UnlimitedGuesses|TestB05CountIsClearedEarly",
	},
	{
		flaw.Mutation{
			Name: "success with one factor clears the counts of all",
			File: "internal/record/challenge.go", Old: "	f.Lane.Succeed()\n", New: "	for _, each := range u.Factors() {\n		each.Lane.Succeed()\n	}\n",
		},
		"TestB05CountIsClearedEarly|TestB06OtherSuccess",
	},
	{
		flaw.Mutation{
			Name: "a delayed factor is judged all the same",
			File: "internal/record/challenge.go", Old: "case now.Before(retryAt):", New: "case now.Before(retryAt) && u.Epoch == Epoch{}:",
		},
		"TestB01UnlimitedGuesses|TestB06OtherSuccess|TestB12DelayDoesNotGrow",
	},
	{
		flaw.Mutation{
			Name: "what ends in an error is not saved",
			File: "mfa.go", Old: "		verdict := change(u)\n", New: "		verdict := change(u)\n		if verdict != nil {\n			return verdict\n		}\n",
		},
		"TestB01UnlimitedGuesses|TestB07CountIsNotStored",
	},
	{
		flaw.Mutation{
			Name: "wrong codes for a pending factor are not counted",
			File: "internal/record/enrollment.go", Old: "	p.Failures++\n", New: "",
		},
		"TestB10OnlyLoginsAreLimited",
	},
	{
		flaw.Mutation{
			Name: "wrong codes for a pending factor are charged to the one in place",
			File: "internal/record/enrollment.go", Old: "	p.Failures++\n", New: "	p.Failures++\n	if f := u.Factor(m); f != nil {\n		f.Lane.Charge(now)\n	}\n",
		},
		"TestB10OnlyLoginsAreLimited",
	},
	{
		flaw.Mutation{
			Name: "what is no backup code is not counted",
			File: "internal/record/challenge.go", Old: "	open, blocked := u.open(u.backup(), now)\n	if blocked != nil {\n		return *blocked\n	}\n	return u.refuse(c, open, now)\n", New: "	_, blocked := u.open(u.backup(), now)\n	if blocked != nil {\n		return *blocked\n	}\n	return u.refuse(c, nil, now)\n",
		},
		"TestB11FactorNotCounted",
	},
	{
		flaw.Mutation{
			Name: "it takes two hundred failures to disable",
			File: "internal/throttle/throttle.go", Old: "Limit = 100", New: "Limit = 200",
		},
		"TestB01UnlimitedGuesses|TestB11FactorNotCounted|TestGuessesSucceedAsSeldomAsPromised",
	},
	{
		flaw.Mutation{
			Name: "delays do not grow",
			File: "internal/throttle/throttle.go", Old: "delay *= 2", New: "delay += 0",
		},
		"TestB12DelayDoesNotGrow",
	},
	{
		flaw.Mutation{
			Name: "success clears the count of 30 days too",
			File: "internal/throttle/throttle.go", Old: "	l.LastFailure = time.Time{}\n", New: "	l.LastFailure, l.Recent = time.Time{}, nil\n",
		},
		"TestB12DelayDoesNotGrow",
	},
	{
		flaw.Mutation{
			Name: "a setting below zero means without limit",
			File: "config.go", Old: "outside(c.ChallengeTTL, 10*time.Minute)", New: "c.ChallengeTTL > 10*time.Minute",
		},
		"TestB13LimitsAreOff",
	},
	{
		flaw.Mutation{
			Name: "codes of five steps are right",
			File: "totp.go", Old: "Reach: 1,", New: "Reach: 2,",
		},
		"TestA14CodeAfterRecovery|TestB17WideWindow",
	},
	{
		flaw.Mutation{
			Name: "a store that is down is a wrong code",
			File: "mfa.go", Old: `return nil, fmt.Errorf("mfa: loading the user's record: %w", err)`, New: "return nil, ErrInvalidCode",
		},
		"TestB18OutageIsCounted|TestC16ResultNotLookedAt",
	},
	{
		flaw.Mutation{
			Name: "a store that is down is a user without MFA",
			File: "mfa.go", Old: "if errors.Is(err, ErrNoRecord) {", New: "if err != nil {",
		},
		"TestB18OutageIsCounted|TestC16ResultNotLookedAt",
	},
	{
		flaw.Mutation{
			Name: "an answer to another action is a wrong code",
			File: "challenge.go", Old: "		return nil, ErrInvalidToken\n	}\n	ticket := ", New: "		code = \"0\"\n	}\n	ticket := ",
		},
		"TestB15LockoutOfTheOwner|TestC08AmbiguousTokens",
	},
	{
		flaw.Mutation{
			Name: "all users have the same key",
			File: "totp.go", Old: "	rand.Read(secret)\n", New: "	_ = rand.Reader\n",
		},
		"TestC01CodeOfAnotherUser|TestD01UnconfirmedReplaces|TestD06ConfirmsAnother",
	},
	{
		flaw.Mutation{
			Name: "all challenges have the same ID",
			File: "challenge.go", Old: "	rand.Read(claims.ID[:])\n", New: "	_ = rand.Reader\n",
		},
		"TestA02CodeOfANeighbourStep|TestC15OtherLoginsOfTheUser",
	},
	{
		flaw.Mutation{
			Name: "any proof proves",
			File: "challenge.go", Old: "return err == nil && claims.UserID == u.id && claims.Epoch == u.Epoch", New: "return err == nil && claims.UserID != \"\"",
		},
		"TestC02ChallengeOfAnotherUser|TestC06SurvivesAChange|TestC13FactorOfAnotherUser|TestD03ReplacingUnproved|TestD08RemovedUnproved",
	},
	{
		flaw.Mutation{
			Name: "challenges and proofs share a key",
			File: "internal/token/token.go", Old: `Kind{"mfa_prf_", seal.Proof}`, New: `Kind{"mfa_prf_", seal.Challenge}`,
		},
		"TestC03TokenOfAnotherKind",
	},
	{
		flaw.Mutation{
			Name: "the action of a challenge is not compared",
			File: "challenge.go", Old: "if claims.Action != action {", New: "if claims.Action == \"\" {",
		},
		"TestC03TokenOfAnotherKind|TestC08AmbiguousTokens",
	},
	{
		flaw.Mutation{
			Name: "a challenge is not marked as used",
			File: "internal/record/challenge.go", Old: "c.Used = true", New: "c.Used = false",
		},
		"TestC04ChallengeTwice",
	},
	{
		flaw.Mutation{
			Name: "tokens do not expire",
			File: "challenge.go", Old: "!now.Before(claims.Expires) || ", New: "",
		},
		"TestC05Expiry|TestD03ReplacingUnproved",
	},
	{
		flaw.Mutation{
			Name: "the epoch is never renewed",
			File: "internal/record/user.go", Old: "	u.Epoch = newEpoch()\n", New: "",
		},
		"TestC06SurvivesAChange|TestD08RemovedUnproved",
	},
	{
		flaw.Mutation{
			Name: "a key of zeros will do",
			File: "internal/seal/seal.go", Old: "if bytes.Equal(k, make([]byte, KeySize)) {", New: "if bytes.Equal(k, nil) {",
		},
		"TestC07Forgery",
	},
	{
		flaw.Mutation{
			Name: "line breaks in tokens are skipped",
			File: "internal/token/token.go", Old: ` || strings.Contains(body, "\n") || strings.Contains(body, "\r")`, New: "",
		},
		"TestC07Forgery",
	},
	{
		flaw.Mutation{
			Name: "a token can be read in two ways",
			File: "internal/token/token.go", Old: "	c.UserID = string(r.String(maxUserID))\n	c.Action = string(r.String(maxAction))\n", New: "	joined := string(r.String(maxUserID)) + string(r.String(maxAction))\n	c.UserID, c.Action = joined[:1], joined[1:]\n",
		},
		"TestC08AmbiguousTokens",
	},
	{
		flaw.Mutation{
			Name: "the first byte of a code is looked at, whether there is one or not",
			File: "challenge.go", Old: "	digits, letters := parseCode(code)\n", New: "	digits, letters := parseCode(code)\n	if code[0] == '#' {\n		digits = code[1:]\n	}\n",
		},
		"TestC09MalformedAndOutOfOrder",
	},
	{
		flaw.Mutation{
			Name: "nonces are not drawn",
			File: "internal/seal/seal.go", Old: "	rand.Read(nonce)\n", New: "	_ = rand.Reader\n",
		},
		"TestC10PredictableChallenges",
	},
	{
		flaw.Mutation{
			Name: "a disabled factor is judged all the same",
			File: "internal/record/challenge.go", Old: "case f.Lane.Closed(now):", New: "case f.Lane.Closed(now) && u.Epoch == Epoch{}:",
		},
		"TestB11FactorNotCounted|TestC11FactorNotAllowed",
	},
	{
		flaw.Mutation{
			Name: "a trusted device is never forgotten",
			File: "challenge.go", Old: "return err == nil && claims.UserID == u.id && claims.Epoch == u.Devices", New: "return err == nil && claims.UserID == u.id",
		},
		"TestC12RememberedDevice|TestD15Leftovers",
	},
	{
		flaw.Mutation{
			Name: "a policy that is down requires nothing",
			File: "mfa.go", Old: `return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)`, New: "return false, nil",
		},
		"TestC16ResultNotLookedAt",
	},
	{
		flaw.Mutation{
			Name: "beginning an enrollment removes the factor",
			File: "internal/record/totp.go", Old: "	u.PendingTOTP = &PendingTOTP{\n", New: "	u.TOTP = nil\n	u.PendingTOTP = &PendingTOTP{\n",
		},
		"TestD01UnconfirmedReplaces|TestD02InheritsConfirmed|TestD09SecondWayToRemove",
	},
	{
		flaw.Mutation{
			Name: "a key that is not confirmed is written down as a factor",
			File: "mfa.go", Old: "	if u.TOTP != nil {\n		confirmed", New: "	if u.TOTP != nil || u.PendingTOTP != nil {\n		confirmed",
		},
		"TestD05UnconfirmedCounts|TestD13StaleFlag",
	},
	{
		flaw.Mutation{
			Name: "an app is enrolled without a proof",
			File: "totp.go", Old: "		if err := e.mayChange(u, opts); err != nil {\n			return err\n		}\n", New: "",
		},
		"TestC12RememberedDevice|TestC13FactorOfAnotherUser|TestC15OtherLoginsOfTheUser|TestD03ReplacingUnproved|TestD04EnrollInsteadOfAnswer",
	},
	{
		flaw.Mutation{
			Name: "an enrollment's token lives on when there is a factor",
			File: "challenge.go", Old: "if u.Enrolled() || claims.Epoch != u.Epoch {", New: "if u.id == \"\" {",
		},
		"TestC06SurvivesAChange|TestC14EnrollmentTwice|TestD04EnrollInsteadOfAnswer|TestD14EnabledDuringALogin",
	},
	{
		flaw.Mutation{
			Name: "a pending app counts as a factor",
			File: "internal/record/user.go", Old: "return u.TOTP != nil || u.SMS != nil", New: "return u.TOTP != nil || u.SMS != nil || u.PendingTOTP != nil",
		},
		"TestD05UnconfirmedCounts",
	},
	{
		flaw.Mutation{
			Name: "what was begun without a proof stays",
			File: "internal/record/enrollment.go", Old: "p != nil && !p.Proven {", New: "p != nil && !p.Proven && u.TOTP == nil && u.SMS == nil {",
		},
		"TestD03ReplacingUnproved",
	},
	{
		flaw.Mutation{
			Name: "factors are removed without a proof",
			File: "mfa.go", Old: "		if err := e.mayChange(u, opts); err != nil {\n			return err\n		}\n", New: "",
		},
		"TestD03ReplacingUnproved|TestD08RemovedUnproved",
	},
	{
		flaw.Mutation{
			Name: "factors are removed although they are required",
			File: "mfa.go", Old: "	if required {\n		return ErrEnforced\n	}\n", New: "	_ = required\n",
		},
		"TestD09SecondWayToRemove",
	},
	{
		flaw.Mutation{
			Name: "backup codes outlive the last factor",
			File: "internal/record/user.go", Old: "	if !u.Enrolled() {\n		u.BackupCodes = nil\n	}\n", New: "",
		},
		"TestD10BackupCodesWithoutMFA",
	},
	{
		flaw.Mutation{
			Name: "backup codes are made without a proof",
			File: "backupcodes.go", Old: "		return e.mayChange(u, opts)\n", New: "		return nil\n",
		},
		"TestD03ReplacingUnproved|TestD11BackupCodesAnew",
	},
	{
		flaw.Mutation{
			Name: "an event tells the key",
			File: "totp.go", Old: "u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, nil)", New: "u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, fmt.Errorf(\"begun: %s\", uri))",
		},
		"TestD12ShownAgain",
	},
	{
		flaw.Mutation{
			Name: "what is pending outlives the factor that proved it",
			File: "internal/record/user.go", Old: "	u.DropPending() // begun under a proof that ends here\n", New: "",
		},
		"TestD15Leftovers",
	},
}
