package logging

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ErrVerbosity is returned by Set for a level that can't be set.
var ErrVerbosity = errors.New("invalid verbosity")

// Verbosity is which V-levels are logged: GLOG_v to Mesos, and what
// SET_LOGGING_LEVEL and /logging/toggle change for a time.
type Verbosity struct {
	level    zap.AtomicLevel
	original zapcore.Level

	mu     sync.Mutex
	revert *time.Timer
	change int // counts Sets, so that a timer that is late does nothing
}

func newVerbosity(level zap.AtomicLevel) *Verbosity {
	return &Verbosity{level: level, original: level.Level()}
}

// Get returns the highest V-level that is logged.
func (v *Verbosity) Get() uint32 { return uint32(max(0, -int(v.level.Level()))) }

// Set makes V-levels up to level visible for a duration. Level 0 brings back
// what the program started with, at once. A later Set replaces an earlier one.
func (v *Verbosity) Set(level uint32, d time.Duration) error {
	if level > math.MaxInt8 || d < 0 {
		return fmt.Errorf("%w: level %d for %v", ErrVerbosity, level, d)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.revert != nil {
		v.revert.Stop()
	}
	v.change++
	if level == 0 {
		v.level.SetLevel(v.original)
		return nil
	}
	v.level.SetLevel(zapcore.Level(-int(level)))
	change := v.change
	v.revert = time.AfterFunc(d, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.change == change {
			v.level.SetLevel(v.original)
		}
	})
	return nil
}
