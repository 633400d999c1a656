package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// config has a flag of every kind.
type config struct {
	Ping      time.Duration
	Max       int
	Factor    float64
	WorkDir   string
	Quiet     bool
	Strict    bool
	Mem       Bytes
	Sorter    string
	Ca        string
	Offer     *time.Duration
	Hostname  *string
	Readonly  *bool
	IP        *netip.Addr
	Port      uint16
	Domain    *json.RawMessage
	JWTSecret *string
}

func testSet(cfg *config, options ...Option) *Set {
	s := New("testd")
	s.Duration(&cfg.Ping, "agent_ping_timeout", 15*time.Second, "How long a ping may take.", Alias("slave_ping_timeout"))
	s.Int(&cfg.Max, "max_agent_ping_timeouts", 5, "How many pings may fail.", Check(func() error {
		if cfg.Max < 1 {
			return errors.New("must be at least 1")
		}
		return nil
	}))
	s.Float(&cfg.Factor, "factor", 0.8, "A share.")
	s.String(&cfg.WorkDir, "work_dir", "", "Where state is kept.", options...)
	s.Bool(&cfg.Quiet, "quiet", false, "Don't log to stderr.")
	s.Bool(&cfg.Strict, "strict", true, "Treat damage as an error.")
	s.Bytes(&cfg.Mem, "mem", 4*Kilobyte, "An amount.")
	Var(s, &cfg.Sorter, "role_sorter", "drf", OneOf("drf", "random"), "A policy.")
	s.Path(&cfg.Ca, "ca", "", "A file.")
	Optional(s, &cfg.Offer, "offer_timeout", DurationType, "When offers end.")
	s.OptionalString(&cfg.Hostname, "hostname", "A name.")
	s.OptionalBool(&cfg.Readonly, "authenticate_http_readonly", "Whether to.")
	Optional(s, &cfg.IP, "ip", IPType, "Where to listen.")
	Var(s, &cfg.Port, "port", 5050, PortType, "Where to listen.")
	Optional(s, &cfg.Domain, "domain", JSONType, "Where this is.")
	Optional(s, &cfg.JWTSecret, "jwt_secret", SecretType, "A secret.")
	return s
}

