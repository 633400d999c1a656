package mesos

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
)

// BenchmarkLaunchDestroy launches and destroys one container at a time.
func BenchmarkLaunchDestroy(b *testing.B) {
	for _, v := range variants {
		b.Run(v.name, func(b *testing.B) {
			cfg := config(b, v)
			m := agent(b, cfg)
			base := sh(b, cfg, "c", "exec sleep 600")
			i := 0
			for b.Loop() {
				i++
				c := numbered(base, i)
				launch(b, m, c)
				if err := m.Destroy(deadline(b), c.ID); err != nil {
					b.Fatal(err)
				}
				_ = m.Remove(context.Background(), c.ID)
			}
		})
	}
}

// BenchmarkCrowd launches containers four at a time until there are 200, and
// destroys them likewise.
func BenchmarkCrowd(b *testing.B) {
	const crowd, at = 200, 4
	for _, v := range variants {
		b.Run(v.name, func(b *testing.B) {
			cfg := config(b, v)
			m := agent(b, cfg)
			base := sh(b, cfg, "c", "exec sleep 600")
			var launching, destroying time.Duration
			rounds := 0
			for b.Loop() {
				launching += timed(crowd, at, func(i int) error {
					_, err := m.Launch(context.Background(), numbered(base, rounds*crowd+i))
					return err
				}, b)
				destroying += timed(crowd, at, func(i int) error {
					return m.Destroy(context.Background(), numbered(base, rounds*crowd+i).ID)
				}, b)
				rounds++
			}
			b.ReportMetric(float64(rounds*crowd)/launching.Seconds(), "launches/s")
			b.ReportMetric(float64(rounds*crowd)/destroying.Seconds(), "destroys/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func timed(n, at int, do func(int) error, b *testing.B) time.Duration {
	start := time.Now()
	limit := make(chan struct{}, at)
	var wg sync.WaitGroup
	for i := range n {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			if err := do(i); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

func numbered(base containerizer.Config, i int) containerizer.Config {
	c := base
	c.ID = containerizer.ID(fmt.Sprintf("c%d", i))
	c.CheckpointDir = filepath.Join(filepath.Dir(base.CheckpointDir), string(c.ID))
	return c
}
