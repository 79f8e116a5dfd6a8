package sqlstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
	"github.com/protekt/mfa/stores/sqlstore"
)

// Enrollment with the state in SQLite. For PostgreSQL or MySQL, open the DB with
// their driver and pass their dialect.
func Example() {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(directory, "app.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	if err := sqlstore.Migrate(ctx, db, sqlstore.SQLite, sqlstore.Options{}); err != nil { // once, for a new database
		panic(err)
	}
	store, err := sqlstore.New(ctx, db, sqlstore.SQLite, sqlstore.Options{})
	if err != nil {
		panic(err)
	}

	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) // for this example only
	key := make([]byte, 32)                                                // generate once; keep with your other secrets
	rand.Read(key)
	engine, err := mfa.New(mfa.Config{
		Issuer: "ACME",
		Store:  store,
		Keys:   [][]byte{key},
		Now:    clock.Now,
	})
	if err != nil {
		panic(err)
	}
	enrollment, err := engine.EnrollTOTP(ctx, "ada", "ada@example.com")
	if err != nil {
		panic(err)
	}
	app, _ := mfatest.NewAuthenticator(enrollment.URI)
	_, err = engine.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, app.Code(clock.Now()))
	fmt.Println("enrolled:", err == nil)

	var methods string
	err = db.QueryRow("SELECT methods FROM mfa_users WHERE user_id = 'ada'").Scan(&methods)
	fmt.Println("the table says:", methods, err)
	// Output:
	// enrolled: true
	// the table says: totp <nil>
}

// A usersStore keeps MFA state in two columns of the host's own table of users:
//
//	ALTER TABLE users ADD COLUMN mfa_version BIGINT NOT NULL DEFAULT 0;
//	ALTER TABLE users ADD COLUMN mfa_data BYTEA; -- BLOB elsewhere
//
// The state is deleted together with the user's row. A user without a row is an
// error: the table may have been lost. So the store cannot be SMSConfig.Numbers,
// which counts for phone numbers. mfa_data begins with a line that names the
// confirmed factors, for the host's own queries.
type usersStore struct{ db *sql.DB }

func (s usersStore) Load(ctx context.Context, userID string) (mfa.Record, error) {
	record := mfa.Record{UserID: userID}
	var value []byte
	err := s.db.QueryRowContext(ctx, "SELECT mfa_version, mfa_data FROM users WHERE id = ?", userID).Scan(&record.Version, &value)
	if err != nil { // sql.ErrNoRows too
		return mfa.Record{}, err
	}
	if record.Version == 0 {
		return mfa.Record{}, mfa.ErrNoRecord
	}
	methods, data, _ := bytes.Cut(value, []byte("\n"))
	for _, method := range strings.Fields(string(methods)) {
		record.Methods = append(record.Methods, mfa.Method(method))
	}
	record.Data = data
	return record, nil
}

// Save is one statement outside of the host's transactions: a wrong code must
// stay counted when the rest is rolled back.
func (s usersStore) Save(ctx context.Context, record mfa.Record) error {
	var value bytes.Buffer
	for _, method := range record.Methods {
		value.WriteString(string(method) + " ")
	}
	value.WriteByte('\n')
	value.Write(record.Data)
	result, err := s.db.ExecContext(ctx, "UPDATE users SET mfa_version = mfa_version + 1, mfa_data = ? WHERE id = ? AND mfa_version = ?",
		value.Bytes(), record.UserID, record.Version)
	if err != nil {
		return err
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 1 {
		return err
	}
	return mfa.ErrConflict
}

func (s usersStore) Delete(ctx context.Context, userID string) error {
	_, err := s.db.ExecContext(ctx, "UPDATE users SET mfa_version = 0, mfa_data = NULL WHERE id = ?", userID)
	return err
}

// A store without a table of its own: two columns of an existing table of users.
func Example_columnsOfUsers() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection has a database of its own
	for _, statement := range []string{
		"CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT)",
		"INSERT INTO users VALUES ('ada', 'ada@example.com')",
		"ALTER TABLE users ADD COLUMN mfa_version BIGINT NOT NULL DEFAULT 0",
		"ALTER TABLE users ADD COLUMN mfa_data BLOB",
	} {
		if _, err := db.Exec(statement); err != nil {
			panic(err)
		}
	}
	key := make([]byte, 32) // generate once; keep with your other secrets
	rand.Read(key)
	engine, err := mfa.New(mfa.Config{
		Issuer: "ACME",
		Store:  usersStore{db},
		Keys:   [][]byte{key},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("before:", engine.BeginLogin(context.Background(), "ada"))
	if err := engine.ImportSMS(context.Background(), "ada", "+14155552671"); err != nil {
		panic(err)
	}
	var email string
	err = db.QueryRow("SELECT email FROM users WHERE CAST(mfa_data AS TEXT) LIKE 'sms %'").Scan(&email)
	fmt.Println("with a phone:", email, err)
	// Output:
	// before: <nil>
	// with a phone: ada@example.com <nil>
}

// TestColumnsOfUsers: the store of the example keeps the promises of mfa.Store
// for users who have a row.
func TestColumnsOfUsers(t *testing.T) {
	mfatest.TestStore(t, func(t *testing.T) mfa.Store {
		p := sqlite.place(t)
		p.exec(t, "CREATE TABLE users (id TEXT PRIMARY KEY, mfa_version BIGINT NOT NULL DEFAULT 0, mfa_data BLOB)")
		for _, id := range mfatest.UserIDs() {
			p.exec(t, "INSERT INTO users (id) VALUES (?)", id)
		}
		return usersStore{p.db}
	})
	p := sqlite.place(t)
	p.exec(t, "CREATE TABLE users (id TEXT PRIMARY KEY, mfa_version BIGINT NOT NULL DEFAULT 0, mfa_data BLOB)")
	if _, err := (usersStore{p.db}).Load(t.Context(), "ada"); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a user without a row: %v, want an error", err)
	}
	if err := (usersStore{p.db}).Save(t.Context(), mfa.Record{UserID: "ada"}); err == nil {
		t.Error("a record is saved for a user without a row")
	}
}
