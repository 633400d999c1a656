package provisioner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Collection says when images are pruned without being asked (--image_gc_config).
type Collection struct {
	// Dir is on the disk that is looked at: that of the docker store.
	Dir string
	// Headroom is the part of the disk to keep free, from 0 to 1.
	Headroom float64
	// Interval is how often to look.
	Interval time.Duration
	// Exclude are images to keep.
	Exclude []*mesos.Image
}

// Validate tells what is wrong with a configuration.
func (c Collection) Validate() error {
	var errs []error
	if c.Headroom < 0 || c.Headroom > 1 {
		errs = append(errs, fmt.Errorf("image_disk_headroom %v: want a number between 0 and 1", c.Headroom))
	}
	if c.Interval <= 0 {
		errs = append(errs, fmt.Errorf("image_disk_watch_interval %v: want more than zero", c.Interval))
	}
	return errors.Join(errs...)
}

// Run has images pruned whenever the disk is too full, until ctx ends.
func (c Collection) Run(ctx context.Context, log logr.Logger, prune func(context.Context, []*mesos.Image) error) {
	ticker := time.NewTicker(c.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		used, err := usage(c.Dir)
		if err != nil {
			log.Error(err, "Looking at the disk of images")
			continue
		}
		if used+c.Headroom <= 1 {
			continue
		}
		log.Info("The disk of images is too full: those not in use are pruned", "used", used, "headroom", c.Headroom)
		if err := prune(ctx, c.Exclude); err != nil && ctx.Err() == nil {
			log.Error(err, "Pruning images")
		}
	}
}

// usage is the part of a disk that is taken.
func usage(dir string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("measuring %s: %w", dir, err)
	}
	if s.Blocks == 0 {
		return 0, nil
	}
	return float64(s.Blocks-s.Bfree) / float64(s.Blocks), nil
}
