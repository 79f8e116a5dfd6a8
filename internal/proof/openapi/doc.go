// Package openapi shows that the endpoints of package mfahttp answer as the
// OpenAPI document says: a host is driven through every route, its successes and
// refusals, and each request and response is validated. What the handler answers
// and the document lacks fails, and so does what the document has and the handler
// was never seen to answer. Without it the document would go stale unnoticed, and
// with it the clients generated from it.
//
// It has tests only and nothing to import.
package openapi
