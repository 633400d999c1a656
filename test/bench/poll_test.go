package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// pollVariable makes this program nothing but clients that poll the URL which is
// its value.
const pollVariable = "BENCH_POLL"

// pollClients is how many clients poll.
const pollClients = 20

// poll begins a process of clients that poll a URL; the returned function ends
// them and returns how many bytes they got. Those that yield give way to every
// other process.
func poll(b *testing.B, url string, yield bool) (stop func() int) {
	b.Helper()
	clients := startRole(b, pollVariable, url)
	if yield {
		clients.yield()
	}
	return func() int {
		b.Helper()
		n, err := strconv.Atoi(clients.end())
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
}

// pollForEver polls until standard input ends, says how many bytes it got, and
// ends the process.
func pollForEver(url string) {
	var got atomic.Int64
	for range pollClients {
		go func() {
			for {
				if err := readAll(url, &got); err != nil {
					fmt.Fprintln(os.Stderr, "polling:", err)
					os.Exit(1)
				}
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is waited for
	fmt.Println(got.Load())
	os.Exit(0)
}

// counted is a Reader that counts what is read.
type counted struct {
	io.Reader
	got *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.got.Add(int64(n))
	return n, err
}

// readAll reads an answer and counts its bytes.
func readAll(url string, got *atomic.Int64) error {
	response, err := uncompressed.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, counted{response.Body, got})
	return err
}
