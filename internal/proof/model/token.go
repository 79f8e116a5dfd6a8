package model

import (
	"slices"
	"time"
)

const (
	challengeToken  = "mfa_tmp_"
	enrollmentToken = "mfa_enr_"
	proofToken      = "mfa_prf_"
	deviceToken     = "mfa_dev_"
)

// A token is a token that was issued, with what must be remembered about it.
type token struct {
	serial  int
	kind    string
	action  string // of a challenge
	issued  time.Time
	expires time.Time
	epoch   int
	over    bool // the clock has shown a time at which it had expired
	behind  bool // it was issued after the clock had gone back

	// Of a challenge:
	failures    int
	sends       int
	used        bool
	gone        bool   // evicted because there were too many
	doubtful    bool   // it may have been evicted
	code        string // that was sent
	phone       int    // that the code was sent to
	codeExpires time.Time
}

func (t token) remembered() bool { return t.failures > 0 || t.sends > 0 || t.used }

func (t token) triesLeft() int { return maxTries - t.failures }

const (
	maxRemembered = 32
	maxTokens     = 96 // kept by the model
)

// issue adds a token. If there are too many, it drops one that the tests no longer
// use: the oldest that the record need not remember, or else the oldest.
func (u *User) issue(t token) {
	t.behind = t.issued.Before(u.latest)
	u.tokens = append(u.tokens, t)
	if len(u.tokens) > maxTokens {
		old := u.tokens[:maxTokens/2]
		at := max(0, slices.IndexFunc(old, func(t token) bool { return !t.remembered() }))
		u.tokens = slices.Delete(u.tokens, at, at+1)
	}
}

// find returns the index of a token of that kind, or -1 if there is none.
func (u User) find(kind string, serial int) int {
	return slices.IndexFunc(u.tokens, func(t token) bool { return t.kind == kind && t.serial == serial })
}

// alive reports whether a token is valid. It returns both answers if the contract
// leaves that open.
func (u User) alive(kind string, serial int, now time.Time) []bool {
	i := u.find(kind, serial)
	if i < 0 {
		return []bool{false}
	}
	t := u.tokens[i]
	current := t.epoch == u.epoch
	if kind == deviceToken {
		current = u.device(serial) >= 0
	}
	switch {
	case !now.Before(t.expires), !current, t.used, t.gone, t.failures >= maxTries:
		return []bool{false}
	case t.over, t.doubtful, t.issued.After(now):
		return []bool{true, false}
	}
	return []bool{true}
}

// withToken calls do if a challenge or enrollment token is valid, or else refuses
// the token.
func (u User) withToken(kind string, c Call, do func(u User, c Call) []Result) []Result {
	var results []Result
	for _, alive := range u.alive(kind, c.Token, c.At) {
		if alive {
			results = append(results, do(u.clone(), c)...)
		} else {
			results = append(results, u.refuseToken(kind, c.Token)...)
		}
	}
	return results
}

// refuseToken refuses a token, with an event unless it is forged.
func (u User) refuseToken(kind string, serial int) []Result {
	i := u.find(kind, serial)
	if i < 0 {
		return refused("invalid_token")
	}
	return refused("invalid_token", u.tokens[i].event("token_refused"))
}

// event returns an event about a challenge or an enrollment token.
func (t token) event(kind string) event {
	e := event{kind: kind, action: t.action}
	if t.kind == challengeToken {
		e.challenge = t.serial
	}
	return e
}

// remember adds a challenge to those that the record remembers. There may be 32:
// one more evicts the oldest of the others, and with it every challenge that was
// issued before and is not remembered. Expired challenges are forgotten. That ends
// no other challenge unless the clock has gone back; then the contract leaves it
// open.
func (u *User) remember(serial int, now time.Time) {
	i := u.find(challengeToken, serial)
	u.tokens[i].over, u.tokens[i].doubtful = false, false
	var others []token // the remembered ones, in the order in which they were issued
	var last time.Time
	forgets, sure := false, true
	for j, t := range u.tokens {
		if t.kind != challengeToken || t.gone || t.epoch != u.epoch {
			continue
		}
		sure = sure && !t.behind && !t.issued.Before(last)
		last = t.issued
		switch {
		case j == i || !t.remembered():
		case !now.Before(t.expires):
			forgets = true
		default:
			sure = sure && !t.over && !t.doubtful
			others = append(others, t)
		}
	}
	if !forgets && len(others) < maxRemembered {
		return
	}
	var oldest token
	alone := false // no other was issued at the same time
	if len(others) >= maxRemembered {
		oldest = others[0]
		alone = others[1].issued.After(oldest.issued)
	}
	for j := range u.tokens {
		t := &u.tokens[j]
		switch {
		case t.kind != challengeToken || j == i:
		case !sure && oldest.serial > 0, forgets && t.behind && !t.remembered():
			t.doubtful = true
		case t.issued.Before(oldest.issued), t.serial == oldest.serial && alone:
			t.gone = true
		case t.issued.Equal(oldest.issued):
			t.doubtful = true
		}
	}
}
