package pgxstore_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/stores/pgxstore"
)

// How a host connects its pool, and what an operator does before.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://app@db.example.com/app?target_session_attrs=read-write")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	// Once, with the other migrations, and never when a process starts.
	if err := pgxstore.Migrate(ctx, pool, pgxstore.Options{}); err != nil {
		log.Fatal(err)
	}

	// In each process.
	store, err := pgxstore.New(ctx, pool, pgxstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	key, err := hex.DecodeString(os.Getenv("MFA_KEY")) // 32 random bytes
	if err != nil {
		log.Fatal(err)
	}
	engine, err := mfa.New(mfa.Config{
		Issuer: "ACME",
		Store:  store,
		Keys:   [][]byte{key},
	})
	if err != nil {
		log.Fatal(err)
	}

	// A user is deleted together with the host's own rows.
	tx, err := pool.Begin(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if err := store.DeleteTx(ctx, tx, "ada"); err != nil {
		log.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM users WHERE id = $1", "ada"); err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(engine.BeginLogin(ctx, "bob"))
}
