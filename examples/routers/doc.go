// Package routers shows a whole login with MFA on chi, gin, echo and fiber, each
// over access tokens that the host has already (sessions.go), and on net/http
// over the cookies of alexedwards/scs (cookies.go), where the tokens of challenges
// stay in the session. Each file is a recipe to copy, and the same test walks
// through all.
package routers
