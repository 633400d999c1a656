package security

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestExecutorsHaveTokens: the command executor works with one, the task doesn't
// get it, and calls without it, or for another executor, are refused.
func TestExecutorsHaveTokens(t *testing.T) {
	m := testbed.StartMaster(t)
	a := testbed.StartAgent(t, m.Address, testbed.Posix, "--authenticate_http_executors", "--authenticate_http_readwrite", `--acls={"permissive":true}`,
		"--jwt_secret_key="+file(t, "key", "a key of executors' tokens"), "--http_credentials="+credentials(t))
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	offer := f.Offer()
	// An executor of our own shows its token.
	executor := testbed.Object{
		"executor_id": testbed.Object{"value": "own"}, "framework_id": testbed.Object{"value": f.ID},
		"command":   testbed.Object{"value": "env > env; sleep 1000"},
		"resources": testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32)},
	}
	task := testbed.Task(offer, "custom", "")
	delete(task, "command")
	task["executor"] = executor
	f.Accept(offer, testbed.Launch(task))
	token := ""
	testbed.Eventually(t, "the executor is there", func() error {
		if !strings.Contains(a.Get("/state").String(), `"own"`) {
			return http.ErrNoLocation
		}
		return nil
	})
	testbed.Eventually(t, "the executor tells its environment", func() error {
		text, err := os.ReadFile(a.Sandbox("own") + "/env")
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(text), "\n") {
			if v, ok := strings.CutPrefix(line, "MESOS_EXECUTOR_AUTHENTICATION_TOKEN="); ok {
				token = v
			}
		}
		if token == "" {
			return http.ErrNoCookie
		}
		return nil
	})
	f.Run("t", "env > env; sleep 1000") // by the command executor, which authenticates
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	testbed.Eventually(t, "the task tells its environment", func() error {
		_, err := os.Stat(a.Sandbox("t") + "/env")
		return err
	})
	if strings.Contains(a.ReadFile(a.Sandbox("t")+"/env"), "AUTHENTICATION_TOKEN") {
		t.Error("the task got the executor's token")
	}
	call := func(executor, authorization string) testbed.Answer {
		header := http.Header{"Content-Type": {"application/json"}}
		if authorization != "" {
			header.Set("Authorization", authorization)
		}
		return testbed.Do(t, http.MethodPost, a.URL("/api/v1/executor"), header, []byte(
			`{"type":"MESSAGE","framework_id":{"value":"`+f.ID+`"},"executor_id":{"value":"`+executor+`"},"message":{"data":"aGVsbG8="}}`))
	}
	expect(t, "no token", call("own", ""), http.StatusUnauthorized)
	expect(t, "no token of ours", call("own", "Bearer x.y.z"), http.StatusUnauthorized)
	expect(t, "another executor's", call("t", "Bearer "+token), http.StatusForbidden)
	subscribe := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	expect(t, "to subscribe, another executor's", testbed.Do(t, http.MethodPost, a.URL("/api/v1/executor"), subscribe, []byte(
		`{"type":"SUBSCRIBE","framework_id":{"value":"`+f.ID+`"},"executor_id":{"value":"t"},"subscribe":{}}`)), http.StatusForbidden)
	expect(t, "to update, another executor's", testbed.Do(t, http.MethodPost, a.URL("/api/v1/executor"), subscribe, []byte(
		`{"type":"UPDATE","framework_id":{"value":"`+f.ID+`"},"executor_id":{"value":"t"},"update":{"status":{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":"7gAAAAAAQACAAAAAAAAAAQ=="}}}`)), http.StatusForbidden)
	// Nor has it a say about containers in another executor's.
	theirs := `"container_id":{"value":"n","parent":{"value":"` + filepath.Base(a.Sandbox("t")) + `"}}`
	for _, c := range []struct{ name, body string }{
		{"LAUNCH_NESTED_CONTAINER", theirs + `,"command":{"value":"true"}`},
		{"LAUNCH_NESTED_CONTAINER_SESSION", theirs + `,"command":{"value":"true"}`},
		{"WAIT_NESTED_CONTAINER", theirs},
		{"KILL_NESTED_CONTAINER", theirs},
		{"REMOVE_NESTED_CONTAINER", theirs},
		{"LAUNCH_CONTAINER", theirs + `,"command":{"value":"true"}`},
	} {
		expect(t, c.name+" by another executor", testbed.Do(t, http.MethodPost, a.URL("/api/v1"), subscribe, []byte(
			`{"type":"`+c.name+`","`+strings.ToLower(c.name)+`":{`+c.body+`}}`)), http.StatusForbidden)
	}
	if answer := call("own", "Bearer "+token); answer.Status != http.StatusForbidden || !strings.Contains(answer.Text(), "not subscribed") {
		t.Errorf("its own, before it subscribed: %d %s", answer.Status, answer.Text())
	}
	header := http.Header{"Content-Type": {"application/json"}}
	(&http.Request{Header: header}).SetBasicAuth("ops", secret)
	expect(t, "a principal that is no executor", testbed.Do(t, http.MethodPost, a.URL("/api/v1/executor"), header, []byte(
		`{"type":"MESSAGE","framework_id":{"value":"`+f.ID+`"},"executor_id":{"value":"own"},"message":{"data":"aGVsbG8="}}`)), http.StatusForbidden)
}

// TestTokensOutliveTheirSwitch: an executor that was given a token while none was asked
// for comes back to an agent that asks for one.
func TestTokensOutliveTheirSwitch(t *testing.T) {
	m := testbed.StartMaster(t)
	a := testbed.StartAgent(t, m.Address, testbed.Posix, "--executor_reregistration_timeout=15secs",
		"--jwt_secret_key="+file(t, "key", "a key of executors' tokens"), "--http_credentials="+credentials(t))
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	s := testbed.NewSleeper()
	f.Run("t", s.Command())
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	pid := s.PID(t)
	a.Kill()
	a.SetFlags("--authenticate_http_executors")
	a.Start()
	testbed.Eventually(t, "the executor is back", func() error {
		if !strings.Contains(a.Log(), "executor subscribed") || !strings.Contains(a.Log(), `"reregistered"`) {
			return http.ErrNoLocation
		}
		return nil
	})
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "t"}})
	f.FollowTo("t", "TASK_KILLED") // what the agent had not been told of before it was killed comes again
	if got := s.PIDs(); len(got) > 0 {
		t.Errorf("the task's process %d is %v", pid, got)
	}
}
