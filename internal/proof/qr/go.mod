module github.com/protekt/mfa/internal/proof/qr

go 1.26.0

require (
	github.com/makiuchi-d/gozxing v0.1.1
	github.com/protekt/mfa v0.0.0
)

require (
	github.com/boombuler/barcode v1.1.0 // indirect
	github.com/pquerna/otp v1.5.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
)

replace github.com/protekt/mfa => ../../..
