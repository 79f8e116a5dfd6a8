package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
)

// Whoever has a key and the database can read and write records. The methods below
// do what such a thief could, and set up states that only a record can bring about.

// Ring returns the keys derived from the engine's.
func (w *World) Ring() *seal.Ring {
	w.T.Helper()
	ring, err := seal.New(w.Config.Keys)
	if err != nil {
		w.T.Fatal(err)
	}
	return ring
}

// binding returns the additional data that a record is sealed with.
func binding(user string, version int64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(version)), user...)
}

// Opened returns the plaintext of the user's record.
func (w *World) Opened(user string) []byte {
	w.T.Helper()
	sealed := w.Stored(user)
	plain, err := w.Ring().Open(seal.Record, sealed.Data, binding(user, sealed.Version))
	if err != nil {
		w.T.Fatalf("the record of %s: %v", user, err)
	}
	return plain
}

// Decoded returns the user's record, decoded.
func (w *World) Decoded(user string) *record.User {
	w.T.Helper()
	var u record.User
	if err := u.Decode(w.Opened(user)); err != nil {
		w.T.Fatalf("the record of %s: %v", user, err)
	}
	return &u
}

// Plant replaces the plaintext of the user's record.
func (w *World) Plant(user string, plain []byte) {
	w.T.Helper()
	current := w.Stored(user)
	buffer := append(seal.NewBuffer(len(plain)), plain...)
	data := w.Ring().Seal(seal.Record, buffer, binding(user, current.Version+1))
	if err := w.Store.Save(w.Ctx, mfa.Record{UserID: user, Version: current.Version, Methods: current.Methods, Data: data}); err != nil {
		w.T.Fatalf("Save: %v", err)
	}
}

// Tamper changes the content of the user's record.
func (w *World) Tamper(user string, change func(u *record.User)) {
	w.T.Helper()
	u := w.Decoded(user)
	change(u)
	w.Plant(user, u.Append(nil))
}

// cheap holds the parameters with which an Argon2id hash costs the least.
var cheap = record.Argon2{Time: 1, Memory: 8, Threads: 1}

// PlantCodes replaces the user's backup codes by the given ones, hashed at the
// lowest cost.
func (w *World) PlantCodes(user string, codes ...string) {
	w.T.Helper()
	w.Tamper(user, func(u *record.User) {
		salt := [16]byte{1, 2, 3}
		hashes := make([]record.BackupHash, len(codes))
		for i, code := range codes {
			symbols := bytes.ReplaceAll([]byte(code), []byte("-"), nil)
			copy(hashes[i][:], argon2.IDKey(symbols, salt[:], cheap.Time, cheap.Memory, cheap.Threads, uint32(len(hashes[i]))))
		}
		u.SetBackupCodes(salt, cheap, hashes, w.Clock.Now())
	})
}

// CheapBackupCodes replaces the user's backup codes by as many as the engine would
// generate, hashed at the lowest cost, and returns them. They differ between users.
func (w *World) CheapBackupCodes(user string) (codes []string) {
	w.T.Helper()
	symbols := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz")
	for i := range w.Config.BackupCodes.Count {
		sum := sha256.Sum256(fmt.Append(nil, i, user))
		text := symbols.EncodeToString(sum[:5])
		codes = append(codes, "k"+text[1:4]+"-"+text[4:]) // at least one letter
	}
	w.PlantCodes(user, codes...)
	return codes
}

// Given sets up a user with an app, a phone and two backup codes at low cost, by
// import. Key and codes are the same in every run.
func (w *World) Given(user, phone string) Person {
	w.T.Helper()
	secret := fmt.Sprintf("%-20.20s", "the key of "+user)
	uri := "otpauth://totp/x?secret=" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret))
	OK(w.T, w.ImportTOTP(w.Ctx, user, uri))
	OK(w.T, w.ImportSMS(w.Ctx, user, phone))
	codes := []string{"7f3k-2m9p", "0a1b-2c3d"}
	w.PlantCodes(user, codes...)
	app := w.Scan(uri)
	proof := w.Login(user, app.Shows()).Proof
	w.Clock.Advance(time.Minute)
	return Person{app, phone, codes, proof}
}
