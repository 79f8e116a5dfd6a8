package mfahttp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestTheDocumentHasEveryRoute, and no other but the host's. That each answers as
// described is shown in internal/proof/openapi.
func TestTheDocumentHasEveryRoute(t *testing.T) {
	var document struct {
		Paths map[string]map[string]struct{ Tags []string }
	}
	if err := json.Unmarshal(OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, operations := range document.Paths {
		for method, operation := range operations {
			if !slices.Contains(operation.Tags, "host") {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, route := range routes {
		served = append(served, route.method+" "+route.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described are %v,\nserved are %v", described, served)
	}
}
