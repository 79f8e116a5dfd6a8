package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The built React application is served under /app/, and where it is missing the
// answer says how to build it.
func TestApp(t *testing.T) {
	dist := t.TempDir()
	s := newSite(t, func(c *config) { c.App = dist })
	b := s.browser()
	if p := b.get("/app/"); p.status != http.StatusNotFound || !strings.Contains(p.body, "npm run build") {
		t.Errorf("without a build: %d %s", p.status, p.body)
	}
	if err := os.Mkdir(filepath.Join(dist, "assets"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"index.html": "<!doctype html>the page", "assets/index.js": "// the script", "../secret": "not for all"} {
		if err := os.WriteFile(filepath.Join(dist, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/app", "/app/", "/app/?session=cookie"} {
		if p := b.get(path); p.status != http.StatusOK || p.path != "/app/" || !strings.Contains(p.body, "the page") {
			t.Errorf("%s: %d at %s: %s", path, p.status, p.path, p.body)
		}
	}
	if p := b.get("/app/assets/index.js"); p.body != "// the script" || !strings.HasPrefix(p.header.Get("Content-Type"), "text/javascript") {
		t.Errorf("the script: %q, %s", p.header, p.body)
	}
	for _, path := range []string{"/app/assets/", "/app/assets", "/app/nope.js", "/app/%2e%2e/secret", "/app/..%2fsecret", "/static/", "/static/swagger-ui/", "/static/swagger-ui"} {
		if p := b.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, p.status, p.body)
		}
	}
}
