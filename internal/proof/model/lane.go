package model

import (
	"slices"
	"time"
)

// A lane counts the wrong codes of one method.
type lane struct {
	row      int // since the last right one
	last     time.Time
	recent   []time.Time
	disabled bool
}

const (
	limit  = 100
	window = 30 * 24 * time.Hour
	// grace is by how much longer a failure may count.
	grace = 15 * time.Minute
)

// retryAt is until when no code is evaluated.
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

// fail counts a wrong code. There are two ways to count where failures are as
// old as the window.
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

// succeed ends the row; those of the window stay.
func (l *lane) succeed() { l.row, l.last = 0, time.Time{} }

func (u *User) lane(method string) *lane { return &u.lanes[slices.Index(methods, method)] }
