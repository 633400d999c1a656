package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// rounds is how often a fault strikes: CHAOS_ROUNDS, or a few.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("CHAOS_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return few
}

// promised is how long it may take until a new leader serves, with raft and
// default timeouts.
const promised = 5 * time.Second

// client asks masters, each for itself and not for long. It keeps no
// connections: a master may be another process by the next time.
var client = &http.Client{
	Timeout:       2 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// cluster is some masters and who writes to them.
type cluster struct {
	t       *testing.T
	masters []*testbed.Master

	stop    context.CancelFunc
	writing sync.WaitGroup
	mu      sync.Mutex
	acked   []string // roles whose weights were acknowledged
}

// newCluster starts masters with a raft registry among them.
func newCluster(t *testing.T, n int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var peers []string
	for range n {
		m := testbed.NewMaster(t) // for its port only
		peers = append(peers, m.Address)
	}
	for i := range n {
		all := append([]string{"--raft_address=" + peers[i], "--raft_peers=" + strings.Join(peers, ",")}, flags...)
		c.masters = append(c.masters, testbed.NewMaster(t, all...))
	}
	for _, m := range c.masters {
		m.Process.Start()
	}
	c.awaitVoters(n)
	return c
}

// leads says whether a master serves as the leader.
func leads(m *testbed.Master) bool {
	response, err := client.Get(m.URL("/weights"))
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// leader waits for a leader other than the given ones.
func (c *cluster) leader(but ...*testbed.Master) *testbed.Master {
	c.t.Helper()
	for deadline := time.Now().Add(testbed.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		found := make(chan *testbed.Master, len(c.masters))
		var asked sync.WaitGroup
		for _, m := range c.masters {
			if !slices.Contains(but, m) {
				asked.Go(func() {
					if leads(m) {
						found <- m
					}
				})
			}
		}
		asked.Wait()
		select {
		case m := <-found:
			return m
		default:
		}
	}
	c.t.Fatal("nobody leads")
	return nil
}

// awaitVoters waits until the registry's group is complete.
func (c *cluster) awaitVoters(n int) {
	c.t.Helper()
	testbed.Eventually(c.t, fmt.Sprintf("the registry has %d members", n), func() error {
		got := c.leader().Get("/metrics/snapshot").At("registrar/log/ensemble_size").Number()
		if got != float64(n) {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

// write sets the weight of one more role after the other, and notes which
// writes were acknowledged.
func (c *cluster) write() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.writing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			role := fmt.Sprintf("role-%d", i)
			for _, m := range c.masters {
				if c.setWeight(ctx, m, role) {
					c.mu.Lock()
					c.acked = append(c.acked, role)
					c.mu.Unlock()
					break
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	c.t.Cleanup(c.rest)
}

// rest ends the writing.
func (c *cluster) rest() {
	c.stop()
	c.writing.Wait()
}

func (c *cluster) setWeight(ctx context.Context, m *testbed.Master, role string) bool {
	call := fmt.Sprintf(`{"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":%q,"weight":2}]}}`, role)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL("/api/v1"), strings.NewReader(call))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (c *cluster) written() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acked)
}

// goesOn waits until something more is acknowledged.
func (c *cluster) goesOn() {
	c.t.Helper()
	n := c.written()
	testbed.Eventually(c.t, "writes are acknowledged again", func() error {
		if c.written() < n+3 {
			return fmt.Errorf("%d writes, were %d", c.written(), n)
		}
		return nil
	})
}

// nothingLost compares what was acknowledged with what the leader knows.
func (c *cluster) nothingLost() {
	c.t.Helper()
	c.rest()
	leader := c.leader()
	response, err := client.Get(leader.URL("/weights"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var weights []struct{ Role string }
	if err := json.Unmarshal(body, &weights); err != nil {
		c.t.Fatalf("%v: %s", err, body)
	}
	known := map[string]bool{}
	for _, w := range weights {
		known[w.Role] = true
	}
	for _, role := range c.acked {
		if !known[role] {
			c.t.Errorf("the weight of %s was acknowledged and is lost", role)
		}
	}
	c.t.Logf("%d writes acknowledged, %d known", len(c.acked), len(known))
}

// figures are the times it took until somebody led again.
type figures []time.Duration

func (f figures) report(t *testing.T, what string, limit time.Duration) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(f))
	median, worst := sorted[len(sorted)/2], sorted[len(sorted)-1]
	t.Logf("%s: %d times; a new leader served after %v (median), %v (worst)", what, len(f), median.Round(time.Millisecond), worst.Round(time.Millisecond))
	if limit > 0 && median > limit {
		t.Errorf("%s: the median is over %v", what, limit)
	}
}

var errLeads = errors.New("somebody leads")
