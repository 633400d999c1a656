// Package deadline compares moments of which some may never come: executors keep
// those of kills, checks and farewells as times, and zero means never. Pure.
package deadline

import "time"

// Due says whether a moment has come.
func Due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// Earlier is the earlier of two moments; zero if neither ever comes.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
