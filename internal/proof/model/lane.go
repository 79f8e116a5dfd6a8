package model

import (
	"slices"
	"time"
)

// A lane counts the wrong codes of one method.
type lane struct {
	row      int // wrong codes since the last right one
	last     time.Time
	recent   []time.Time
	disabled bool
}

const (
	limit  = 100
	window = 30 * 24 * time.Hour
	// grace is the time beyond the window during which a failure may still count.
	grace = 15 * time.Minute
)

// retryAt returns the time before which no code is evaluated.
func (l lane) retryAt(method string) time.Time {
	free, delay := 5, time.Second
	if method == backup {
		free, delay = 10, 30*time.Second
	}
	if l.row < free {
		return time.Time{}
	}
	for k := free; k < l.row && delay < 15*time.Minute; k++ {
		delay *= 2
	}
	return l.last.Add(min(delay, 15*time.Minute))
}

// fail counts a wrong code. It returns two lanes if the result depends on failures
// that are about as old as the window.
func (l lane) fail(now time.Time) []lane {
	l.row++
	l.last = now
	l.recent = append(slices.Clip(l.recent), now)
	for len(l.recent) > 0 && !l.recent[0].After(now.Add(-window-grace)) {
		l.recent = l.recent[1:]
	}
	surely := 0
	for _, at := range l.recent {
		if at.After(now.Add(-window)) {
			surely++
		}
	}
	disabled := l
	disabled.disabled = true
	switch {
	case l.disabled || l.row >= limit || surely >= limit:
		return []lane{disabled}
	case len(l.recent) >= limit:
		return []lane{disabled, l}
	}
	return []lane{l}
}

// succeed resets the failures in a row, but not those in the window.
func (l *lane) succeed() { l.row, l.last = 0, time.Time{} }

func (u *User) lane(method string) *lane { return &u.lanes[slices.Index(methods, method)] }
