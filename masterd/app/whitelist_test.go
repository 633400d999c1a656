package app

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
)

// TestWhitelist follows a file through its changes.
func TestWhitelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whitelist")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.example\n b.example \n\n")
	synctest.Test(t, func(t *testing.T) {
		w := newWhitelist(new("file://"+path), logr.Discard())
		if !w.hosts["a.example"] || !w.hosts["b.example"] || len(w.hosts) != 2 {
			t.Fatalf("hosts %v", w.hosts)
		}
		ctx, stop := context.WithCancel(t.Context())
		var told [][]string
		go w.watch(ctx, func(hosts map[string]bool) { told = append(told, slices.Sorted(maps.Keys(hosts))) })
		pass := func() {
			time.Sleep(whitelistInterval + time.Millisecond)
			synctest.Wait()
		}
		pass() // nothing changed
		write("c.example")
		pass()
		if err := os.Remove(path); err != nil { // it stays as it is
			t.Fatal(err)
		}
		pass()
		write("")
		pass()
		stop()
		synctest.Wait()
		if diff := cmp.Diff([][]string{{"c.example"}, nil}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestNoWhitelist(t *testing.T) {
	for _, flag := range []*string{nil, new("*"), new("/nowhere/at/all")} {
		if w := newWhitelist(flag, logr.Discard()); w.hosts != nil {
			t.Errorf("hosts %v", w.hosts)
		}
	}
}
