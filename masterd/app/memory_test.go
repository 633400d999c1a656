package app

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestComeback(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	before, limit := percent(), debug.SetMemoryLimit(-1)
	for name, c := range map[string]struct {
		agents, want int
		gogc         string
	}{
		"few agents":      {agents: comebackAgents - 1, want: before},
		"many":            {agents: comebackAgents, want: comebackPercent},
		"set by the user": {agents: comebackAgents, want: before, gogc: "100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", c.gogc)
			over := comeback(c.agents)
			if got := percent(); got != c.want {
				t.Errorf("GOGC is %d, want %d", got, c.want)
			}
			over()
			over()
			if got, now := percent(), debug.SetMemoryLimit(-1); got != before || now != limit {
				t.Errorf("afterwards GOGC is %d and the limit %d, want %d and %d", got, now, before, limit)
			}
		})
	}
}

func TestFirstNumber(t *testing.T) {
	for name, c := range map[string]struct {
		text, after string
		unit, want  uint64
	}{
		"alone":    {text: "1048576\n", unit: 1, want: 1 << 20},
		"no limit": {text: "max\n", unit: 1},
		"a line":   {text: "MemTotal:       24576 kB\nMemFree: 1 kB\n", after: "MemTotal:", unit: 1024, want: 24 << 20},
		"missing":  {text: "MemFree: 1 kB\n", after: "MemTotal:", unit: 1024},
		"empty":    {},
		"too much": {text: "18446744073709551615", unit: 1024},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := firstNumber(path, c.after, max(c.unit, 1)); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	if firstNumber(filepath.Join(t.TempDir(), "none"), "", 1) != 0 {
		t.Error("a number of no file")
	}
}
