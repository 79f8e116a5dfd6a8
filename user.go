package mfa

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/wire"
)

// user is the state of one user between Load and Save.
type user struct {
	record.User
	id      string
	now     time.Time
	version int64  // as stored; 0 without a record
	encoded []byte // as loaded
	current bool   // sealed under the first key

	mustSave bool    // even if nothing changed
	silent   bool    // nobody listens to events
	events   []Event // emitted after the save
}

func (u *user) exists() bool { return u.version > 0 }

// event adds an event of this user's, at this time.
func (u *user) event(event Event) {
	if u.silent {
		return
	}
	event.UserID, event.Time = u.id, u.now
	u.events = append(u.events, event)
}

// throttled returns an error, and adds an event about it, if it is too early for
// what may be done at next.
func (u *user) throttled(next time.Time, sending bool, about Event) error {
	if !u.now.Before(next) {
		return nil
	}
	err := &ThrottledError{RetryAfter: next.Sub(u.now), Sending: sending}
	about.Type, about.Err = EventThrottled, err
	u.event(about)
	return err
}

// about returns an event about a confirmed factor; an empty one for the zero ID,
// or if nobody listens to events.
func (u *user) about(id record.ID) Event {
	if u.silent {
		return Event{}
	}
	f := u.Find(id)
	if f == nil {
		return Event{}
	}
	return Event{Method: f.Method, FactorID: factorID(id), Phone: u.phone(f)}
}

// phone returns the masked number of a factor, "" for one without.
func (u *user) phone(f *record.Factor) string {
	if f.Method != MethodSMS {
		return ""
	}
	return maskPhone(u.User.Phone(f.ID).Phone)
}

// retries is how often an operation starts again because somebody else saved
// first. Each time, somebody did make progress.
const retries = 100

// update is how every operation changes a user: load, open, change, seal,
// save, and again from the start if somebody else has saved meanwhile. So
// change may run several times: besides the user it may only set its own
// result, anew each time. What it changes is saved even if it returns an error,
// as wrong codes are; the caller and OnEvent learn the outcome only after that.
func (e *Engine) update(ctx context.Context, userID string, change func(u *user) error) error {
	return e.updateIn(ctx, e.config.Store, userID, e.open, change)
}

// updateIn is update for any store and any way to open what it holds.
func (e *Engine) updateIn(ctx context.Context, store Store, userID string, open opener, change func(u *user) error) error {
	var err error
	for conflicts := range retries {
		pause(ctx, conflicts)
		var u *user
		if u, err = e.loadFrom(ctx, store, userID, open); err != nil {
			return err
		}
		verdict := change(u)
		if err = e.save(ctx, store, u); err == nil {
			e.emit(ctx, u.events...)
			return verdict
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// undoTimeout is how long undo may take.
const undoTimeout = 5 * time.Second

// undo changes a user after an operation has failed, even if the caller's time is
// up: that may be why.
func (e *Engine) undo(ctx context.Context, userID string, change func(u *user)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return e.update(ctx, userID, func(u *user) error { change(u); return nil })
}

// load returns a user to operations that change nothing.
func (e *Engine) load(ctx context.Context, userID string) (*user, error) {
	return e.loadFrom(ctx, e.config.Store, userID, e.open)
}

func (e *Engine) loadFrom(ctx context.Context, store Store, userID string, open opener) (*user, error) {
	if err := checkCall(ctx, userID); err != nil {
		return nil, err
	}
	u := &user{id: userID, now: e.now(), silent: e.config.OnEvent == nil}
	if !wire.Holds(u.now) {
		return nil, fmt.Errorf("mfa: Config.Now is out of range, in the year %d", u.now.Year())
	}
	stored, err := store.Load(ctx, userID)
	if errors.Is(err, ErrNoRecord) {
		u.encoded = u.Append(nil)
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mfa: loading the user's record: %w", err)
	}
	if err := open(u, stored); err != nil {
		return nil, fmt.Errorf("mfa: the user's record %w", err)
	}
	return u, nil
}

// maxRecord bounds what is read from a store, in bytes.
const maxRecord = 16 << 10

// An opener makes a stored record the state of u.
type opener func(u *user, stored Record) error

// open decrypts and decodes a stored record. Whatever is wrong with it is an
// error, never a user without factors.
func (e *Engine) open(u *user, stored Record) error {
	if stored.Version < 1 || len(stored.Data) > maxRecord {
		return fmt.Errorf("is damaged: version %d, %d bytes", stored.Version, len(stored.Data))
	}
	encoded, err := e.ring.Open(seal.Record, stored.Data, associated(u.id, stored.Version))
	if err != nil {
		return err
	}
	if err := u.Decode(encoded); err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	u.version, u.encoded, u.current = stored.Version, encoded, e.ring.Current(stored.Data)
	return nil
}

// openAnyway makes a record that does not open a user of whom nothing is known,
// to be saved over it.
func (e *Engine) openAnyway(u *user, stored Record) error {
	if e.open(u, stored) != nil {
		u.User, u.version = record.User{}, stored.Version
	}
	return nil
}

// growth is by how many bytes most operations lengthen a record.
const growth = 64

// save seals and saves a user if anything has changed.
func (e *Engine) save(ctx context.Context, store Store, u *user) error {
	buffer := u.Append(seal.NewBuffer(len(u.encoded) + growth))
	if bytes.Equal(seal.Plaintext(buffer), u.encoded) && !u.mustSave {
		return nil
	}
	err := store.Save(ctx, Record{
		UserID:  u.id,
		Version: u.version,
		Methods: u.confirmedMethods(),
		Data:    e.ring.Seal(seal.Record, buffer, associated(u.id, u.version+1)),
	})
	if err != nil {
		return fmt.Errorf("mfa: saving the user's record: %w", err)
	}
	return nil
}

func (u *user) confirmedMethods() []Method {
	confirmed := make([]Method, 0, 3)
	for _, m := range []Method{MethodPasskey, MethodTOTP, MethodSMS} {
		if u.Has(m) {
			confirmed = append(confirmed, m)
		}
	}
	return confirmed
}

// associated returns the data that bind a sealed record to its user and to the
// version under which it is stored.
func associated(userID string, version int64) []byte {
	b := make([]byte, 0, 8+len(userID))
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	return append(b, userID...)
}

// checkCall refuses what no operation accepts.
func checkCall(ctx context.Context, userID string) error {
	if err := CheckUserID(userID); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mfa: %w", err)
	}
	return nil
}
