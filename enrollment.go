package mfa

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
)

// VerifyEnrollment confirms a pending factor and logs the user in. answer is a
// code from the app or the message, which is spent, or the JSON with which a
// browser's navigator.credentials.create answered. Method "" is that of the
// pending factor which was begun last. Five wrong answers void the pending
// factor.
func (e *Engine) VerifyEnrollment(ctx context.Context, userID string, method Method, answer string) (*Login, error) {
	if method == MethodBackupCode || method != "" && !e.offers(method) {
		return nil, ErrMethodUnavailable
	}
	input, err := parseAnswer(answer)
	if err != nil {
		return nil, err
	}
	var login *Login
	err = e.update(ctx, userID, func(u *user) error {
		method := cmp.Or(method, u.Begun(u.now))
		if method != "" && !e.offers(method) {
			return ErrMethodUnavailable
		}
		verdict := e.confirm(u, method, input)
		if verdict.Result == record.Ended {
			return ErrNoPendingEnrollment
		}
		if err := u.report(verdict, Event{Action: ActionEnroll}); err != nil {
			return err
		}
		enrolled := u.about(verdict.Factor)
		enrolled.Type, enrolled.Action = EventEnrolled, ActionEnroll
		if verdict.Replaced {
			enrolled.Type, enrolled.ReplacedPhone = EventReplaced, maskPhone(verdict.ReplacedPhone)
		}
		u.event(enrolled)
		login = e.login(u, verdict, ActionEnroll)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

// confirm judges an answer for a pending factor.
func (e *Engine) confirm(u *user, method Method, input answer) record.Verdict {
	latest := u.now.Add(e.pendingTTL(method) + clockSkew)
	if method == MethodPasskey && input.passkey != "" {
		return u.ConfirmPasskey(e.passkeyCreation(u, input.passkey), u.now, latest)
	}
	guess := e.guess(input.digits, func(tag seal.Tag) bool {
		return e.ring.Verify(tag, enrollmentCode, u.id, u.PendingPhone(), input.digits)
	})
	return u.Confirm(method, guess, u.now, latest)
}

// pendingTTL returns how long a factor waits to be confirmed: a phone no longer
// than its code.
func (e *Engine) pendingTTL(method Method) time.Duration {
	if method == MethodSMS {
		return min(e.config.SMSCodes.TTL, e.config.EnrollmentTTL)
	}
	return e.config.EnrollmentTTL
}

// mayEnroll returns the pending factor to begin, if it may be begun.
func (e *Engine) mayEnroll(u *user, method Method, options changeOptions) (record.Pending, error) {
	p := record.Pending{Factor: record.Factor{Method: method, Label: options.label}, Keep: options.keep}
	if options.only != nil {
		var err error
		if p.Replaces, err = u.selected(method, options); err != nil {
			return p, err
		}
	}
	if err := e.mayChange(u, options); err != nil {
		return p, err
	}
	if p.Keep && u.Full(method) {
		return p, fmt.Errorf("%w: the user has as many factors of this method as there may be", ErrInvalidInput)
	}
	p.Expires = u.now.Add(e.pendingTTL(method))
	return p, nil
}

// offers reports whether the engine can enroll and verify a method.
func (e *Engine) offers(method Method) bool {
	switch method {
	case MethodPasskey:
		return e.config.Passkeys != nil
	case MethodSMS:
		return e.config.SMS != nil
	}
	return method == MethodTOTP || method == MethodBackupCode
}
