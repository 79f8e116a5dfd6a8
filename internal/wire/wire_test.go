package wire

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"
)

func TestTimesComeBack(t *testing.T) {
	times := []time.Time{
		{},
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Unix(1, 1),
		time.Date(2030, 1, 1, 12, 0, 0, 123_456_789, time.UTC),
		time.Date(2603, 10, 11, 11, 33, 20, 0, time.UTC), // the last of RFC 6238's vectors
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(-1000, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, want := range times {
		r := NewReader(AppendTime(nil, want))
		if got := r.Time(); !got.Equal(want) || r.Close() != nil {
			t.Errorf("%v came back as %v", want, got)
		}
		r = NewReader(AppendOptionalTime(nil, want))
		if got := r.OptionalTime(); !got.Equal(want) || r.Close() != nil {
			t.Errorf("optional %v came back as %v", want, got)
		}
		for _, base := range times {
			r := NewReader(AppendTimeAfter(nil, base, want))
			if got := r.TimeAfter(base); !got.Equal(want) || r.Close() != nil {
				t.Errorf("%v after %v came back as %v", want, base, got)
			}
		}
	}
}

func TestHoldsWhatComesBack(t *testing.T) {
	for _, test := range []struct {
		time  time.Time
		holds bool
	}{
		{time.Time{}, true},
		{time.Unix(257698037790, 0), true}, // beyond a 32-bit time step
		{time.Unix(1<<38, 0), false},
		{time.Unix(-1<<38, 0), false},
		{time.Unix(math.MaxInt64, 0), false},
		{time.Unix(math.MinInt64, 0), false},
	} {
		if Holds(test.time) != test.holds {
			t.Errorf("Holds(%d) is %v", test.time.Unix(), !test.holds)
		}
	}
	for _, edge := range []int64{1<<38 - 1<<28 - 1, -1<<38 + 1<<28 + 1} {
		at := time.Unix(edge, 0)
		if !Holds(at) {
			t.Errorf("does not hold %d", edge)
		}
		for _, far := range []time.Duration{0, 400 * 24 * time.Hour, -400 * 24 * time.Hour} {
			r := NewReader(AppendTime(nil, at.Add(far)))
			if got := r.Time(); !got.Equal(at.Add(far)) || r.Close() != nil {
				t.Errorf("%d%+v came back as %v", edge, far, got)
			}
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		read func(*Reader)
	}{
		"nothing to read":       {nil, func(r *Reader) { r.Byte() }},
		"bytes that are left":   {[]byte{1, 2}, func(r *Reader) { r.Byte() }},
		"too few bytes":         {[]byte{1}, func(r *Reader) { r.Bytes(2) }},
		"a number over its cap": {[]byte{11}, func(r *Reader) { r.Uvarint(10) }},
		"a longer 0":            {[]byte{0x80, 0}, func(r *Reader) { r.Uvarint(10) }},
		"a longer 1, signed":    {[]byte{0x82, 0}, func(r *Reader) { r.Varint() }},
		"an endless number":     {bytes.Repeat([]byte{0xff}, 20), func(r *Reader) { r.Uvarint(math.MaxUint64) }},
		"a cut number":          {[]byte{0x80}, func(r *Reader) { r.Varint() }},
		"a third truth":         {[]byte{2}, func(r *Reader) { r.Bool() }},
		"a cut string":          {[]byte{3, 'a', 'b'}, func(r *Reader) { r.String(10) }},
		"a string over its cap": {[]byte{3, 'a', 'b', 'c'}, func(r *Reader) { r.String(2) }},
		"a second too long":     {AppendTime(nil, time.Unix(0, 0))[:1], func(r *Reader) { r.Time() }},
		"a whole second of ns":  {append([]byte{0}, 0x80, 0x94, 0xeb, 0xdc, 0x03), func(r *Reader) { r.Time() }},
		"a time too far":        {AppendTime(nil, time.Unix(1<<40, 0)), func(r *Reader) { r.Time() }},
		"a zero time, given":    {AppendTime([]byte{1}, time.Time{}), func(r *Reader) { r.OptionalTime() }},
	} {
		r := NewReader(test.data)
		test.read(r)
		if !errors.Is(r.Close(), ErrFormat) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReadsAfterAMistakeAreZero(t *testing.T) {
	r := NewReader([]byte{9, 1, 2, 3})
	r.Bool()
	if r.Byte() != 0 || r.Uvarint(10) != 0 || r.Varint() != 0 || r.String(10) != nil || r.Bytes(1) != nil {
		t.Error("something was read after a mistake")
	}
	if !errors.Is(r.Close(), ErrFormat) {
		t.Error("the mistake was forgotten")
	}
}
