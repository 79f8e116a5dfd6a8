package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// built serves an application that it writes to a folder.
func built(t *testing.T, dist string) func(*config) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dist, "assets"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"index.html": "<!doctype html>the page", "assets/index.js": "// the script", "../secret": "not for all"} {
		if err := os.WriteFile(filepath.Join(dist, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return func(c *config) { c.App = dist }
}

// The built React application is served under /app/, and where it is missing the
// answer says how to build it.
func TestApp(t *testing.T) {
	without := newSite(t)
	if p := without.browser().get("/app/"); p.status != http.StatusNotFound || !strings.Contains(p.body, "npm run build") {
		t.Errorf("without a build: %d %s", p.status, p.body)
	}
	dist := filepath.Join(t.TempDir(), "dist")
	b := newSite(t, built(t, dist)).browser()
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
