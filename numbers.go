package mfa

import (
	"context"
	"encoding/hex"
)

// phoneNumber labels the keyed hashes of phone numbers.
const phoneNumber = "phone number"

// countNumber counts a message to a number that nobody has confirmed yet, which
// may be a stranger's. Messages to a confirmed number count only for its user,
// or a stranger could silence it.
func (e *Engine) countNumber(ctx context.Context, d delivery, phone string) error {
	if e.config.SMSCodes.Numbers == nil || d.about.Action != ActionEnroll {
		return nil
	}
	var refused *user
	err := e.updateIn(ctx, e.config.SMSCodes.Numbers, e.numberID(phone), e.open, func(number *user) error {
		// The events are the user's, not the number's.
		refused = &user{id: d.userID, now: number.now, silent: number.silent}
		if err := refused.throttled(number.Sent.NextAt(), true, d.about); err != nil {
			return err
		}
		number.Sent.Count(number.now)
		return nil
	})
	if refused != nil {
		e.emit(ctx, refused.events...)
	}
	return err
}

// uncountNumber takes back what countNumber counted, since no message was sent.
// If that fails the number stays counted, which errs on the safe side.
func (e *Engine) uncountNumber(ctx context.Context, d delivery, phone string) {
	if e.config.SMSCodes.Numbers == nil || d.about.Action != ActionEnroll {
		return
	}
	_ = e.updateIn(ctx, e.config.SMSCodes.Numbers, e.numberID(phone), e.open, func(number *user) error {
		number.Sent.TakeBack()
		return nil
	})
}

// numberID returns the name of a number's record, which does not reveal the
// number.
func (e *Engine) numberID(phone string) string {
	tag := e.ring.MAC(phoneNumber, phone)
	return "mfa_number_" + hex.EncodeToString(tag.Sum[:])
}
