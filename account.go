package mfa

import (
	"context"
	"fmt"
)

// Reset is for the support desk: it removes every factor, so that the user
// starts again without MFA. Messages sent stay counted, unless the record does
// not open (its key is lost, or it is damaged): Reset replaces such a record.
func (e *Engine) Reset(ctx context.Context, userID string) error {
	return e.updateIn(ctx, e.config.Store, userID, e.openAnyway, func(u *user) error {
		if u.exists() || e.config.Required != nil {
			u.Reset()
		}
		u.event(Event{Type: EventReset})
		return nil
	})
}

// Unlock is for the support desk: it forgets failures, enables disabled factors
// and clears the user's counts of messages and of sets of backup codes; those in
// SMSConfig.Numbers, which are other users' too, stay. It also undoes what a
// clock that ran ahead has left, but no code that was accepted is accepted again.
// What is pending must be begun anew.
func (e *Engine) Unlock(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.Unlock(u.now)
		u.event(Event{Type: EventUnlocked})
		return nil
	})
}

// PasswordChanged invalidates what was begun or trusted under the old password:
// challenges, enrollments, proofs and trusted devices. Factors and failures
// stay. If one engine on a store has Required set, every one must, or the
// enrollment tokens of users without a record stay valid.
func (e *Engine) PasswordChanged(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() || e.config.Required != nil {
			u.Renew()
		}
		u.event(Event{Type: EventPasswordChanged})
		return nil
	})
}

// Reseal seals the user's record under the first key, unless it already is, so
// that an older key can be dropped.
func (e *Engine) Reseal(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		u.mustSave = u.exists() && !u.current
		return nil
	})
}

// DeleteUser deletes everything that is known of a user.
func (e *Engine) DeleteUser(ctx context.Context, userID string) error {
	if err := checkCall(ctx, userID); err != nil {
		return err
	}
	if err := e.config.Store.Delete(ctx, userID); err != nil {
		return fmt.Errorf("mfa: deleting the user's record: %w", err)
	}
	e.emit(ctx, Event{Type: EventDeleted, UserID: userID, Time: e.now()})
	return nil
}

// required asks the host's policy.
func (e *Engine) required(ctx context.Context, userID string) (bool, error) {
	if e.config.Required == nil {
		return false, nil
	}
	required, err := e.config.Required(ctx, userID)
	if err != nil {
		return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)
	}
	return required, nil
}
