package cgroups

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// File is the path of a file of one controller.
func (g *Group) File(controller, name string) (string, error) {
	h, err := g.tree.hierarchy(controller)
	if err != nil {
		return "", err
	}
	return filepath.Join(g.dir(h), name), nil
}

// Read returns a controller's file without the space around it.
func (g *Group) Read(controller, name string) (string, error) {
	file, err := g.File(controller, name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading cgroup %s: %w", g.path, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// Write sets a controller's file.
func (g *Group) Write(controller, name, value string) error {
	file, err := g.File(controller, name)
	if err != nil {
		return err
	}
	if err := writeFile(file, value); err != nil {
		return fmt.Errorf("setting %s of cgroup %s to %s: %w", name, g.path, value, err)
	}
	return nil
}

// ReadUint returns a controller's file that holds one number. "max" and numbers
// over 64 bits are the largest number.
func (g *Group) ReadUint(controller, name string) (uint64, error) {
	text, err := g.Read(controller, name)
	if err != nil {
		return 0, err
	}
	v, err := parseUint(text)
	if err != nil {
		return 0, fmt.Errorf("reading %s of cgroup %s: %w", name, g.path, err)
	}
	return v, nil
}

// ReadStat returns a controller's file of lines with a key and a number.
func (g *Group) ReadStat(controller, name string) (Stat, error) {
	file, err := g.File(controller, name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading cgroup %s: %w", g.path, err)
	}
	return ParseStat(data), nil
}

// Stat is the contents of a file such as memory.stat.
type Stat map[string]uint64

// ParseStat reads lines with a key and a number; others are passed by, since
// kernels add lines of other forms.
func ParseStat(data []byte) Stat {
	s := Stat{}
	for line := range bytes.Lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		if !ok {
			continue
		}
		if v, err := parseUint(value); err == nil {
			s[key] = v
		}
	}
	return s
}

// Get returns a pointer to a value, nil if the kernel didn't tell it: the form
// of an optional field.
func (s Stat) Get(key string) *uint64 {
	if v, ok := s[key]; ok {
		return &v
	}
	return nil
}

func parseUint(text string) (uint64, error) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return 1<<64 - 1, nil
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 1<<64 - 1, nil
	}
	return v, err
}

// writeFile writes in one call, as the kernel wants, and creates nothing.
func writeFile(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// ignoreGone forgets that a group was removed: ENODEV is what files of a
// removed group that are still open say.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
