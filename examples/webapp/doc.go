// Webapp is a complete small web application with multi-factor authentication
// by package mfa: server-rendered pages, and a JSON API for single-page and
// mobile clients. It needs no other service: users, sessions and the engine's
// records live in one SQLite database, and the page /phone shows what would
// otherwise be sent by SMS or e-mail.
//
//	go run ./examples/webapp
//
// # What to copy
//
//   - login.go: signIn is the only function that calls BeginLogin, and
//     rightPassword the only one that checks a password. Send every other way
//     in (single sign-on, API keys, links by mail) through signIn.
//   - session.go: the four states of a browser (anonymous, password only,
//     enrolling, signed in), kept in one value that is replaced as a whole. A
//     challenge's token never leaves the server, and the session gets a new ID
//     with each step up. A generation number in the users table ends the other
//     sessions when a factor or the password changes.
//   - server.go: every route lists the states that may reach it. A new page is
//     closed to all states that it does not list.
//   - prompt.go: one prompt serves the login and the fresh proof that changing
//     factors requires.
//   - errors.go: the application's own errors, beside those that package mfahttp
//     explains, for pages and API.
//   - firstfactor.go, enroll.go, passkey.go, backupcodes.go, security.go,
//     reset.go, project.go: the pages.
//   - api.go, grant.go: the JSON API of package mfahttp over bearer tokens, with
//     login, refresh, logout and the project beside it.
//
// # What serves the demonstration alone
//
//   - phone.go: a page that shows everybody's messages. Set Config.SMS to your
//     provider's sender instead.
//   - key.go: the key is kept in a file beside the database. Keep yours with your
//     other secrets.
//   - The first account to sign up administers the project.
//   - Signing up does not confirm the address by mail, and so reveals whether it
//     is taken. Signing in and asking for a new password do not.
package main
