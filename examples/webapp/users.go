package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// A user of the application. The engine knows users by ID, which never changes;
// an address may be spelled in many ways.
type user struct {
	ID        string
	Email     string
	CreatedAt time.Time
	Admin     bool

	// Generation increases when a factor or the password changes. Sessions and
	// grants of an earlier generation are over.
	Generation int64

	// HasMFA reports whether the user has a second factor, by the application's
	// own record.
	HasMFA bool

	password string
}

// users is the table of users.
type users struct {
	db        *sql.DB
	now       func() time.Time
	passwords *passwordHasher
}

const userColumns = "id, email, password, created_at, is_admin, generation, has_mfa"

func scanUser(row interface{ Scan(...any) error }) (user, error) {
	var u user
	var created int64
	err := row.Scan(&u.ID, &u.Email, &u.password, &created, &u.Admin, &u.Generation, &u.HasMFA)
	u.CreatedAt = time.Unix(created, 0).UTC()
	return u, err
}

// create creates a user. The first one is an administrator.
func (t *users) create(ctx context.Context, email, password string) error {
	email = canonical(email)
	if err := checkEmail(email); err != nil {
		return err
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	hash, err := t.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	result, err := t.db.ExecContext(ctx, `INSERT INTO users (id, email, password, created_at, is_admin)
		VALUES (?, ?, ?, ?, NOT EXISTS (SELECT 1 FROM users)) ON CONFLICT (email) DO NOTHING`,
		"usr_"+strings.ToLower(rand.Text()), email, hash, t.now().Unix())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errEmailTaken)
	}
	return nil
}

// byID returns a user, or sql.ErrNoRows.
func (t *users) byID(ctx context.Context, id string) (user, error) {
	return scanUser(t.db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE id = ?", id))
}

// find returns a user, or errNoUser.
func (t *users) find(ctx context.Context, id string) (user, error) {
	u, err := t.byID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return user{}, errNoUser
	}
	return u, err
}

// check returns the user with that address and password, or errCredentials. An
// unknown address costs as much work as a wrong password.
func (t *users) check(ctx context.Context, email, password string) (user, error) {
	u, err := t.byEmail(ctx, email)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return user{}, err
	}
	ok, err := t.passwords.matches(ctx, password, u.password)
	if err != nil {
		return user{}, err
	}
	if !ok {
		return user{}, errCredentials
	}
	return u, nil
}

func (t *users) byEmail(ctx context.Context, email string) (user, error) {
	return scanUser(t.db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE email = ?", canonical(email)))
}

// A member is a user with the factors that the engine's status lists.
type member struct {
	User    user
	Factors []mfa.Factor
	Locked  bool // a factor is disabled, or refuses codes for a while
}

// list returns the newest users whose address contains search: all of them, or
// those without MFA. The methods column of the engine's table serves such
// queries.
func (t *users) list(ctx context.Context, search string, withoutMFA bool, limit int) (list []member, err error) {
	rows, err := t.db.QueryContext(ctx, "SELECT "+userColumns+` FROM users LEFT JOIN mfa_users ON user_id = id
		WHERE instr(email, ?) > 0 AND (NOT ? OR coalesce(methods, '') = '')
		ORDER BY created_at DESC, users.rowid DESC LIMIT ?`, canonical(search), withoutMFA, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m member
		if m.User, err = scanUser(rows); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// setPassword replaces a password, and ends what was begun under the old one:
// sessions, grants and mailed links.
func (t *users) setPassword(ctx context.Context, id, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	hash, err := t.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "UPDATE users SET password = ?, generation = generation + 1 WHERE id = ?", hash, id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM resets WHERE user_id = ?", id); err != nil {
		return err
	}
	return tx.Commit()
}

// recordMFA keeps a record of the application's own of whether a user has a second
// factor, so that signIn can tell a user without one from one whose factors are
// missing. It is one statement, so that of two changes at once the later record
// covers both.
func (t *users) recordMFA(ctx context.Context, id string) error {
	_, err := t.db.ExecContext(ctx, `UPDATE users SET has_mfa = EXISTS
		(SELECT 1 FROM mfa_users WHERE user_id = users.id AND methods <> '') WHERE id = ?`, id)
	return err
}

// endSessions ends all sessions and grants of a user. It ignores ctx's
// cancellation, since it follows a change that stands even if the browser has gone
// away.
func (t *users) endSessions(ctx context.Context, id string) error {
	_, err := t.db.ExecContext(context.WithoutCancel(ctx), "UPDATE users SET generation = generation + 1 WHERE id = ?", id)
	return err
}

// endWithoutMFA ends all sessions and grants of users who have no factor.
func (t *users) endWithoutMFA(ctx context.Context) error {
	_, err := t.db.ExecContext(ctx, `UPDATE users SET generation = generation + 1
		WHERE id NOT IN (SELECT user_id FROM mfa_users WHERE methods <> '')`)
	return err
}

// endOthers ends all sessions and grants of a user but the caller's, which is of the
// generation from and continues with the one returned. If the caller's has ended
// meanwhile, endOthers ends all and returns ErrNoSession. It ignores ctx's
// cancellation, as endSessions does.
func (t *users) endOthers(ctx context.Context, id string, from int64) (generation int64, err error) {
	err = t.db.QueryRowContext(context.WithoutCancel(ctx), `UPDATE users SET generation = generation + 1
		WHERE id = ? RETURNING generation`, id).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) || err == nil && generation != from+1 {
		return 0, mfahttp.ErrNoSession
	}
	return generation, err
}

// remove deletes a user and, in the same transaction, what also deletes. It
// returns errLastAdmin for the only administrator while there are other users.
func (t *users) remove(ctx context.Context, id string, also func(tx *sql.Tx) error) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var last bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND is_admin)
		AND EXISTS (SELECT 1 FROM users WHERE id <> ?1)
		AND NOT EXISTS (SELECT 1 FROM users WHERE id <> ?1 AND is_admin)`, id).Scan(&last); err != nil {
		return err
	}
	if last {
		return errLastAdmin
	}
	for _, statement := range []string{
		"DELETE FROM grants WHERE user_id = ?",
		"DELETE FROM resets WHERE user_id = ?",
		"DELETE FROM users WHERE id = ?",
	} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return err
		}
	}
	if err := also(tx); err != nil {
		return err
	}
	return tx.Commit()
}
