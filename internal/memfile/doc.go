// Package memfile keeps bytes that many connections send in files that exist in
// memory only: the kernel queues a file's own pages on a socket (sendfile), so
// that what a thousand clients get isn't copied for each of them.
//
// Bytes are appended and never changed: a page may still wait in the queue of a
// socket long after the call that put it there. For the same reason no range is
// ever used again; whoever needs room makes a new File and closes the old one,
// and the kernel keeps the pages as long as a socket wants them.
//
// masterd/engine keeps events in Files, internal/httpserver sends them.
package memfile
