// Command operator runs Mesos clusters on Kubernetes: it reconciles MesosClusters.
package main

import (
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/mesos-operator/mesos-operator/internal/version"
)

func main() {
	config, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // The flag package has said why.
	}
	log, flush, err := newLogger(config.logLevel)
	if err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(2)
	}
	if err := run(config, log); err != nil {
		log.Error(err, "the operator ended")
		flush()
		os.Exit(1)
	}
	flush()
}

// run ends on SIGTERM and SIGINT.
func run(config config, log logr.Logger) error {
	mgr, err := newManager(config, log)
	if err != nil {
		return err
	}
	log.Info("starting", "build", version.Build(), "mesos", version.Mesos)
	if err := mgr.Start(ctrl.SetupSignalHandler()); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// newLogger makes the one logger of the process: JSON lines on standard error.
func newLogger(level string) (logr.Logger, func(), error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return logr.Logger{}, nil, fmt.Errorf("--log-level: write debug, info, warn or error: %w", err)
	}
	zc := zap.NewProductionConfig()
	zc.Level = zap.NewAtomicLevelAt(parsed)
	zc.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	zl, err := zc.Build()
	if err != nil {
		return logr.Logger{}, nil, fmt.Errorf("making the logger: %w", err)
	}
	log := zapr.NewLogger(zl)
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))
	return log, func() { _ = zl.Sync() }, nil // Standard error can't always be synced.
}
