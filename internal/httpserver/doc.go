// Package httpserver is the edge that masterd and agentd share: one port for
// HTTP and for libprocess messages, Mesos's way to find the handler of a path,
// JSONP, compression, and bounds against clients that send or read too slowly
// or too much.
//
//	listener, address, err := httpserver.Listen(ctx, httpserver.Endpoint{Port: 5050})
//	node, err := libprocess.NewNode(libprocess.Config{Address: address})
//	router := httpserver.NewRouter("master")
//	router.Handle("master", "state", state)
//	router.Handle("files", "read", files)
//	err = httpserver.New(httpserver.Config{Handler: router, Node: node}).Serve(ctx, listener)
//
// An answer with a Content-Length is complete, and is compressed when it is
// long enough; one without is a stream, whose writes go out as they are made.
//
// A handler that takes its connection over gets a SharedWriter, for bytes that
// many others are sent, too.
//
// The package owns connections, not what is said over them. The daemons' httpapi
// packages and mains use it.
package httpserver
