// Package logging sets up the logs of the programs: zap's JSON behind logr,
// with the flags of Mesos (--logging_level, --log_dir, --quiet) and a verbosity
// that the operator API can raise for a while.
//
// Only mains call New; everybody else is passed a logr.Logger. Info is what an
// operator reads, V(1) what explains a single decision, V(2) each message.
package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// Names of the severities that Mesos has, for --logging_level. WARNING and
// ERROR are alike here: what is no error is logged as information.
const (
	Info    = "INFO"
	Warning = "WARNING"
	Error   = "ERROR"
)

const (
	// maxFile, in megabytes, and maxBackups bound what --log_dir takes: 1 GB.
	maxFile    = 100
	maxBackups = 9
)

// Config holds the settings.
type Config struct {
	// Program begins the name of the log file.
	Program string
	// Severity is Info, Warning or Error; default Info.
	Severity string
	// Dir is where a log file is written, besides the other output; "" for none.
	Dir string
	// Quiet keeps the log out of Output.
	Quiet bool
	// Output is where the log goes. Default: standard error.
	Output io.Writer
}

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	var errs []error
	switch c.Severity {
	case "", Info, Warning, Error:
	default:
		errs = append(errs, fmt.Errorf("logging level %q is none of %s, %s and %s", c.Severity, Info, Warning, Error))
	}
	if c.Dir != "" && c.Program == "" {
		errs = append(errs, errors.New("a log file needs the program's name"))
	}
	return errors.Join(errs...)
}

// Logs is the logging of a program.
type Logs struct {
	// Logger is the root: to be passed on, with names and values added.
	Logger logr.Logger
	// Verbosity is what V-levels are shown.
	Verbosity *Verbosity

	path string
	zap  *zap.Logger
	file io.Closer
}

// New starts logging.
func New(cfg Config) (*Logs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("logging: %w", err)
	}
	if cfg.Output == nil {
		cfg.Output = os.Stderr
	}
	level := zap.NewAtomicLevelAt(zapcore.InfoLevel)
	if cfg.Severity == Warning || cfg.Severity == Error {
		level.SetLevel(zapcore.ErrorLevel)
	}
	l := &Logs{Verbosity: newVerbosity(level)}
	var outputs []zapcore.WriteSyncer
	if !cfg.Quiet {
		outputs = append(outputs, zapcore.Lock(zapcore.AddSync(cfg.Output)))
	}
	if cfg.Dir != "" {
		file, err := l.open(cfg)
		if err != nil {
			return nil, fmt.Errorf("logging: %w", err)
		}
		outputs = append(outputs, file)
	}
	l.zap = zap.New(zapcore.NewCore(encoder(), zapcore.NewMultiWriteSyncer(outputs...), level), zap.AddCaller())
	l.Logger = zapr.NewLogger(l.zap)
	return l, nil
}

// Path is the log file's, "" without one. The daemons show it under /files.
func (l *Logs) Path() string { return l.path }

// Close writes what is buffered and closes the file.
func (l *Logs) Close() error {
	// Syncing a terminal or a pipe fails on some systems; nothing is lost by that.
	_ = l.zap.Sync()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// open opens the log file, which is named as Mesos's is, so that what collects
// those finds it. It is replaced when it is full.
func (l *Logs) open(cfg Config) (zapcore.WriteSyncer, error) {
	severity := cfg.Severity
	if severity == "" {
		severity = Info
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	l.path = filepath.Join(cfg.Dir, cfg.Program+"."+severity)
	// Now, so that a directory that can't be written is reported.
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	file := &lumberjack.Logger{Filename: l.path, MaxSize: maxFile, MaxBackups: maxBackups}
	l.file = file
	return zapcore.AddSync(file), nil
}

// encoder is zap's for production, with times that people can read and V-levels
// as numbers.
func encoder() zapcore.Encoder {
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	cfg.EncodeLevel = func(l zapcore.Level, enc zapcore.PrimitiveArrayEncoder) {
		if l < zapcore.InfoLevel {
			enc.AppendString(fmt.Sprintf("v%d", -int(l)))
			return
		}
		zapcore.LowercaseLevelEncoder(l, enc)
	}
	return zapcore.NewJSONEncoder(cfg)
}
