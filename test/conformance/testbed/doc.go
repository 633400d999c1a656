// Package testbed runs the real masterd and agentd as processes on loopback, for
// tests that look at them from outside, as a framework, an operator, or another
// Mesos does.
//
// It reads the wire by itself: JSON by encoding/json, protobuf by the standard
// runtime, records and libprocess messages by hand. The daemons' own codecs are
// under test, so they are of no use here.
//
// A test package hands its TestMain to [Main]. Tests then run in a child process,
// and whatever becomes of that (a panic, a timeout, an interrupt), its parent
// ends what was started and removes directories, cgroups and mounts:
//
//	func TestMain(m *testing.M) { testbed.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		master := testbed.StartMaster(t)
//		agent := testbed.StartAgent(t, master, testbed.Posix)
//		framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
//		offer := framework.Offer()
//		…
//	}
//
// Only tests and benchmarks may import it.
package testbed
