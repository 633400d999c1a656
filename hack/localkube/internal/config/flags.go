package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
)

// Flags adds the flags of every command to f. The returned function gives what they
// said once f has parsed.
func Flags(f *flag.FlagSet) func() (Config, error) {
	c := Default()
	f.StringVar(&c.RunDir, "run", c.RunDir, "`folder` of the cluster's state")
	f.StringVar(&c.RepoDir, "repo", "", "root of the project's work `tree` (default: found from the working folder)")
	f.StringVar(&c.CacheDir, "cache", "", "`folder` of built binaries (default: bin/localkube in the work tree)")
	f.IntVar(&c.Nodes, "nodes", c.Nodes, "number of nodes")
	return func() (Config, error) {
		if c.RepoDir == "" {
			var err error
			if c.RepoDir, err = findRepo(); err != nil {
				return c, err
			}
		}
		if c.CacheDir == "" {
			c.CacheDir = filepath.Join(c.RepoDir, "bin/localkube")
		}
		return c, c.Validate()
	}
}

// findRepo looks for the folder that holds hack/localkube, from the working folder up.
func findRepo() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack/localkube/go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", errors.New("not inside of the project's work tree; use --repo")
		}
	}
}