func defaults() config {
	var cfg config
	testSet(&cfg)
	return cfg
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	domain := write("domain.json", "{\n \"fault_domain\": {}\n}\n")
	ping := write("ping", "3mins\n")
	for name, tc := range map[string]struct {
		args, env []string
		want      func(*config)
		rest      []string
		err       string
	}{
		"nothing":          {want: func(*config) {}},
		"value":            {args: []string{"--agent_ping_timeout=1.5mins"}, want: func(c *config) { c.Ping = 90 * time.Second }},
		"alias":            {args: []string{"--slave_ping_timeout=1secs"}, want: func(c *config) { c.Ping = time.Second }},
		"upper case":       {args: []string{"--PORT=1"}, want: func(c *config) { c.Port = 1 }},
		"switch":           {args: []string{"--quiet", "--no-strict"}, want: func(c *config) { c.Quiet, c.Strict = true, false }},
		"switch, values":   {args: []string{"--quiet=1", "--strict=false"}, want: func(c *config) { c.Quiet, c.Strict = true, false }},
		"switch, empty":    {args: []string{"--quiet="}, want: func(c *config) { c.Quiet = true }},
		"optional switch":  {args: []string{"--no-authenticate_http_readonly"}, want: func(c *config) { c.Readonly = new(false) }},
		"equals in value":  {args: []string{"--work_dir=/a=b"}, want: func(c *config) { c.WorkDir = "/a=b" }},
		"empty text":       {args: []string{"--hostname="}, want: func(c *config) { c.Hostname = new("") }},
		"optional values":  {args: []string{"--offer_timeout=0ns", "--ip=::ffff:1.2.3.4"}, want: func(c *config) { c.Offer, c.IP = new(time.Duration(0)), new(netip.MustParseAddr("1.2.3.4")) }},
		"numbers":          {args: []string{"--factor=1e-3", "--mem=2gb", "--max_agent_ping_timeouts=7"}, want: func(c *config) { c.Factor, c.Mem, c.Max = 0.001, 2*Gigabyte, 7 }},
		"choice":           {args: []string{"--role_sorter=random"}, want: func(c *config) { c.Sorter = "random" }},
		"environment":      {env: []string{"MESOS_PORT=7", "PORT=8", "MESOS_UNKNOWN=1", "MESOS_QUIET="}, want: func(c *config) { c.Port, c.Quiet = 7, true }},
		"flag over env":    {args: []string{"--port=9"}, env: []string{"MESOS_PORT=nonsense"}, want: func(c *config) { c.Port = 9 }},
		"alias over env":   {args: []string{"--slave_ping_timeout=1secs"}, env: []string{"MESOS_AGENT_PING_TIMEOUT=2secs"}, want: func(c *config) { c.Ping = time.Second }},
		"from a file":      {args: []string{"--agent_ping_timeout=file://" + ping}, want: func(c *config) { c.Ping = 3 * time.Minute }},
		"path is a path":   {args: []string{"--ca=file:///etc/ca.pem"}, want: func(c *config) { c.Ca = "file:///etc/ca.pem" }},
		"JSON":             {args: []string{`--domain={"a": [1, 2]}`}, want: func(c *config) { c.Domain = new(json.RawMessage(`{"a":[1,2]}`)) }},
		"JSON from path":   {args: []string{"--domain=" + domain}, want: func(c *config) { c.Domain = new(json.RawMessage(`{"fault_domain":{}}`)) }},
		"JSON from URL":    {args: []string{"--domain=file://" + domain}, want: func(c *config) { c.Domain = new(json.RawMessage(`{"fault_domain":{}}`)) }},
		"other arguments":  {args: []string{"run", "--port=1", "--", "--port=2"}, want: func(c *config) { c.Port = 1 }, rest: []string{"run", "--port=2"}},
		"help wins":        {args: []string{"--nonsense", "--help"}, err: "help requested"},
		"unknown":          {args: []string{"--work_dri=/x"}, err: "unknown flag --work_dri; did you mean --work_dir?"},
		"unknown, far":     {args: []string{"--frobnicate=/x"}, err: "unknown flag --frobnicate; --help lists all"},
		"unknown switch":   {args: []string{"--no-quite"}, err: "unknown flag --quite; did you mean --quiet?"},
		"twice":            {args: []string{"--port=1", "--port=1"}, err: "flag --port: given twice"},
		"alias and name":   {args: []string{"--slave_ping_timeout=1secs", "--agent_ping_timeout=1secs"}, err: "flag --agent_ping_timeout: given twice"},
		"no value":         {args: []string{"--work_dir", "/x"}, err: "flag --work_dir: takes a value: write --work_dir=VALUE"},
		"no-value":         {args: []string{"--no-work_dir"}, err: "flag --work_dir: takes a value, so it can't be --no-work_dir"},
		"switch with both": {args: []string{"--no-quiet=true"}, err: "flag --quiet: --no-quiet takes no value"},
		"bad switch":       {args: []string{"--quiet=yes"}, err: `flag --quiet: "yes" is neither true nor false`},
		"bad number":       {args: []string{"--max_agent_ping_timeouts=5x"}, err: `flag --max_agent_ping_timeouts: "5x" is not a whole number`},
		"bad float":        {args: []string{"--factor=NaN"}, err: `flag --factor: "NaN" is not a number`},
		"bad port":         {args: []string{"--port=65536"}, err: `flag --port: "65536" is not a port: expected 0 to 65535`},
		"bad IP":           {args: []string{"--ip=localhost"}, err: `flag --ip: "localhost" is not an IP address`},
		"bad choice":       {args: []string{"--role_sorter=fair"}, err: `flag --role_sorter: "fair" is none of drf, random`},
		"bad JSON":         {args: []string{"--domain={"}, err: "flag --domain: malformed JSON at byte 1: unexpected end of JSON input"},
		"bad environment":  {env: []string{"MESOS_PORT=x"}, err: `environment variable MESOS_PORT: flag --port: "x" is not a port: expected 0 to 65535`},
		"failed check":     {args: []string{"--max_agent_ping_timeouts=0"}, err: "flag --max_agent_ping_timeouts: must be at least 1"},
		"broken JSON":      {args: []string{"--domain={]"}, err: "flag --domain: malformed JSON at byte 2: invalid character ']' looking for beginning of object key string"},
		"no such file":     {args: []string{"--hostname=file:///nonexistent"}, err: "flag --hostname: stat /nonexistent: no such file or directory"},
		"several errors":   {args: []string{"--port=x", "--quiet=x"}, err: "flag --port: \"x\" is not a port: expected 0 to 65535\nflag --quiet: \"x\" is neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			var got config
			s := testSet(&got)
			err := s.Parse(tc.args, tc.env)
			if tc.err != "" {
				if err == nil || err.Error() != tc.err {
					t.Fatalf("got error %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			tc.want(&want)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.rest, s.Args()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRequired(t *testing.T) {
	var cfg config
	s := testSet(&cfg, Required())
	if err := s.Parse(nil, nil); err == nil || err.Error() != "flag --work_dir: required: give --work_dir=VALUE or MESOS_WORK_DIR" {
		t.Errorf("got %v", err)
	}
	if s = testSet(&cfg, Required()); s.Parse(nil, []string{"MESOS_WORK_DIR=/x"}) != nil || !s.Given("work_dir") || s.Given("port") {
		t.Error("the environment doesn't count")
	}
	if s = testSet(&cfg, Required()); !errors.Is(s.Parse([]string{"--help"}, nil), ErrHelp) {
		t.Error("no help without required flags")
	}
}

func TestValues(t *testing.T) {
	var cfg config
	s := testSet(&cfg)
	if err := s.Parse([]string{"--slave_ping_timeout=90secs", "--offer_timeout=120mins", `--domain={ "a": 1 }`, "--jwt_secret=xyz"}, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"slave_ping_timeout": "90secs", "max_agent_ping_timeouts": "5", "factor": "0.8", "work_dir": "",
		"quiet": "false", "strict": "true", "mem": "4KB", "role_sorter": "drf", "ca": "", "offer_timeout": "2hrs",
		"port": "5050", "domain": `{"a":1}`, "help": "false", "jwt_secret": "REDACTED",
	}
	if diff := cmp.Diff(want, s.Values()); diff != "" {
		t.Error(diff)
	}
}

func TestDuplicateDefinition(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second --help was defined")
		}
	}()
	var b bool
	New("x").Bool(&b, "help", false, "")
}

func TestUsage(t *testing.T) {
	var cfg config
	s := testSet(&cfg, Required())
	var secret, long string
	s.String(&secret, "unused", "", "Not to be seen.", Hidden())
	s.String(&long, "a_flag_with_a_name_that_needs_a_line_alone", "x", strings.Repeat("word ", 30)+"\nnext paragraph")
	var out strings.Builder
	if err := s.Usage(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"  --agent_ping_timeout=DURATION      How long a ping may take. Default: 15secs. Also\n" +
			"                                     --slave_ping_timeout.\n",
		"  --[no-]authenticate_http_readonly  Whether to.\n",
		"  --work_dir=VALUE                   Where state is kept. Required.\n",
		"  --a_flag_with_a_name_that_needs_a_line_alone=VALUE\n                                     word",
		"                                     next paragraph Default: x.\n",
		"  --role_sorter=drf|random ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing:\n%s", want)
		}
	}
	if strings.Contains(text, "unused") {
		t.Error("a hidden flag is shown")
	}
	for line := range strings.Lines(text) {
		if len(line) > usageWidth+1 || strings.HasSuffix(line, " \n") {
			t.Errorf("bad line %q", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// Values that a real Mesos shows for its defaults are read and written alike.
func TestNotationOfDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0ns": 0, "15secs": 15 * time.Second, "10mins": 10 * time.Minute, "1weeks": 168 * time.Hour, "2weeks": 336 * time.Hour,
		"6hrs": 6 * time.Hour, "100ms": 100 * time.Millisecond, "15ns": 15, "1us": time.Microsecond, "10days": 240 * time.Hour,
		"90secs": 90 * time.Second, "1500ms": 1500 * time.Millisecond, "999ns": 999, "1001ns": 1001, "1.000001ms": 1000001,
		"25hrs": 25 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if got := FormatDuration(want); got != text {
			t.Errorf("%v: got %s, want %s", want, got, text)
		}
	}
	for text, want := range map[string]time.Duration{"1.5mins": 90 * time.Second, "60mins": time.Hour, "0weeks": 0, ".5secs": 500 * time.Millisecond} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "15", "secs", "15 secs", "15s", "-1secs", "1.2.3secs", "1000000weeks", ".ns"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
	if got := FormatDuration(-90 * time.Second); got != "-90secs" {
		t.Errorf("got %s", got)
	}
	if got := FormatDuration(-1 << 63); !strings.HasPrefix(got, "-") {
		t.Errorf("got %s", got)
	}
}

func TestDurationsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "ns"))
		got, err := ParseDuration(FormatDuration(want))
		// 15 digits are written.
		if diff := got - want; err != nil || diff.Abs() > want/1e14+1 {
			t.Fatalf("%d became %s and %d (%v)", want, FormatDuration(want), got, err)
		}
	})
}

func TestNotationOfBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0B": 0, "1B": 1, "4KB": 4096, "1023B": 1023, "1025B": 1025, "2GB": 2 << 30, "1TB": 1 << 40, "1024TB": 1 << 50, "1536MB": 3 << 29,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
		if got := want.String(); got != text {
			t.Errorf("%d: got %s, want %s", want, got, text)
		}
	}
	for _, text := range []string{"", "1", "KB", "1.5KB", "1PB", "-1B", "99999999999TB", "99999999999999999999B"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Uint64().Draw(t, "bytes"))
		if got, err := ParseBytes(want.String()); err != nil || got != want {
			t.Fatalf("%d became %s and %d (%v)", want, want, got, err)
		}
	})
}

func FuzzNotation(f *testing.F) {
	f.Add("1.5mins")
	f.Add("4KB")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil && d < 0 {
			t.Errorf("%q became %d", text, d)
		}
		if b, err := ParseBytes(text); err == nil {
			if again, err := ParseBytes(b.String()); err != nil || again != b {
				t.Errorf("%q became %d and %d (%v)", text, b, again, err)
			}
		}
	})
}

func ExampleSet() {
	var cfg struct {
		WorkDir string
		Timeout time.Duration
	}
	fs := New("masterd")
	fs.String(&cfg.WorkDir, "work_dir", "", "Where state is kept.", Required())
	fs.Duration(&cfg.Timeout, "agent_ping_timeout", 15*time.Second, "How long an agent may take to answer.")
	err := fs.Parse([]string{"--work_dir=/var/lib/mesos"}, []string{"MESOS_AGENT_PING_TIMEOUT=1mins"})
	fmt.Println(cfg.WorkDir, cfg.Timeout, err)
	// Output: /var/lib/mesos 1m0s <nil>
}
