package main

import (
	"cmp"
	"embed"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// serveFile serves a file, and never lists a folder. It reports whether the file
// exists.
func serveFile(w http.ResponseWriter, r *http.Request, files fs.FS, name string) bool {
	if info, err := fs.Stat(files, name); err != nil || info.IsDir() {
		return false
	}
	http.ServeFileFS(w, r, files, name)
	return true
}

func (s *server) staticFile(w http.ResponseWriter, r *http.Request) {
	if !serveFile(w, r, static, "static/"+r.PathValue("file")) {
		http.NotFound(w, r)
	}
}

// clientPolicy lets a page that is built by its scripts load what policy does, call
// this site, and show images that it has received as data.
const clientPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// docs serves a page that renders /openapi.json.
func (s *server) docs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", clientPolicy)
	serveFile(w, r, static, "static/docs.html")
}

const notBuilt = `The React application is not here. To build it, with Node 18 or newer:

    cd examples/react && npm ci && npm run build

It is looked for in the folder that the flag -app names.`

// appFile serves the React application.
func (s *server) appFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", clientPolicy)
	if !serveFile(w, r, s.app, cmp.Or(r.PathValue("file"), "index.html")) {
		http.Error(w, notBuilt, http.StatusNotFound)
	}
}
