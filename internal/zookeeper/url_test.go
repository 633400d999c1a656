package zookeeper

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		want  URL
		shown string
		err   string
	}{
		"one server":      {text: "zk://a:2181/mesos", want: URL{Servers: []string{"a:2181"}, Path: "/mesos"}, shown: "zk://a:2181/mesos"},
		"several":         {text: " zk://a:1, b:2,c/x/y/ ", want: URL{Servers: []string{"a:1", "b:2", "c:2181"}, Path: "/x/y"}, shown: "zk://a:1,b:2,c:2181/x/y"},
		"no path":         {text: "zk://a", want: URL{Servers: []string{"a:2181"}, Path: "/"}, shown: "zk://a:2181/"},
		"credentials":     {text: "zk://u:p@ss:w@a:1/m", want: URL{Credentials: "u:p@ss:w", Servers: []string{"a:1"}, Path: "/m"}, shown: "zk://u:***@a:1/m"},
		"IPv6":            {text: "zk://[::1]:2181,[::2]/m", want: URL{Servers: []string{"[::1]:2181", "[::2]:2181"}, Path: "/m"}, shown: "zk://[::1]:2181,[::2]:2181/m"},
		"another scheme":  {text: "http://a/m", err: "zk://"},
		"no server":       {text: "zk:///m", err: "host:port"},
		"no port number":  {text: "zk://a:x/m", err: "host:port"},
		"no password":     {text: "zk://secret@a/m", err: "user:password"},
		"empty path part": {text: "zk://a/x//y", err: "empty part"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseURL(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want one about %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			if got.String() != tt.shown {
				t.Errorf("shown as %s, want %s", got, tt.shown)
			}
		})
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("zk://u:p@a:1,b/mesos")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err != nil {
			return
		}
		if u.Credentials != "" { // which String doesn't show
			u.Credentials = ""
		}
		again, err := ParseURL(u.String())
		if diff := cmp.Diff(u, again); err != nil || diff != "" {
			t.Errorf("%q is not what it was: %v\n%s", text, err, diff)
		}
	})
}

func TestTheLowestNumberLeads(t *testing.T) {
	for name, tt := range map[string]struct {
		names []string
		want  string
	}{
		"nobody":                {nil, ""},
		"others":                {[]string{"log_replicas", "registry", "x_y"}, ""},
		"one":                   {[]string{"log_replicas", "json.info_0000000012"}, "json.info_0000000012"},
		"by number":             {[]string{"json.info_0000000012", "info_0000000007", "json.info_0000000100"}, "info_0000000007"},
		"without label":         {[]string{"json.info_0000000012", "0000000003"}, "0000000003"},
		"after 2^31 of them":    {[]string{"json.info_2147483647", "json.info_-2147483648"}, "json.info_-2147483648"},
		"too large is a label":  {[]string{"json.info_99999999999"}, ""},
		"underscores in labels": {[]string{"a_b_0000000001"}, "a_b_0000000001"},
	} {
		t.Run(name, func(t *testing.T) {
			if m, _ := leads(tt.names); m.Name != tt.want {
				t.Errorf("%q leads, want %q", m.Name, tt.want)
			}
		})
	}
}
