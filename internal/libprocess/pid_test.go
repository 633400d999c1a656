package libprocess

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParsePID(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want PID
		bad  bool
	}{
		"master":         {text: "master@10.0.0.1:5050", want: PID{"master", Address{"10.0.0.1", 5050}}},
		"agent":          {text: "slave(1)@127.0.0.1:5051", want: PID{"slave(1)", Address{"127.0.0.1", 5051}}},
		"driver":         {text: "scheduler-6b9d@10.1.2.3:41000", want: PID{"scheduler-6b9d", Address{"10.1.2.3", 41000}}},
		"host name":      {text: "master@mesos-leader.svc:5050", want: PID{"master", Address{"mesos-leader.svc", 5050}}},
		"IPv6":           {text: "m@[::1]:5050", want: PID{"m", Address{"::1", 5050}}},
		"mapped IPv4":    {text: "m@[::ffff:10.0.0.1]:1", want: PID{"m", Address{"10.0.0.1", 1}}},
		"no ID":          {text: "@10.0.0.1:5050", want: PID{"", Address{"10.0.0.1", 5050}}},
		"empty":          {text: "", bad: true},
		"no at":          {text: "master:5050", bad: true},
		"no port":        {text: "master@10.0.0.1", bad: true},
		"port 0":         {text: "master@10.0.0.1:0", bad: true},
		"large port":     {text: "master@10.0.0.1:65536", bad: true},
		"signed port":    {text: "master@10.0.0.1:+1", bad: true},
		"header in ID":   {text: "a\r\nX: y@10.0.0.1:1", bad: true},
		"header in host": {text: "a@h\r\nX: y:1", bad: true},
		"space":          {text: "a b@10.0.0.1:1", bad: true},
		"too long":       {text: strings.Repeat("a", MaxPIDLength) + "@10.0.0.1:1", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePID(tc.text)
			if tc.bad {
				if !errors.Is(err, ErrBadPID) {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPIDInJSON(t *testing.T) {
	for _, pid := range []PID{{}, {"slave(1)", Address{"10.0.0.1", 5051}}} {
		text, err := json.Marshal(pid)
		if err != nil {
			t.Fatal(err)
		}
		var back PID
		if err := json.Unmarshal(text, &back); err != nil || back != pid {
			t.Errorf("%s became %s (%v)", text, back, err)
		}
	}
}

func TestPathOfAnyID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		path := string(append(appendEscaped([]byte{'/'}, id), "/mesos.internal.M"...))
		got, name, err := parsePath(path)
		if err != nil || got != id || name != "mesos.internal.M" {
			t.Fatalf("%q became %q and %q (%v)", path, got, name, err)
		}
		if strings.Count(path, "/") != 2 || strings.ContainsAny(path, " \r\n?#") {
			t.Fatalf("%q breaks the request line", path)
		}
	})
}

func TestMesosIDsAreWrittenPlain(t *testing.T) {
	for _, id := range []string{"master", "slave(1)", "slave-observer(12)", "scheduler-0b9f-4d", "executor(1)", "crammd5-authenticatee(1)", "__limiter__(2)"} {
		if got := string(appendEscaped(nil, id)); got != id {
			t.Errorf("%s became %s", id, got)
		}
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"slave(1)": "slave(1)", "slave%281%29": "slave(1)", "a+b": "a b", "%2b": "+", "%2F": "/", "": "",
	} {
		if got, err := unescape(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"%", "%2", "%zz", "a%-1"} {
		if got, err := unescape(text); !errors.Is(err, ErrBadMessage) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func FuzzParsePID(f *testing.F) {
	f.Add("slave(1)@127.0.0.1:5051")
	f.Add("x@[::1%eth0]:1")
	f.Fuzz(func(t *testing.T, text string) {
		pid, err := ParsePID(text)
		if err != nil {
			return
		}
		if again, err := ParsePID(pid.String()); err != nil || again != pid {
			t.Errorf("%q became %q and %q (%v)", text, pid, again, err)
		}
		if strings.ContainsAny(pid.String(), "\r\n ") {
			t.Errorf("%q would break a header", pid)
		}
	})
}

func TestResolve(t *testing.T) {
	for text, want := range map[string]string{"localhost:5050": "127.0.0.1:5050", "10.0.0.1:1": "10.0.0.1:1"} {
		addr, err := ParseAddress(text)
		must(t, err)
		if got, err := addr.Resolve(t.Context()); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
	if got, err := (Address{Host: "nowhere.invalid", Port: 1}).Resolve(t.Context()); err == nil {
		t.Errorf("got %s", got)
	}
}
