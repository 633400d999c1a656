package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func program(t *testing.T, dir, contents string) string {
	t.Helper()
	path := filepath.Join(dir, executord)
	if err := os.WriteFile(path, []byte(contents), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Mesos's command lines name the directory of Mesos's programs.
func TestExecutordIsFound(t *testing.T) {
	named, beside := t.TempDir(), t.TempDir()
	f := &Flags{LauncherDir: named}
	if _, err := f.findExecutord(beside); err == nil || !strings.Contains(err.Error(), named+" or "+beside) {
		t.Errorf("nowhere: error %v", err)
	}
	if err := os.Mkdir(filepath.Join(named, executord), 0o755); err != nil {
		t.Fatal(err)
	}
	want := program(t, beside, "")
	if got, err := f.findExecutord(beside); err != nil || got != want {
		t.Errorf("beside: %q, error %v", got, err)
	}
	if err := os.Remove(filepath.Join(named, executord)); err != nil {
		t.Fatal(err)
	}
	want = program(t, named, "")
	if got, err := f.findExecutord(beside); err != nil || got != want {
		t.Errorf("named: %q, error %v", got, err)
	}
}

func TestExecutordOfAnotherBuild(t *testing.T) {
	for script, want := range map[string]string{
		"#!/bin/sh\necho v0.0.0": "it is of build v0.0.0, and this agent of",
		"#!/bin/sh\nexit 3":      "exit status 3",
		"":                       "asking for its version",
	} {
		f := &Flags{LauncherDir: t.TempDir(), WorkDir: t.TempDir()}
		program(t, f.LauncherDir, script)
		if _, err := f.install(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", script, err)
		}
	}
}
