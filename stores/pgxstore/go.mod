module github.com/protekt/mfa/stores/pgxstore

go 1.26.0

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/protekt/mfa v0.0.0
)

require (
	github.com/boombuler/barcode v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/pquerna/otp v1.5.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/protekt/mfa => ../..
