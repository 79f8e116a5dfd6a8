package main

import (
	"context"

	"github.com/protekt/mfa"
)

// onEvent implements mfa.Config.OnEvent. It logs every event, and mails the user
// about those that a thief could be behind.
func (s *server) onEvent(ctx context.Context, event mfa.Event) {
	s.log.InfoContext(ctx, "mfa", "event", event)
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

// mailText returns the mail about an event, or "" if it deserves none.
func mailText(event mfa.Event) string {
	switch {
	case event.Type == mfa.EventEnrolled:
		return "A second factor was added to your account: " + methodName(event.Method) + "."
	case event.Type == mfa.EventUnenrolled:
		return "A second factor was removed from your account: " + methodName(event.Method) + "."
	case event.Type == mfa.EventFactorDisabled:
		return "Too many wrong codes have disabled a second factor: " + methodName(event.Method) + "."
	case event.Type == mfa.EventVerified && event.Method == mfa.MethodBackupCode:
		return "A backup code was used to sign in or to change your factors."
	}
	return ""
}
