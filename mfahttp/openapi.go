package mfahttp

import (
	_ "embed"
	"encoding/json"
	"net/http"
)

//go:embed openapi.json
var document string

// OpenAPI returns the description of the endpoints in OpenAPI 3.1, for generators
// of clients. It also describes what the host serves beside them, tagged "host":
// a host that answers otherwise serves a description of its own.
func OpenAPI() []byte { return []byte(document) }

func (h *Handler) openAPI(http.ResponseWriter, *http.Request) (any, error) {
	return json.RawMessage(document), nil
}
