package election

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ensemble is a consensus group whose word is what a test sends.
type ensemble struct {
	words    chan bool
	resigned int
}

func (e *ensemble) Leadership() <-chan bool   { return e.words }
func (e *ensemble) Leader() *mesos.MasterInfo { return nil }
func (e *ensemble) Resign() error             { e.resigned++; return nil }

func nobody() *mesos.MasterInfo { return nil }

func TestConsensusRunsATermPerElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ensemble{words: make(chan bool)}
		var got []string
		lead := func(ctx context.Context, _ *mesos.MasterInfo) error {
			got = append(got, "begin")
			<-ctx.Done()
			got = append(got, "end")
			return errors.New("the store refused: deposed")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- NewConsensus(e, nobody, testr.New(t)).Run(ctx, lead) }()
		for _, word := range []bool{false, true, false, true, true} {
			e.words <- word
			synctest.Wait()
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("error %v of a run that was ended", err)
		}
		if diff := cmp.Diff([]string{"begin", "end", "begin", "end", "begin", "end"}, got); diff != "" {
			t.Error(diff)
		}
		if e.resigned != 1 {
			t.Errorf("resigned %d times, want once, at the end", e.resigned)
		}
	})
}

func TestATermThatFailsResigns(t *testing.T) {
	e := &ensemble{words: make(chan bool, 1)}
	e.words <- true
	failure := errors.New("no registry")
	err := NewConsensus(e, nobody, testr.New(t)).Run(t.Context(), func(context.Context, *mesos.MasterInfo) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	if e.resigned != 1 {
		t.Errorf("resigned %d times, want once", e.resigned)
	}
}

func TestADeposedTermIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ensemble{words: make(chan bool, 1)}
		e.words <- true
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- NewConsensus(e, nobody, testr.New(t)).Run(ctx, func(context.Context, *mesos.MasterInfo) error { return ErrDeposed })
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("run ended: %v", err)
		default:
		}
		cancel()
		<-done
		if e.resigned != 0 {
			t.Error("resigned what it had lost")
		}
	})
}

func TestStandaloneLeadsUntilTheEnd(t *testing.T) {
	self := &mesos.MasterInfo{Id: new("a")}
	s := NewStandalone(self)
	if s.Leader() != self {
		t.Error("is not its own leader")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Run(ctx, func(ctx context.Context, _ *mesos.MasterInfo) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		t.Errorf("error %v of a run that was ended", err)
	}
	failure := errors.New("no registry")
	if err := s.Run(t.Context(), func(context.Context, *mesos.MasterInfo) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
}
