package firstlight

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// A framework that doesn't read its events is cut off. The master doesn't grow,
// and others don't wait for it.
func TestStreamThatIsNotRead(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	healthy := testbed.Subscribe(t, master, testbed.FrameworkOptions{})

	framework, streamID := subscribeAndStopReading(t, master)
	before := residentMemory(t, master.PID())
	// Each answer is an event of some 300 bytes.
	var tasks testbed.List
	for i := range 2000 {
		tasks = append(tasks, testbed.Object{"task_id": id("nobody-" + strconv.Itoa(i))})
	}
	call, err := json.Marshal(testbed.Object{"framework_id": id(framework), "type": "RECONCILE", "reconcile": testbed.Object{"tasks": tasks}})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Mesos-Stream-Id": {streamID}}
	for range 100 {
		answer := testbed.Do(t, http.MethodPost, master.URL("/api/v1/scheduler"), header.Clone(), call)
		if answer.Status != http.StatusAccepted && answer.Status != http.StatusForbidden {
			t.Fatalf("RECONCILE: %d %s", answer.Status, answer.Text())
		}
	}
	if grown := residentMemory(t, master.PID()) - before; grown > 256<<20 {
		t.Errorf("the master has grown by %d MB", grown>>20)
	}
	testbed.Eventually(t, "the framework is disconnected", func() error {
		state := master.Get("/frameworks").At("frameworks").Find(framework, "id")
		if state.At("connected").True() {
			return fmt.Errorf("/frameworks: %v", state)
		}
		return nil
	})
	if answer := testbed.Do(t, http.MethodPost, master.URL("/api/v1/scheduler"), header.Clone(), call); answer.Status != http.StatusForbidden {
		t.Errorf("RECONCILE of one that was cut off: %d %s", answer.Status, answer.Text())
	}
	healthy.Run("unimpressed", "true")
	healthy.Follow("unimpressed", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
}

// subscribeAndStopReading reads SUBSCRIBED from a connection and then no more.
func subscribeAndStopReading(t *testing.T, master *testbed.Master) (framework, streamID string) {
	t.Helper()
	conn, err := net.Dial("tcp", master.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	const call = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"stuck","failover_timeout":3600,"roles":["stuck"],"capabilities":[{"type":"MULTI_ROLE"}]}}}`
	if _, err := fmt.Fprintf(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(call), call); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	records := bufio.NewReaderSize(response.Body, 16)
	head, err := records.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	length, err := strconv.Atoi(strings.TrimSpace(head))
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, length)
	for n := 0; n < length; {
		m, err := records.Read(payload[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	subscribed := testbed.MustParse(t, payload)
	return subscribed.At("subscribed", "framework_id", "value").Text(), response.Header.Get("Mesos-Stream-Id")
}

// residentMemory is the memory of a process in bytes.
func residentMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
