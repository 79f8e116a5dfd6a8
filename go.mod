module github.com/protekt/mfa

go 1.26.0

ignore ./examples/react/node_modules // whatever Go npm brings along

require (
	github.com/boombuler/barcode v1.1.0
	github.com/pquerna/otp v1.5.0
	golang.org/x/crypto v0.58.0
)

require golang.org/x/sys v0.49.0 // indirect
