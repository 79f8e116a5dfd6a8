package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/protekt/mfa"
)

// A user of the application. ID, which never changes, is what the engine knows
// the user by: an address may be spelled in many ways.
type user struct {
	ID        string
	Email     string
	CreatedAt time.Time
	Admin     bool

	// Generation goes up when a factor or the password changes. A session or
	// grant of an earlier one is over.
	Generation int64

	password string
}

// users is the table of users.
type users struct {
	db        *sql.DB
	now       func() time.Time
	passwords passwords
}

const userColumns = "id, email, password, created_at, is_admin, generation"

// scanUser reads these columns, and more that follow.
func scanUser(row interface{ Scan(...any) error }, more ...any) (user, error) {
	var u user
	var created int64
	err := row.Scan(append([]any{&u.ID, &u.Email, &u.password, &created, &u.Admin, &u.Generation}, more...)...)
	u.CreatedAt = time.Unix(created, 0).UTC()
	return u, err
}

// create makes a user. The first one is the administrator.
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

// byID is sql.ErrNoRows for an unknown one.
func (t *users) byID(ctx context.Context, id string) (user, error) {
	return scanUser(t.db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE id = ?", id))
}

// find is errNoUser for an unknown one.
func (t *users) find(ctx context.Context, id string) (user, error) {
	u, err := t.byID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return user{}, errNoUser
	}
	return u, err
}

// check gives the user whose password that is, or errCredentials. An unknown
// address costs the same work as a wrong password.
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

// A member is a user and the factors that the engine's records list.
type member struct {
	User    user
	Methods []mfa.Method
	Locked  bool // a factor is disabled, or refuses codes for a while
}

// list gives the newest users whose address has search in it, all of them or
// those without MFA. The column methods of the engine's table is there for such
// questions.
func (t *users) list(ctx context.Context, search string, withoutMFA bool, limit int) (list []member, err error) {
	rows, err := t.db.QueryContext(ctx, "SELECT "+userColumns+`, coalesce(methods, '')
		FROM users LEFT JOIN mfa_users ON user_id = id
		WHERE instr(email, ?) > 0 AND (NOT ? OR coalesce(methods, '') = '')
		ORDER BY created_at DESC, users.rowid DESC LIMIT ?`, canonical(search), withoutMFA, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m member
		var methods string
		if m.User, err = scanUser(rows, &methods); err != nil {
			return nil, err
		}
		for name := range strings.FieldsFuncSeq(methods, func(r rune) bool { return r == ',' }) {
			m.Methods = append(m.Methods, mfa.Method(name))
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// setPassword ends what was begun under the old one: sessions, grants and
// links that were mailed.
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

// endSessions ends all sessions and grants of a user.
func (t *users) endSessions(ctx context.Context, id string) error {
	_, err := t.db.ExecContext(ctx, "UPDATE users SET generation = generation + 1 WHERE id = ?", id)
	return err
}

// endWithoutMFA ends all sessions and grants of users who have no factor.
func (t *users) endWithoutMFA(ctx context.Context) error {
	_, err := t.db.ExecContext(ctx, `UPDATE users SET generation = generation + 1
		WHERE id NOT IN (SELECT user_id FROM mfa_users WHERE methods <> '')`)
	return err
}

// endOthers ends all of them but the one that asks, which goes on with the
// generation that is returned. One that was ended meanwhile itself does not:
// that is errUnsigned. It follows a change of factors, and so must be done even
// where the browser has gone away.
func (t *users) endOthers(ctx context.Context, id string, from int64) (generation int64, err error) {
	err = t.db.QueryRowContext(context.WithoutCancel(ctx), `UPDATE users SET generation = generation + 1
		WHERE id = ? AND generation = ? RETURNING generation`, id, from).Scan(&generation)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errUnsigned
	}
	return generation, err
}

// remove removes a user and all that is known of them, with what also
// removes: all of it goes, or none. While others are left it is errLastAdmin for
// the only administrator.
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

// resetTTL is how long a link that was mailed is good for.
const resetTTL = 15 * time.Minute

// beginReset gives a secret with which the user may choose a new password.
func (t *users) beginReset(ctx context.Context, u user) (secret string, err error) {
	secret = rand.Text()
	hash := sha256.Sum256([]byte(secret))
	if _, err = t.db.ExecContext(ctx, "DELETE FROM resets WHERE user_id = ? OR expires <= ?", u.ID, t.now().Unix()); err != nil {
		return "", err
	}
	_, err = t.db.ExecContext(ctx, "INSERT INTO resets (hash, user_id, expires) VALUES (?, ?, ?)", hash[:], u.ID, t.now().Add(resetTTL).Unix())
	return secret, err
}

// resetUser gives the user whom the secret was mailed to, or errResetLink.
func (t *users) resetUser(ctx context.Context, secret string) (id string, err error) {
	hash := sha256.Sum256([]byte(secret))
	err = t.db.QueryRowContext(ctx, "SELECT user_id FROM resets WHERE hash = ? AND expires > ?", hash[:], t.now().Unix()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errResetLink
	}
	return id, err
}

// canonical is the one spelling of an address that is stored.
func canonical(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

const (
	maxEmail    = 120
	maxEscaped  = 300 // as in the QR code, of which the engine bounds the whole
	minPassword = 8
	maxPassword = 256
)

// checkEmail refuses what is no address, or what an authenticator app cannot
// show.
func checkEmail(email string) error {
	local, domain, _ := strings.Cut(email, "@")
	odd := func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}
	if len(email) > maxEmail || len(url.QueryEscape(email)) > maxEscaped || local == "" || !utf8.ValidString(email) || strings.ContainsFunc(local+domain, odd) ||
		strings.Trim(domain, ".") != domain || domain == "" {
		return errEmail
	}
	return nil
}

func checkPassword(password string) error {
	if utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword {
		return errPassword
	}
	return nil
}
