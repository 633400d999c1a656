package raft

import (
	"io"
	"log"

	"github.com/go-logr/logr"
	"github.com/hashicorp/go-hclog"
)

// logger passes the log of hashicorp/raft on to a logr.Logger. Its warnings
// keep their meaning in a key, because logr has no such level.
type logger struct {
	log     logr.Logger
	name    string
	implied []any
}

var _ hclog.Logger = logger{}

func newLogger(log logr.Logger) hclog.Logger { return logger{log: log.WithName("raft")} }

// Log implements hclog.Logger.
func (l logger) Log(level hclog.Level, msg string, args ...any) {
	switch level {
	case hclog.Error:
		l.Error(msg, args...)
	case hclog.Warn:
		l.Warn(msg, args...)
	case hclog.Info:
		l.Info(msg, args...)
	default:
		l.Debug(msg, args...)
	}
}

func (l logger) Trace(msg string, args ...any) { l.log.V(2).Info(msg, args...) }
func (l logger) Debug(msg string, args ...any) { l.log.V(1).Info(msg, args...) }

// Info goes to V(1): raft's notices are its own, masterd says what matters.
func (l logger) Info(msg string, args ...any) { l.log.V(1).Info(msg, args...) }
func (l logger) Warn(msg string, args ...any) {
	l.log.Info(msg, append([]any{"severity", "warning"}, args...)...)
}

// Error implements hclog.Logger.
func (l logger) Error(msg string, args ...any) {
	for i := 0; i+1 < len(args); i += 2 {
		if err, ok := args[i+1].(error); ok && args[i] == "error" {
			l.log.Error(err, msg, append(append([]any{}, args[:i]...), args[i+2:]...)...)
			return
		}
	}
	l.log.Error(nil, msg, args...)
}

func (l logger) IsTrace() bool { return l.log.V(2).Enabled() }
func (l logger) IsDebug() bool { return l.log.V(1).Enabled() }
func (l logger) IsInfo() bool  { return l.log.V(1).Enabled() }
func (l logger) IsWarn() bool  { return true }
func (l logger) IsError() bool { return true }

func (l logger) ImpliedArgs() []any { return l.implied }
func (l logger) Name() string       { return l.name }

// With implements hclog.Logger.
func (l logger) With(args ...any) hclog.Logger {
	return logger{
		log:     l.log.WithValues(args...),
		name:    l.name,
		implied: append(append([]any{}, l.implied...), args...),
	}
}

func (l logger) Named(name string) hclog.Logger {
	return logger{log: l.log.WithName(name), name: name, implied: l.implied}
}
func (l logger) ResetNamed(name string) hclog.Logger { return l.Named(name) }

// SetLevel does nothing: the level is that of the logr.Logger.
func (l logger) SetLevel(hclog.Level) {}

func (l logger) GetLevel() hclog.Level {
	if l.IsDebug() {
		return hclog.Debug
	}
	return hclog.Warn
}

func (l logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

func (l logger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lines{l.log} }

// lines logs what is written, one line per call as the standard logger does.
type lines struct{ log logr.Logger }

func (w lines) Write(p []byte) (int, error) {
	w.log.V(1).Info(string(p))
	return len(p), nil
}
