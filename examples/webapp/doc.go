// Webapp is a complete small web application with multi-factor authentication
// by package mfa: server-rendered pages, and the same as a JSON API for
// single-page and mobile clients. Nothing outside is needed: users, sessions
// and the engine's records are in one SQLite database, and what is sent by SMS
// or mail arrives on the page /phone.
//
//	go run ./examples/webapp
//
// # What to copy
//
//   - login.go: signIn is the only function that checks a password, and the only
//     one that calls BeginLogin. Whatever door you add (single sign-on, API keys,
//     a link by mail), bring it through there.
//   - session.go: the four states of a browser (anonymous, password only,
//     enrolling, signed in), kept in one value that is replaced as a whole. A
//     challenge's token never leaves the server; the session gets a new ID with
//     each step up. A generation number in the table of users ends the other
//     sessions when a factor or the password changes.
//   - server.go: every route names the states that may reach it. What is not
//     named is refused, so a new page is closed to whoever has only a password.
//   - prompt.go: one prompt for the login and for the fresh proof that changing
//     factors asks for.
//   - errors.go: what the engine's errors are as a text and as a status, once,
//     for pages and API.
//   - enroll.go, backupcodes.go, security.go, project.go: the pages.
//   - api.go, grant.go: the JSON API and its bearer tokens.
//
// # What is for the demonstration alone
//
//   - phone.go: a page that shows everybody's messages. Give Config.SMS a
//     sender of your provider's instead.
//   - key.go: the key in a file beside the database. Keep yours with your other
//     secrets.
//   - The first account that signs up administers the project.
//   - Signing up does not confirm the address by mail, and so tells whether it
//     is taken. Signing in and asking for a new password tell nothing.
package main
