package attack_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A mutation is a flaw that somebody might put into the engine, as a change of
// its text. The tests that must notice are named.
type mutation struct {
	name     string
	file     string // relative to the module's root
	old, new string // old is there exactly once
	caught   string // tests, with | between them: each of them must fail
}

var mutations = []mutation{
	{
		name: "spent codes are not looked at",
		file: "internal/record/totp.go", old: "if t.Spent.covers(step) {", new: "if t.Spent.covers(step) && now.IsZero() {",
		caught: "TestA01SameCodeTwice|TestA04SameCodeConcurrently",
	},
	{
		name: "the current step is spent, not the one of the code",
		file: "internal/record/totp.go", old: "t.Spent.add(step)", new: "t.Spent.add(current)",
		caught: "TestA02CodeOfANeighbourStep",
	},
	{
		name: "characters without width are dropped from codes",
		file: "sms.go", old: "return unicode.IsSpace(r) ||", new: "return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) ||",
		caught: "TestA03OtherSpellings",
	},
	{
		name: "a conflict is taken for a save",
		file: "mfa.go", old: "		if !errors.Is(err, ErrConflict) {\n			return err\n		}\n", new: "		if errors.Is(err, ErrConflict) {\n			return verdict\n		}\n		return err\n",
		caught: "TestA04SameCodeConcurrently|TestA11BackupCodeConcurrently|TestA12MessageTwice|TestB08ParallelGuesses|TestC04ChallengeTwice|TestC14EnrollmentTwice|TestD06ConfirmsAnother|TestD11BackupCodesAnew",
	},
	{
		name: "the last spent step is compared, not all before it",
		file: "internal/record/totp.go", old: "step <= s[len(s)-1]", new: "step == s[len(s)-1]",
		caught: "TestA02CodeOfANeighbourStep|TestA05MemoryGoesBack",
	},
	{
		name: "the code that confirmed is not spent",
		file: "internal/record/totp.go", old: "	u.PendingTOTP = nil\n", new: "	u.PendingTOTP, factor.Spent = nil, nil\n",
		caught: "TestA06CodeOfAnotherPurpose",
	},
	{
		name: "importing a key forgets what was spent of it",
		file: "internal/record/totp.go", old: "factor.Spent = had.Spent", new: "factor.Spent = nil",
		caught: "TestA07SecondWayToVerify",
	},
	{
		name: "the earlier of two equal steps is spent",
		file: "internal/totp/totp.go", old: "		found = subtle.", new: "		if found > 0 {\n			continue\n		}\n		found = subtle.",
		caught: "TestA08EqualCodesOfNeighbours",
	},
	{
		name: "spent steps are forgotten after five minutes",
		file: "internal/record/totp.go", old: "step <= s[len(s)-1]", new: "step <= s[len(s)-1] && step > s[len(s)-1]-10",
		caught: "TestA09ClockGoesBack",
	},
	{
		name: "a backup code is not deleted",
		file: "internal/record/backupcodes.go", old: "b.Hashes = slices.Delete(", new: "_ = slices.Delete(",
		caught: "TestA03OtherSpellings|TestA10BackupCodeTwice|TestA11BackupCodeConcurrently",
	},
	{
		name: "one wrong code ends a challenge",
		file: "internal/record/challenge.go", old: "c.Failures++", new: "c.Failures = MaxTries",
		caught: "TestA13OneWrongTryVoidsTheCode",
	},
	{
		name: "failures are not counted to the factor",
		file: "internal/record/challenge.go", old: "f.Lane.Charge(now)", new: "_ = f",
		caught: "TestB01UnlimitedGuesses|TestB02NewChallenges|TestB09OtherNameForTheSameUser|TestB14CountIsEvicted|TestB16SameCodeForManyUsers",
	},
	{
		name: "failures are not remembered of the challenge",
		file: "internal/record/challenge.go", old: "	c.Failures++\n	u.remember(c, now)\n", new: "	c.Failures++\n",
		caught: "TestA13OneWrongTryVoidsTheCode|TestB03WrongCodeBeginsAnew",
	},
	{
		name: "a new message clears the counts",
		file: "internal/record/sms.go", old: "	c.Sends++\n", new: "	c.Sends++\n	c.Failures = 0\n	u.SMS.Lane.Succeed()\n",
		caught: "TestB04AnotherMessage",
	},
	{
		name: "a new password clears the counts",
		file: "mfa.go", old: "			u.DropPending()\n", new: "			u.DropPending()\n			u.Unlock(u.now)\n",
		caught: "TestB01UnlimitedGuesses|TestB05CountIsClearedEarly",
	},
	{
		name: "success with one factor clears the counts of all",
		file: "internal/record/challenge.go", old: "	f.Lane.Succeed()\n", new: "	for _, each := range u.Factors() {\n		each.Lane.Succeed()\n	}\n",
		caught: "TestB05CountIsClearedEarly|TestB06OtherSuccess",
	},
	{
		name: "a delayed factor is judged all the same",
		file: "internal/record/challenge.go", old: "case now.Before(retryAt):", new: "case now.Before(retryAt) && u.Epoch == Epoch{}:",
		caught: "TestB01UnlimitedGuesses|TestB06OtherSuccess|TestB12DelayDoesNotGrow",
	},
	{
		name: "what ends in an error is not saved",
		file: "mfa.go", old: "		verdict := change(u)\n", new: "		verdict := change(u)\n		if verdict != nil {\n			return verdict\n		}\n",
		caught: "TestB01UnlimitedGuesses|TestB07CountIsNotStored",
	},
	{
		name: "wrong codes for a pending factor are not counted",
		file: "internal/record/enrollment.go", old: "	p.Failures++\n", new: "",
		caught: "TestB10OnlyLoginsAreLimited",
	},
	{
		name: "what is no backup code is not counted",
		file: "internal/record/challenge.go", old: "	open, blocked := u.open(u.backup(), now)\n	if blocked != nil {\n		return *blocked\n	}\n	return u.refuse(c, open, now)\n", new: "	_, blocked := u.open(u.backup(), now)\n	if blocked != nil {\n		return *blocked\n	}\n	return u.refuse(c, nil, now)\n",
		caught: "TestB11FactorNotCounted",
	},
	{
		name: "delays do not grow",
		file: "internal/throttle/throttle.go", old: "delay *= 2", new: "delay += 0",
		caught: "TestB12DelayDoesNotGrow",
	},
	{
		name: "success clears the count of 30 days too",
		file: "internal/throttle/throttle.go", old: "	l.LastFailure = time.Time{}\n", new: "	l.LastFailure, l.Recent = time.Time{}, nil\n",
		caught: "TestB12DelayDoesNotGrow",
	},
	{
		name: "a setting below zero means without limit",
		file: "config.go", old: "outside(c.ChallengeTTL, 10*time.Minute)", new: "c.ChallengeTTL > 10*time.Minute",
		caught: "TestB13LimitsAreOff",
	},
	{
		name: "codes of five steps are right",
		file: "totp.go", old: "Reach: 1,", new: "Reach: 2,",
		caught: "TestA14CodeAfterRecovery|TestB17WideWindow",
	},
	{
		name: "a store that is down is a wrong code",
		file: "mfa.go", old: `return nil, fmt.Errorf("mfa: loading the user's record: %w", err)`, new: "return nil, ErrInvalidCode",
		caught: "TestB18OutageIsCounted|TestC16ResultNotLookedAt",
	},
	{
		name: "a store that is down is a user without MFA",
		file: "mfa.go", old: "if errors.Is(err, ErrNoRecord) {", new: "if err != nil {",
		caught: "TestB18OutageIsCounted|TestC16ResultNotLookedAt",
	},
	{
		name: "an answer to another action is a wrong code",
		file: "challenge.go", old: "		return nil, ErrInvalidToken\n	}\n	ticket := ", new: "		code = \"0\"\n	}\n	ticket := ",
		caught: "TestB15LockoutOfTheOwner|TestC08AmbiguousTokens",
	},
	{
		name: "all users have the same key",
		file: "totp.go", old: "	rand.Read(secret)\n", new: "	_ = rand.Reader\n",
		caught: "TestC01CodeOfAnotherUser|TestD01UnconfirmedReplaces|TestD06ConfirmsAnother",
	},
	{
		name: "all challenges have the same ID",
		file: "challenge.go", old: "	rand.Read(claims.ID[:])\n", new: "	_ = rand.Reader\n",
		caught: "TestA02CodeOfANeighbourStep|TestC15OtherLoginsOfTheUser",
	},
	{
		name: "any proof proves",
		file: "challenge.go", old: "return err == nil && claims.UserID == u.id && claims.Epoch == u.Epoch", new: "return err == nil && claims.UserID != \"\"",
		caught: "TestC02ChallengeOfAnotherUser|TestC06SurvivesAChange|TestC13FactorOfAnotherUser|TestD03ReplacingUnproved|TestD08RemovedUnproved",
	},
	{
		name: "challenges and proofs share a key",
		file: "internal/token/token.go", old: `Kind{"mfa_prf_", seal.Proof}`, new: `Kind{"mfa_prf_", seal.Challenge}`,
		caught: "TestC03TokenOfAnotherKind",
	},
	{
		name: "the action of a challenge is not compared",
		file: "challenge.go", old: "if claims.Action != action {", new: "if claims.Action == \"\" {",
		caught: "TestC03TokenOfAnotherKind|TestC08AmbiguousTokens",
	},
	{
		name: "a challenge is not marked as used",
		file: "internal/record/challenge.go", old: "c.Used = true", new: "c.Used = false",
		caught: "TestC04ChallengeTwice",
	},
	{
		name: "tokens do not expire",
		file: "challenge.go", old: "!now.Before(claims.Expires) || ", new: "",
		caught: "TestC05Expiry|TestD03ReplacingUnproved",
	},
	{
		name: "the epoch is never renewed",
		file: "internal/record/user.go", old: "	u.Epoch = newEpoch()\n", new: "",
		caught: "TestC06SurvivesAChange|TestD08RemovedUnproved",
	},
	{
		name: "a key of zeros will do",
		file: "internal/seal/seal.go", old: "if bytes.Equal(k, make([]byte, KeySize)) {", new: "if bytes.Equal(k, nil) {",
		caught: "TestC07Forgery",
	},
	{
		name: "line breaks in tokens are skipped",
		file: "internal/token/token.go", old: ` || strings.Contains(body, "\n") || strings.Contains(body, "\r")`, new: "",
		caught: "TestC07Forgery",
	},
	{
		name: "a token can be read in two ways",
		file: "internal/token/token.go", old: "	c.UserID = string(r.String(maxUserID))\n	c.Action = string(r.String(maxAction))\n", new: "	joined := string(r.String(maxUserID)) + string(r.String(maxAction))\n	c.UserID, c.Action = joined[:1], joined[1:]\n",
		caught: "TestC08AmbiguousTokens",
	},
	{
		name: "the first byte of a code is looked at, whether there is one or not",
		file: "challenge.go", old: "	digits, letters := parseCode(code)\n", new: "	digits, letters := parseCode(code)\n	if code[0] == '#' {\n		digits = code[1:]\n	}\n",
		caught: "TestC09MalformedAndOutOfOrder",
	},
	{
		name: "nonces are not drawn",
		file: "internal/seal/seal.go", old: "	rand.Read(nonce)\n", new: "	_ = rand.Reader\n",
		caught: "TestC10PredictableChallenges",
	},
	{
		name: "a disabled factor is judged all the same",
		file: "internal/record/challenge.go", old: "case f.Lane.Closed(now):", new: "case f.Lane.Closed(now) && u.Epoch == Epoch{}:",
		caught: "TestB11FactorNotCounted|TestC11FactorNotAllowed",
	},
	{
		name: "a trusted device is never forgotten",
		file: "challenge.go", old: "return err == nil && claims.UserID == u.id && claims.Epoch == u.Devices", new: "return err == nil && claims.UserID == u.id",
		caught: "TestC12RememberedDevice|TestD15Leftovers",
	},
	{
		name: "a policy that is down requires nothing",
		file: "mfa.go", old: `return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)`, new: "return false, nil",
		caught: "TestC16ResultNotLookedAt",
	},
	{
		name: "beginning an enrollment removes the factor",
		file: "internal/record/totp.go", old: "	u.PendingTOTP = &PendingTOTP{\n", new: "	u.TOTP = nil\n	u.PendingTOTP = &PendingTOTP{\n",
		caught: "TestD01UnconfirmedReplaces|TestD02InheritsConfirmed|TestD09SecondWayToRemove",
	},
	{
		name: "a key that is not confirmed is written down as a factor",
		file: "mfa.go", old: "	if u.TOTP != nil {\n		confirmed", new: "	if u.TOTP != nil || u.PendingTOTP != nil {\n		confirmed",
		caught: "TestD05UnconfirmedCounts|TestD13StaleFlag",
	},
	{
		name: "an app is enrolled without a proof",
		file: "totp.go", old: "		if err := e.mayChange(u, opts); err != nil {\n			return err\n		}\n", new: "",
		caught: "TestC12RememberedDevice|TestC13FactorOfAnotherUser|TestC15OtherLoginsOfTheUser|TestD03ReplacingUnproved|TestD04EnrollInsteadOfAnswer",
	},
	{
		name: "an enrollment's token lives on when there is a factor",
		file: "challenge.go", old: "if u.Enrolled() || claims.Epoch != u.Epoch {", new: "if u.id == \"\" {",
		caught: "TestC06SurvivesAChange|TestC14EnrollmentTwice|TestD04EnrollInsteadOfAnswer|TestD14EnabledDuringALogin",
	},
	{
		name: "a pending app counts as a factor",
		file: "internal/record/user.go", old: "return u.TOTP != nil || u.SMS != nil", new: "return u.TOTP != nil || u.SMS != nil || u.PendingTOTP != nil",
		caught: "TestD05UnconfirmedCounts",
	},
	{
		name: "what was begun without a proof stays",
		file: "internal/record/enrollment.go", old: "p != nil && !p.Proven {", new: "p != nil && !p.Proven && u.TOTP == nil && u.SMS == nil {",
		caught: "TestD03ReplacingUnproved",
	},
	{
		name: "factors are removed without a proof",
		file: "mfa.go", old: "		if err := e.mayChange(u, opts); err != nil {\n			return err\n		}\n", new: "",
		caught: "TestD03ReplacingUnproved|TestD08RemovedUnproved",
	},
	{
		name: "factors are removed although they are required",
		file: "mfa.go", old: "	if required {\n		return ErrEnforced\n	}\n", new: "	_ = required\n",
		caught: "TestD09SecondWayToRemove",
	},
	{
		name: "backup codes outlive the last factor",
		file: "internal/record/user.go", old: "	if !u.Enrolled() {\n		u.BackupCodes = nil\n	}\n", new: "",
		caught: "TestD10BackupCodesWithoutMFA",
	},
	{
		name: "backup codes are made without a proof",
		file: "backupcodes.go", old: "		return e.mayChange(u, opts)\n", new: "		return nil\n",
		caught: "TestD03ReplacingUnproved|TestD11BackupCodesAnew",
	},
	{
		name: "an event tells the key",
		file: "totp.go", old: "u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, nil)", new: "u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, fmt.Errorf(\"begun: %s\", uri))",
		caught: "TestD12ShownAgain",
	},
	{
		name: "what is pending outlives the factor that proved it",
		file: "internal/record/user.go", old: "	u.DropPending() // begun under a proof that ends here\n", new: "",
		caught: "TestD15Leftovers",
	},
}

