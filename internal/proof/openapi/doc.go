// Package openapi shows that the endpoints of package mfahttp answer as the
// OpenAPI document says. A host is driven through every route, its successes and
// refusals, and each request and response is validated. A response that the
// document lacks fails the test, and so does one in the document that the handler
// never returned. Without it the document would become outdated unnoticed, and so
// would the clients generated from it.
//
// It has tests only and nothing to import.
package openapi
