// Package process finds processes again and waits for their end, whether or
// not they are children of the caller.
//
// A process ID alone is a number that the kernel gives to somebody else one
// day. An [Identity] adds the start time, which together name a process until
// the machine restarts. The containerizer, its runtimes and the command
// executor use this package; it owns nothing.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrGone is wrapped by errors about a process that no longer exists.
var ErrGone = errors.New("no such process")

// Identity names one process until the next boot of the machine.
type Identity struct {
	// PID is the process ID in the caller's PID namespace.
	PID int `json:"pid"`
	// Start is the start time in clock ticks since boot, field 22 of
	// /proc/<pid>/stat.
	Start uint64 `json:"start"`
}

// Identify returns the identity of a process that exists now, be it a zombie.
func Identify(pid int) (Identity, error) {
	s, err := ReadStat(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: s.Start}, nil
}

// Alive says whether that very process exists and has not ended.
func (id Identity) Alive() bool {
	s, err := ReadStat(id.PID)
	return err == nil && s.Start == id.Start && !s.Ended()
}

// Stat is what this package's callers need of /proc/<pid>/stat.
type Stat struct {
	PID, Parent, Group, Session int
	State                       byte
	// User and System are the CPU time spent, in clock ticks.
	User, System uint64
	Start        uint64
	// ResidentPages is the memory in use, in pages.
	ResidentPages int64
}

// Ended says that the process has ended and was perhaps not waited for.
func (s Stat) Ended() bool { return s.State == 'Z' || s.State == 'X' }

// ReadStat reads /proc/<pid>/stat. The error wraps ErrGone if the process is gone.
func ReadStat(pid int) (Stat, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, fmt.Errorf("%w: %d: %w", ErrGone, pid, err)
	}
	s, err := parseStat(data)
	if err != nil {
		return Stat{}, fmt.Errorf("reading the state of process %d: %w", pid, err)
	}
	return s, nil
}

// Indices of the fields after the command's name, which may contain anything
// but is the last to be closed by a parenthesis. See proc_pid_stat(5): field 3
// is the first here.
const (
	fieldState    = 0
	fieldParent   = 1
	fieldGroup    = 2
	fieldSession  = 3
	fieldUser     = 11
	fieldSystem   = 12
	fieldStart    = 19
	fieldResident = 21
)

func parseStat(data []byte) (Stat, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return Stat{}, errors.New("malformed stat")
	}
	f := strings.Fields(string(data[end+1:]))
	if len(f) <= fieldResident || len(f[fieldState]) != 1 {
		return Stat{}, errors.New("malformed stat: too few fields")
	}
	var bad error
	number := func(s string) int64 {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil && bad == nil {
			bad = fmt.Errorf("malformed stat: %w", err)
		}
		return v
	}
	s := Stat{
		PID:           int(number(strings.TrimSpace(string(data[:open])))),
		State:         f[fieldState][0],
		Parent:        int(number(f[fieldParent])),
		Group:         int(number(f[fieldGroup])),
		Session:       int(number(f[fieldSession])),
		User:          uint64(number(f[fieldUser])),
		System:        uint64(number(f[fieldSystem])),
		Start:         uint64(number(f[fieldStart])),
		ResidentPages: number(f[fieldResident]),
	}
	return s, bad
}
