package main

import (
	"context"
	"errors"
	"slices"

	"github.com/protekt/mfa"
)

// onEvent implements mfa.Config.OnEvent. It logs every event, records who has a
// second factor, and mails the user about what a thief could be behind.
func (s *server) onEvent(ctx context.Context, event mfa.Event) {
	s.log.InfoContext(ctx, "mfa", "event", event)
	if changesFactors[event.Type] {
		if err := s.users.recordMFA(ctx, event.UserID); err != nil {
			s.log.ErrorContext(ctx, "recording who has MFA", "user", event.UserID, "error", err)
		}
	}
	text := mailText(event)
	if text == "" {
		return
	}
	u, err := s.users.byID(ctx, event.UserID)
	if err != nil {
		s.log.ErrorContext(ctx, "mail", "error", err)
		return
	}
	s.phone.mail(u.Email, text)
}

var changesFactors = map[mfa.EventType]bool{
	mfa.EventEnrolled:   true,
	mfa.EventUnenrolled: true,
	mfa.EventRevoked:    true,
	mfa.EventReset:      true,
}

// enrolled reports whether there is a factor besides backup codes.
func enrolled(status *mfa.Status) bool {
	return slices.ContainsFunc(status.Factors, func(f mfa.Factor) bool { return f.Method != mfa.MethodBackupCode })
}

// mailText returns the mail about an event, or "" if it deserves none.
func mailText(event mfa.Event) string {
	method := methodName(event.Method)
	switch event.Type {
	case mfa.EventEnrolled:
		return "A second factor was added to your account: " + method + "."
	case mfa.EventReplaced:
		if event.ReplacedPhone != "" {
			return "The phone of your account was replaced: " + event.Phone + " instead of " + event.ReplacedPhone + "."
		}
		return "A second factor of your account was replaced: " + method + "."
	case mfa.EventUnenrolled:
		return "A second factor was removed from your account: " + method + "."
	case mfa.EventRevoked:
		return "A second factor of your account was reported lost or stolen, and removed: " + method + "."
	case mfa.EventFactorDisabled:
		return "Too many wrong codes have disabled a second factor: " + method + "."
	case mfa.EventBackupCodesGenerated:
		return "New backup codes were generated for your account. Any older ones no longer work."
	case mfa.EventDeviceTrusted:
		return "A device was trusted: it will not be asked for a code for 30 days."
	case mfa.EventReset:
		return "An administrator has removed all second factors from your account."
	case mfa.EventRefused:
		if errors.Is(event.Err, mfa.ErrClonedPasskey) {
			return "A passkey of your account was refused: it seems to be a copy. Remove that passkey if you made none."
		}
	case mfa.EventVerified:
		if event.Method == mfa.MethodBackupCode {
			return "A backup code was used to sign in or to change your factors."
		}
	}
	return ""
}