// allMutations are those of sections A to D and of E to I.
func allMutations() []mutation { return slices.Concat(mutations, moreMutations) }

// TestMutations: the table has not rotted.
func TestMutations(t *testing.T) {
	tests := testNames(t)
	for _, m := range allMutations() {
		text, err := os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(m.file)))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if n := strings.Count(string(text), m.old); n != 1 || m.old == m.new {
			t.Errorf("%s: the text to change is in %s %d times, want once", m.name, m.file, n)
		}
		for _, name := range m.catchers() {
			if !slices.Contains(tests, name) {
				t.Errorf("%s: there is no %s", m.name, name)
			}
		}
	}
}

func (m mutation) catchers() []string { return strings.Split(m.caught, "|") }

// TestMutationsAreCaught: an engine with one of these flaws fails the tests of
// its class. It builds the engine anew for each, which takes minutes.
func TestMutationsAreCaught(t *testing.T) {
	if os.Getenv("MFA_TEST_MUTATIONS") != "1" {
		t.Skip("takes minutes: set MFA_TEST_MUTATIONS=1")
	}
	var all []string
	for _, m := range allMutations() {
		all = append(all, m.catchers()...)
	}
	slices.Sort(all)
	if out, err := runTests(t, slices.Compact(all), ""); err != nil {
		t.Fatalf("without a mutation: %v\n%s", err, out)
	}
	for _, m := range allMutations() {
		t.Run(m.name, func(t *testing.T) {
			out, err := runTests(t, m.catchers(), m.overlay(t))
			if err == nil || strings.Contains(out, "[build failed]") {
				t.Fatalf("%s: nothing failed, or all did: %v\n%s", m.caught, err, out)
			}
			for _, name := range m.catchers() {
				if !strings.Contains(out, "--- FAIL: "+name) {
					t.Errorf("%s does not fail:\n%s", name, out)
				}
			}
		})
	}
}

// overlay writes the changed file, and gives what tells the go command to take
// it in place of the right one.
func (m mutation) overlay(t *testing.T) (path string) {
	t.Helper()
	right, err := filepath.Abs(filepath.Join(moduleRoot, filepath.FromSlash(m.file)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(right)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {right: changed}})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, list, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// runTests runs tests of this package, against the engine with that overlay.
func runTests(t *testing.T, names []string, overlay string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	args := []string{"test", "-vet=off", "-count=1", "-timeout=5m", "-run", "^(" + strings.Join(names, "|") + ")$"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/protekt/mfa/internal/attack")...).CombinedOutput()
	return string(out), err
}
