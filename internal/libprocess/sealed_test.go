package libprocess

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// sealedPair is a server's connection after the handshake, the one below it, and
// the client's.
func sealedPair(t *testing.T) (*Sealed, *tls.Conn) {
	t.Helper()
	certificate, pool := testCertificate(t)
	near, far := net.Pipe()
	server := serverSealed(near, &tls.Config{Certificates: []tls.Certificate{certificate}})
	client := tls.Client(far, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	t.Cleanup(func() { near.Close(); far.Close() })
	shaken := make(chan error)
	go func() { shaken <- client.Handshake() }()
	must(t, server.Handshake())
	must(t, <-shaken)
	return server, client
}

// deliver writes what is pending to the connection below, some bytes at a time.
func deliver(t *testing.T, s *Sealed) {
	t.Helper()
	for b := s.Pending(); len(b) > 0; b = s.Pending() {
		n, err := s.below.Conn.Write(b[:min(len(b), 1000)])
		must(t, err)
		s.Sent(n)
	}
}

func TestSealedArrivesInOrder(t *testing.T) {
	server, client := sealedPair(t)
	first, second, last := bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 70_000), []byte("c")
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(first)+len(second)+len(last))
		_, _ = io.ReadFull(client, b) // what is missing is seen
		got <- b
	}()
	for _, text := range [][]byte{first, second} {
		if ok, err := server.Seal(text); !ok || err != nil {
			t.Fatalf("Seal: %t, %v", ok, err)
		}
		if len(server.Pending()) <= len(text) {
			t.Errorf("%d bytes pending of %d and more", len(server.Pending()), len(text))
		}
		deliver(t, server)
	}
	_, err := server.Write(last) // nothing is held back
	must(t, err)
	if b := <-got; !bytes.Equal(b, bytes.Join([][]byte{first, second, last}, nil)) {
		t.Error("other bytes arrived than were sent")
	}
}

// What TLS says of its own accord stays behind what is held back.
func TestSealedHoldsAllBack(t *testing.T) {
	server, client := sealedPair(t)
	got := make(chan string, 1)
	go func() {
		b := make([]byte, 2)
		_, _ = io.ReadFull(client, b) // what is missing is seen
		got <- string(b)
	}()
	if ok, err := server.Seal([]byte("1")); !ok || err != nil {
		t.Fatalf("Seal: %t, %v", ok, err)
	}
	half := len(server.Pending()) / 2
	n, err := server.below.Conn.Write(server.Pending()[:half])
	must(t, err)
	server.Sent(n)
	_, err = server.Write([]byte("2"))
	must(t, err)
	deliver(t, server)
	if text := <-got; text != "12" {
		t.Errorf("got %q", text)
	}
}

func TestSealDoesNotWait(t *testing.T) {
	server, client := sealedPair(t)
	written := make(chan error, 1)
	go func() {
		_, err := server.Write([]byte("1")) // nobody reads it yet
		written <- err
	}()
	for server.below.mu.TryLock() { // it hasn't begun
		server.below.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	if ok, err := server.Seal([]byte("2")); ok || err != nil {
		t.Fatalf("Seal: %t, %v while something is written", ok, err)
	}
	_, err := io.ReadFull(client, make([]byte, 1))
	must(t, err)
	server.Wait()
	must(t, <-written)
	if ok, err := server.Seal([]byte("2")); !ok || err != nil {
		t.Fatalf("Seal: %t, %v", ok, err)
	}
}
