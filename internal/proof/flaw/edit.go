package flaw

import (
	"bytes"
	"cmp"
	"slices"
)

// An edit replaces a range of bytes.
type edit struct {
	start, end int
	text       string
}

type edits []edit

// apply returns text with all edits made, which do not overlap.
func (list edits) apply(text []byte) []byte {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	var b bytes.Buffer
	done := 0
	for _, e := range sorted {
		b.Write(text[done:e.start])
		b.WriteString(e.text)
		done = e.end
	}
	b.Write(text[done:])
	return b.Bytes()
}
