package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		args  []string
		wrong string
	}{
		"least":       {[]string{"--masterd-image=m", "--agentd-image=a"}, ""},
		"no images":   {nil, "--masterd-image is required"},
		"one image":   {[]string{"--masterd-image=m"}, "--agentd-image is required"},
		"no workers":  {[]string{"--masterd-image=m", "--agentd-image=a", "--workers=0"}, "--workers: at least 1"},
		"hurried":     {[]string{"--masterd-image=m", "--agentd-image=a", "--poll-interval=1ms"}, "--poll-interval: at least 1s"},
		"no patience": {[]string{"--masterd-image=m", "--agentd-image=a", "--poll-timeout=0s"}, "--poll-timeout"},
		"an argument": {[]string{"--masterd-image=m", "--agentd-image=a", "run"}, `flags only, not ["run"]`},
		"unknown":     {[]string{"--master=m"}, "flag provided but not defined"},
		"no duration": {[]string{"--poll-interval=often"}, "invalid value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			c, err := parse(tc.args, &out)
			if (err != nil) != (tc.wrong != "") || !strings.Contains(out.String(), tc.wrong) {
				t.Errorf("got %v, and said %q; want %q", err, out.String(), tc.wrong)
			}
			if err == nil && c.images.MasterImage != "m" {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestLogLevels(t *testing.T) {
	if _, _, err := newLogger("loud"); err == nil || !strings.Contains(err.Error(), "write debug, info, warn or error") {
		t.Errorf("got %v", err)
	}
}
