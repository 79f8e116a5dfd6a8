package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	validation "github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/protekt/mfa/mfahttp"
)

// An operation is the document's description of one method and path.
type operation struct {
	method, path string // as in the document
	ID           string `json:"operationId"`
	Tags         []string
	Security     []map[string][]string
	RequestBody  struct{ Content map[string]media }
	Responses    map[string]response // by status
}

type response struct {
	Ref     string                     `json:"$ref"`
	Headers map[string]json.RawMessage // by canonical name
	Content map[string]media
}

type media struct {
	Examples map[string]struct{ Value json.RawMessage }
}

// host reports whether the operation is the host's own.
func (o operation) host() bool { return slices.Contains(o.Tags, "host") }

// takes reports whether a request has a body.
func (o operation) takes() bool { return len(o.RequestBody.Content) > 0 }

// example returns the document's first example of a request.
func (o operation) example() string {
	examples := o.RequestBody.Content["application/json"].Examples
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		return string(examples[name].Value)
	}
	return ""
}

// A document is the OpenAPI document, and the outcomes seen so far.
type document struct {
	validator  validator.Validator
	operations []operation
	seen       map[string]bool // outcomes
}

// outcome returns the name of a response: an operation, a status and an error's
// code.
func outcome(id, status, code string) string {
	return strings.TrimSpace(fmt.Sprint(id, " ", status, " ", code))
}

// guarded is the path of a host's route behind the middleware.
const guarded = "/guarded"

// newDocument returns the package's document with a guarded route added.
func newDocument(t *testing.T) *document {
	t.Helper()
	text := bytes.Replace(mfahttp.OpenAPI(), []byte(`"paths": {`), []byte(`"paths": {"`+guarded+`": {"get": {"operationId": "guarded", "tags": ["host"],
		"responses": {"403": {"$ref": "#/components/responses/Guarded"}}}},`), 1)
	parsed, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{seen: make(map[string]bool)}
	var faults []error
	if d.validator, faults = validator.NewValidator(parsed, validation.WithFormatAssertions()); faults != nil {
		t.Fatal(faults)
	}
	var content struct {
		Paths      map[string]map[string]operation
		Components struct{ Responses map[string]response }
	}
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	for path, operations := range content.Paths {
		for method, o := range operations {
			o.method, o.path = strings.ToUpper(method), path
			for status, r := range o.Responses {
				if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
					o.Responses[status] = content.Components.Responses[name]
				}
			}
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, func(a, b operation) int { return strings.Compare(a.ID, b.ID) })
	return d
}

// find returns the operation at a path.
func (d *document) find(t *testing.T, path string) operation {
	t.Helper()
	for _, o := range d.operations {
		prefix, _, named := strings.Cut(o.path, "{")
		if path == o.path || named && strings.HasPrefix(path, prefix) {
			return o
		}
	}
	t.Fatalf("the document has no path %s", path)
	return operation{}
}

// check fails the test unless the document agrees with an exchange: a request that
// is invalid by the document must be refused, one that is refused as invalid must
// be invalid by the document, and the document must have the response.
func (d *document) check(t *testing.T, r *http.Request, body string, answer *http.Response) {
	t.Helper()
	o := d.find(t, r.URL.Path)
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(data))
	var refusal struct{ Error struct{ Code string } }
	json.Unmarshal(data, &refusal)
	exchange := fmt.Sprintf("%s %s %s: %d %s", r.Method, r.URL.Path, body, answer.StatusCode, data)

	if r.Method == o.method {
		r.Body = io.NopCloser(strings.NewReader(body))
		valid, faults := d.validator.ValidateHttpRequestSync(r)
		switch refused := refusal.Error.Code == "invalid_request" || refusal.Error.Code == "unsupported_media_type"; {
		case answer.StatusCode == http.StatusOK && !valid:
			t.Errorf("%s\nwas accepted, but is invalid by the document: %s", exchange, reasons(faults))
		case refused && valid:
			t.Errorf("%s\nwas refused, but is valid by the document", exchange)
		}
	}
	r.Method = o.method // the document describes a 405 under the method that it has
	if valid, faults := d.validator.ValidateHttpResponse(r, answer); !valid {
		t.Errorf("%s\nis not in the document: %s", exchange, reasons(faults))
	}
	status := strconv.Itoa(answer.StatusCode)
	for name := range answer.Header {
		described := slices.ContainsFunc(slices.Collect(maps.Keys(o.Responses[status].Headers)), func(header string) bool {
			return http.CanonicalHeaderKey(header) == name
		})
		if !described && name != "Content-Type" && name != "Vary" && !strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s\nthe document lacks the header %s", exchange, name)
		}
	}
	d.seen[outcome(o.ID, status, refusal.Error.Code)] = true
}

func reasons(faults []*errors.ValidationError) string {
	var b strings.Builder
	for _, fault := range faults {
		fmt.Fprintf(&b, "%s: %s;", fault.Message, fault.Reason)
		for _, detail := range fault.SchemaValidationErrors {
			fmt.Fprintf(&b, " %s", detail.Reason)
		}
	}
	return b.String()
}

// checkAllSeen fails the test if the document has a response of the handler's
// endpoints that no exchange had. Examples of refusals are named by code.
func (d *document) checkAllSeen(t *testing.T) {
	t.Helper()
	for _, o := range d.operations {
		if o.host() {
			continue
		}
		for status, r := range o.Responses {
			codes := []string{""}
			if status != "200" {
				codes = slices.Collect(maps.Keys(r.Content["application/json"].Examples))
			}
			for _, code := range codes {
				if !d.seen[outcome(o.ID, status, code)] {
					t.Errorf("the document has %s, which was never returned", outcome(o.ID, status, code))
				}
			}
		}
	}
}

func TestTheDocumentIsOne(t *testing.T) {
	d := newDocument(t)
	if valid, faults := d.validator.ValidateDocument(); !valid {
		t.Error(reasons(faults))
	}
}

// TestExamplesAreValid checks the examples of requests and of responses.
func TestExamplesAreValid(t *testing.T) {
	d := newDocument(t)
	examples := 0
	for _, o := range d.operations {
		request := func(body []byte) *http.Request {
			r := httptest.NewRequest(o.method, strings.Replace(o.path, "{id}", "x", 1), bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer x")
			return r
		}
		for name, example := range o.RequestBody.Content["application/json"].Examples {
			examples++
			if valid, faults := d.validator.ValidateHttpRequestSync(request(example.Value)); !valid {
				t.Errorf("%s %s: %s", o.ID, name, reasons(faults))
			}
		}
		for status, described := range o.Responses {
			for name, example := range described.Content["application/json"].Examples {
				examples++
				w := httptest.NewRecorder()
				for header, value := range map[string]string{
					"Content-Type": "application/json", "Cache-Control": "no-store", "Allow": "POST", "Retry-After": "30", "WWW-Authenticate": "Bearer",
				} {
					w.Header().Set(header, value)
				}
				w.WriteHeader(number(t, status))
				w.Write(example.Value)
				if valid, faults := d.validator.ValidateHttpResponse(request(nil), w.Result()); !valid {
					t.Errorf("%s %s %s: %s", o.ID, status, name, reasons(faults))
				}
			}
		}
	}
	if examples < 100 {
		t.Errorf("found only %d examples", examples)
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
