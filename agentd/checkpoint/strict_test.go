package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStrict: what a crash leaves is skipped in any case; of damage, strict
// recovery says where it is and changes nothing.
func TestStrict(t *testing.T) {
	flip := func(b []byte) []byte { b[len(header)+frameHead+2] ^= 1; return b }
	half := func(b []byte) []byte { return b[:len(b)-3] }
	with := func(more ...byte) func([]byte) []byte { return func(b []byte) []byte { return append(b, more...) } }
	empty := func([]byte) []byte { return nil }
	gone := func([]byte) []byte { return []byte("remove me") }
	tests := map[string]struct {
		file    string
		change  func([]byte) []byte
		harmful bool
	}{
		"nothing":                     {"task.info", func(b []byte) []byte { return b }, false},
		"stream ends in a record":     {"task.updates", half, false},
		"stream ends in a head":       {"task.updates", with(9, 0), false},
		"space that was never filled": {"task.updates", with(make([]byte, 512)...), false},
		"stream was only begun":       {"task.updates", func(b []byte) []byte { return b[:2] }, false},
		"stream is empty":             {"task.updates", empty, false},
		"record amid a stream":        {"task.updates", flip, true},
		"stream of something else":    {"task.updates", func([]byte) []byte { return []byte("hello world") }, true},
		"task":                        {"task.info", flip, true},
		"half a task":                 {"task.info", half, true},
		"empty task":                  {"task.info", empty, false},
		"no task":                     {"task.info", gone, false},
		"executor":                    {"executor.info", flip, true},
		"no executor":                 {"executor.info", gone, false},
		"framework":                   {"framework.info", flip, true},
		"a later version":             {"framework.info", func(b []byte) []byte { b[3]++; return b }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			records, _ := life()
			base := t.TempDir()
			s := open(t, base)
			if err := s.Apply(records); err != nil {
				t.Fatal(err)
			}
			file := ""
			for _, f := range regularFiles(t, base) {
				if filepath.Base(f) == tt.file {
					file = filepath.Join(base, f)
				}
			}
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := tt.change(bytes.Clone(before))
			if string(changed) == "remove me" {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, changed, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, problems, err := s.Recover("", true)
			if (err != nil) != tt.harmful {
				t.Fatalf("strict: %v, %v", problems, err)
			}
			if tt.harmful {
				if text := err.Error(); !strings.Contains(text, filepath.Dir(file)) || !strings.Contains(text, "--no-strict") {
					t.Errorf("the error helps nobody: %s", text)
				}
				if after, err := os.ReadFile(file); err != nil || !cmp.Equal(changed, after) {
					t.Errorf("strict recovery changed the file: %v", err)
				}
			}
			_, problems, err = s.Recover("", false)
			if err != nil {
				t.Fatalf("not strict: %v", err)
			}
			harmful := false
			for _, p := range problems {
				harmful = harmful || !p.Harmless()
			}
			if harmful != tt.harmful {
				t.Errorf("problems %v", problems)
			}
		})
	}
}
