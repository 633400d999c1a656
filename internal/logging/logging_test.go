package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// lines returns the messages of a log with their levels.
func lines(t *testing.T, log string) string {
	t.Helper()
	var all []string
	for line := range strings.Lines(log) {
		var entry struct{ Level, Msg, Caller, Ts string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, entry.Ts); err != nil || !strings.HasPrefix(entry.Caller, "logging/logging_test.go:") {
			t.Errorf("bad entry %s", line)
		}
		all = append(all, entry.Level+" "+entry.Msg)
	}
	return strings.Join(all, ", ")
}

func logSome(l *Logs) {
	l.Logger.V(2).Info("two")
	l.Logger.V(1).Info("one")
	l.Logger.Info("zero", "key", "value")
	l.Logger.Error(errors.New("cause"), "failed")
}

func TestSeverity(t *testing.T) {
	for severity, want := range map[string]string{
		"": "info zero, error failed", Info: "info zero, error failed", Warning: "error failed", Error: "error failed",
	} {
		var out bytes.Buffer
		l, err := New(Config{Severity: severity, Output: &out})
		if err != nil {
			t.Fatal(err)
		}
		logSome(l)
		if got := lines(t, out.String()); got != want {
			t.Errorf("%s: got %s", severity, got)
		}
	}
	if _, err := New(Config{Severity: "DEBUG"}); err == nil || !strings.Contains(err.Error(), "DEBUG") {
		t.Errorf("got %v", err)
	}
}

func TestDirectory(t *testing.T) {
	var out bytes.Buffer
	dir := filepath.Join(t.TempDir(), "a/b")
	l, err := New(Config{Program: "masterd", Dir: dir, Quiet: true, Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	logSome(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Path() != filepath.Join(dir, "masterd.INFO") || out.Len() != 0 {
		t.Errorf("path %s, output %s", l.Path(), out.String())
	}
	text, err := os.ReadFile(l.Path())
	if err != nil || lines(t, string(text)) != "info zero, error failed" {
		t.Errorf("got %s, %v", text, err)
	}
	if _, err := New(Config{Program: "masterd", Dir: filepath.Join(l.Path(), "x")}); err == nil {
		t.Error("a file passed for a directory")
	}
	if _, err := New(Config{Dir: dir}); err == nil {
		t.Error("a log file without a name")
	}
}

func TestVerbosity(t *testing.T) {
	for _, severity := range []string{Info, Error} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			l, err := New(Config{Severity: severity, Output: &out})
			if err != nil {
				t.Fatal(err)
			}
			v := l.Verbosity
			expect := func(level uint32, want string) {
				t.Helper()
				synctest.Wait()
				out.Reset()
				logSome(l)
				if got := lines(t, out.String()); got != want || v.Get() != level {
					t.Errorf("verbosity %d: %s", v.Get(), got)
				}
			}
			quiet := map[string]string{Info: "info zero, error failed", Error: "error failed"}[severity]
			set := func(level uint32, d time.Duration) {
				t.Helper()
				if err := v.Set(level, d); err != nil {
					t.Fatal(err)
				}
			}
			expect(0, quiet)
			set(1, time.Minute)
			expect(1, "v1 one, info zero, error failed")
			time.Sleep(30 * time.Second)
			set(2, time.Minute)
			time.Sleep(59 * time.Second) // the first would have ended
			expect(2, "v2 two, v1 one, info zero, error failed")
			time.Sleep(2 * time.Second)
			expect(0, quiet)
			set(2, time.Minute)
			set(0, time.Minute)
			expect(0, quiet)
			time.Sleep(2 * time.Minute)
			expect(0, quiet)
			if err := v.Set(1000, time.Second); !errors.Is(err, ErrVerbosity) {
				t.Errorf("got %v", err)
			}
			if err := v.Set(1, -1); !errors.Is(err, ErrVerbosity) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestToggleEndpoint(t *testing.T) {
	l, err := New(Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		query  string
		status int
		body   string
	}{
		{"", 200, "0\n"},
		{"level=2&duration=1hrs", 200, ""},
		{"", 200, "2\n"},
		{"level=2", 400, "invalid verbosity: duration: \"\" is not a duration: expected a number with a unit, for example \"15secs\"\n"},
		{"duration=1hrs", 400, "invalid verbosity: level=\"\" is not a number\n"},
		{"level=-1&duration=1hrs", 400, "invalid verbosity: level=\"-1\" is not a number\n"},
		{"level=1000&duration=1hrs", 400, "invalid verbosity: level 1000 for 1h0m0s\n"},
		{"", 200, "2\n"},
		{"level=0&duration=1hrs", 200, ""},
		{"", 200, "0\n"},
	} {
		w := httptest.NewRecorder()
		l.Verbosity.ServeHTTP(w, httptest.NewRequest("POST", "/logging/toggle?"+step.query, nil))
		if w.Code != step.status || w.Body.String() != step.body {
			t.Errorf("%s: got %d %s", step.query, w.Code, w.Body)
		}
	}
}
