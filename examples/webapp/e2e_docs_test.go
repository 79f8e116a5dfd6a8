package main

import (
	"slices"
	"strings"
	"testing"
)

// The API's description is rendered from this site's own files, in both schemes
// and on a phone, under a policy without any unsafe source.
func TestBrowserDocs(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	b := s.chromium()
	b.open("/docs").wants("docs")
	b.until(`document.querySelector("[data-path='/mfa/enroll']") !== null`)
	b.press("#operations-factors-enroll .opblock-summary-control")
	b.until(`(pass(20), document.querySelector("#operations-factors-enroll .responses-wrapper") !== null)`)
	b.pictures("docs")
	requested := b.requests()
	if !slices.Contains(requested, s.url+"/openapi.json") {
		t.Errorf("requested %q", requested)
	}
	for _, url := range requested {
		if !strings.HasPrefix(url, s.url+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("requested %s", url)
		}
	}
}
