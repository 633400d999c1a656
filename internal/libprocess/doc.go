// Package libprocess speaks the message protocol of Mesos's libprocess: what
// masters, agents, and the native scheduler and executor drivers say to one
// another.
//
// A message is an HTTP/1.1 request "POST /<process id>/<message name>" whose
// body is the serialized protobuf message and whose headers name the sender.
// All messages from one node to one address travel in order over one
// connection; a link is that connection watched: its end means that the linked
// processes exited.
//
// A libprocess awaits no answer. Mesos 1.11 sends it a 202, which it throws
// away; we send none, because a sender that closes its connection with an
// answer unread resets it, and what it sent last is lost.
//
// A Node is one address on the network. Processes are spawned on it under an
// ID; a Process sends, links, and has a Handler for what arrives:
//
//	node, err := libprocess.NewNode(cfg)
//	master, err := node.Spawn("master", handler)
//	master.Link(agent, libprocess.Reconnect)
//	err = master.Send(agent, "mesos.internal.SlaveRegisteredMessage", body)
//
// Incoming connections come through Node.Listener, which shares its port with
// an http.Server: it reads messages itself and passes on everything else.
// Node.Handler is the middleware for the messages that reach the http.Server
// all the same, from senders that want an HTTP answer.
//
// # What is promised
//
//   - Messages to one address leave in the order of Send, also those of
//     different processes, unless they are dropped.
//   - Messages are dropped only when the connection to the address fails or
//     when too many wait for it, which breaks the connection. A process that
//     linked to a PID there is told by Exited, once per link. Nothing is sent
//     again: what must arrive is retried by the protocol above.
//   - Messages of one incoming connection are handed to handlers one after the
//     other. While a handler works, nothing more is read from that connection,
//     so a slow handler slows down its senders and no one else.
//   - Exited of a process can run at the same time as its Message.
//
// The package owns sockets and queues and nothing of Mesos's semantics. It may
// be used by the engines of masterd and agentd and by clients; package typed
// adds protobuf messages to it.
package libprocess
