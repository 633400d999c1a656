// Package progress tells a person what a long command is doing: one line when a
// step ends, and one every few seconds while it lasts. It owns the form of those
// lines; every command of the module prints through it.
package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Every is the time between two lines of a step that lasts.
const Every = 5 * time.Second

// Log prints lines stamped with the time since it was made.
type Log struct {
	w     io.Writer
	start time.Time
	mu    sync.Mutex
}

// New returns a Log that writes to w and counts from now.
func New(w io.Writer) *Log { return &Log{w: w, start: time.Now()} }

// Elapsed is the time since the log was made.
func (l *Log) Elapsed() time.Duration { return time.Since(l.start) }

// Printf prints one line.
func (l *Log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "[%7.1fs] %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// Step runs f and prints what it is called while it lasts and when it is done.
// f may call say to add a detail ("812 packages") to the lines that follow.
func (l *Log) Step(ctx context.Context, what string, f func(ctx context.Context, say func(string)) error) error {
	var mu sync.Mutex
	detail := ""
	say := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		detail = s
	}
	begun, stop := time.Now(), make(chan struct{})
	var printer sync.WaitGroup
	printer.Go(func() {
		tick := time.NewTicker(Every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				mu.Lock()
				d := detail
				mu.Unlock()
				l.Printf("  %s: %s (%s)", what, orRunning(d), time.Since(begun).Round(time.Second))
			}
		}
	})
	err := f(ctx, say)
	close(stop)
	printer.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	l.Printf("%s: done in %.1fs", what, time.Since(begun).Seconds())
	return nil
}

func orRunning(detail string) string {
	if detail == "" {
		return "running"
	}
	return detail
}
