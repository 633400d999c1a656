package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// whitelistInterval is the time between two looks at the file, as in Mesos.
const whitelistInterval = 5 * time.Second

// maxWhitelist bounds the file: a hundred thousand hosts have a tenth of it.
const maxWhitelist = 64 << 20

// whitelist is the file of --whitelist: the hosts whose agents may be offered,
// one a line. It is read again and again; what can't be read changes nothing.
type whitelist struct {
	path  string // "" for none
	hosts map[string]bool
	log   logr.Logger
}

// newWhitelist reads the file for the first time.
func newWhitelist(flag *string, log logr.Logger) *whitelist {
	w := &whitelist{path: flags.FilePath(value(flag)), log: log}
	if w.path == "*" { // what Mesos's default was called long ago
		w.path = ""
	}
	w.update()
	return w
}

// update reads the file and says whether it has changed.
func (w *whitelist) update() bool {
	if w.path == "" {
		return false
	}
	hosts, err := readWhitelist(w.path)
	if err != nil {
		w.log.Error(err, "the whitelist stays as it is", "path", w.path)
		return false
	}
	if w.hosts != nil && maps.Equal(w.hosts, hosts) {
		return false
	}
	w.log.Info("the whitelist changed", "path", w.path, "hosts", len(hosts))
	w.hosts = hosts
	return true
}

func readWhitelist(path string) (map[string]bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the whitelist: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxWhitelist))
	if err != nil {
		return nil, fmt.Errorf("reading the whitelist: %w", err)
	}
	hosts := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if host := strings.TrimSpace(line); host != "" {
			hosts[host] = true
		}
	}
	return hosts, nil
}

// watch tells of every change until ctx ends.
func (w *whitelist) watch(ctx context.Context, changed func(hosts map[string]bool)) {
	if w.path == "" {
		return
	}
	tick := time.NewTicker(whitelistInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.update() {
				changed(w.hosts)
			}
		}
	}
}
