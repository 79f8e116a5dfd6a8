package attack_test

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
)

// Whoever has a key and the database can read and write records. The tests do
// what such a thief could, and what only a record can bring about.

// ring is what the key of every world derives.
func ring(t testing.TB) *seal.Ring {
	t.Helper()
	ring, err := seal.New([][]byte{world.Key(1)})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// binding is what a record is sealed to.
func binding(user string, version int64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(version)), user...)
}

// opened is what the user's record says under its seal.
func opened(w *world.World, user string) []byte {
	w.T.Helper()
	sealed := w.Stored(user)
	plain, err := ring(w.T).Open(seal.Record, sealed.Data, binding(user, sealed.Version))
	if err != nil {
		w.T.Fatalf("the record of %s: %v", user, err)
	}
	return plain
}

// decoded is opened, read.
func decoded(w *world.World, user string) *record.User {
	w.T.Helper()
	var u record.User
	if err := u.Decode(opened(w, user)); err != nil {
		w.T.Fatalf("the record of %s: %v", user, err)
	}
	return &u
}

// plant puts bytes under the seal of the user's record.
func plant(w *world.World, user string, plain []byte) {
	w.T.Helper()
	version := w.Stored(user).Version
	buffer := append(seal.NewBuffer(len(plain)), plain...)
	data := ring(w.T).Seal(seal.Record, buffer, binding(user, version+1))
	if err := w.Store.Save(w.Ctx, mfa.Record{UserID: user, Version: version, Data: data}); err != nil {
		w.T.Fatalf("Save: %v", err)
	}
}

// tamper changes what the user's record says.
func tamper(w *world.World, user string, change func(u *record.User)) {
	w.T.Helper()
	u := decoded(w, user)
	change(u)
	plant(w, user, u.Append(nil))
}

// cheap is the least that an Argon2id hash can cost.
var cheap = record.Argon2{Time: 1, Memory: 8, Threads: 1}

// plantCodes gives the user backup codes of the test's choice, hashed for
// next to nothing.
func plantCodes(w *world.World, user string, codes ...string) {
	w.T.Helper()
	tamper(w, user, func(u *record.User) {
		salt := [16]byte{1, 2, 3}
		hashes := make([]record.BackupHash, len(codes))
		for i, code := range codes {
			symbols := bytes.ReplaceAll([]byte(code), []byte("-"), nil)
			copy(hashes[i][:], argon2.IDKey(symbols, salt[:], cheap.Time, cheap.Memory, cheap.Threads, uint32(len(hashes[i]))))
		}
		u.SetBackupCodes(salt, cheap, hashes, w.Clock.Now())
	})
}

// given is a full user for next to nothing: by import, with cheap backup codes,
// and the same in every run.
func given(w *world.World, user, phone string) person {
	w.T.Helper()
	secret := fmt.Sprintf("%-20.20s", "the key of "+user)
	uri := "otpauth://totp/x?secret=" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret))
	world.OK(w.T, w.ImportTOTP(w.Ctx, user, uri))
	world.OK(w.T, w.ImportSMS(w.Ctx, user, phone))
	codes := []string{"7f3k-2m9p", "0a1b-2c3d"}
	plantCodes(w, user, codes...)
	app := w.Scan(uri)
	proof := w.Login(user, app.Shows()).Proof
	w.Clock.Advance(time.Minute)
	return person{App: app, Phone: phone, Codes: codes, Proof: proof}
}
