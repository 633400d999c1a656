package providerconfig

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const known = "dev.mesos.rp.local.test"

func info(kind, name string, attributes ...string) *mesos.ResourceProviderInfo {
	out := &mesos.ResourceProviderInfo{Type: &kind, Name: &name}
	for _, a := range attributes {
		out.Attributes = append(out.Attributes, &mesos.Attribute{
			Name: &a, Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("x")},
		})
	}
	return out
}

// open opens a directory of an agent that can start providers of one type, if they
// have no attribute "bad".
func open(t *testing.T, path string) (*Dir, []Problem) {
	t.Helper()
	d, problems, err := Open(Config{Path: path, Types: map[string]func(*mesos.ResourceProviderInfo) error{
		known: func(i *mesos.ResourceProviderInfo) error {
			if slices.ContainsFunc(i.GetAttributes(), func(a *mesos.Attribute) bool { return a.GetName() == "bad" }) {
				return errors.New("it is bad")
			}
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d, problems
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDir(t *testing.T) {
	type step struct {
		do   func(*Dir) error
		want error
	}
	add := func(i *mesos.ResourceProviderInfo) func(*Dir) error { return func(d *Dir) error { return d.Add(i) } }
	update := func(i *mesos.ResourceProviderInfo) func(*Dir) error { return func(d *Dir) error { return d.Update(i) } }
	remove := func(name string) func(*Dir) error { return func(d *Dir) error { return d.Remove(known, name) } }
	tests := map[string]struct {
		steps []step
		files int
	}{
		"add":                       {[]step{{add(info(known, "a")), nil}, {add(info(known, "b")), nil}}, 2},
		"add again":                 {[]step{{add(info(known, "a")), nil}, {add(info(known, "a")), nil}}, 1},
		"add another of that name":  {[]step{{add(info(known, "a")), nil}, {add(info(known, "a", "rack")), ErrConflict}}, 1},
		"add an unknown type":       {[]step{{add(info("org.example", "a")), ErrInvalid}}, 0},
		"add a bad one":             {[]step{{add(info(known, "a", "bad")), ErrInvalid}}, 0},
		"add one elsewhere":         {[]step{{add(info(known, "../a")), ErrInvalid}}, 0},
		"add a hidden one":          {[]step{{add(info(known, ".a")), ErrInvalid}}, 0},
		"update":                    {[]step{{add(info(known, "a")), nil}, {update(info(known, "a", "rack")), nil}}, 1},
		"update to the same":        {[]step{{add(info(known, "a")), nil}, {update(info(known, "a")), nil}}, 1},
		"update what is not there":  {[]step{{update(info(known, "a")), ErrConflict}}, 0},
		"update to a bad one":       {[]step{{add(info(known, "a")), nil}, {update(info(known, "a", "bad")), ErrInvalid}}, 1},
		"remove":                    {[]step{{add(info(known, "a")), nil}, {remove("a"), nil}}, 0},
		"remove what is not there":  {[]step{{remove("a"), nil}}, 0},
		"add what was removed":      {[]step{{add(info(known, "a")), nil}, {remove("a"), nil}, {add(info(known, "a", "rack")), nil}}, 1},
		"update what was removed":   {[]step{{add(info(known, "a")), nil}, {remove("a"), nil}, {update(info(known, "a")), ErrConflict}}, 0},
		"remove twice, add another": {[]step{{add(info(known, "a")), nil}, {remove("a"), nil}, {remove("a"), nil}, {add(info(known, "b")), nil}}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			d, _ := open(t, path)
			for i, s := range tt.steps {
				if err := s.do(d); !errors.Is(err, s.want) {
					t.Fatalf("step %d: %v, want %v", i, err, s.want)
				}
			}
			if got := files(t, path); len(got) != tt.files {
				t.Errorf("files are %v", got)
			}
			again, problems := open(t, path)
			if len(problems) > 0 || len(again.entries) != len(d.entries) {
				t.Errorf("opened again it has %v, before %v; %v", again.entries, d.entries, problems)
			}
		})
	}
}

func TestNoDirectory(t *testing.T) {
	d, _ := open(t, "")
	for name, err := range map[string]error{
		"add": d.Add(info(known, "a")), "update": d.Update(info(known, "a")), "remove": d.Remove(known, "a"),
	} {
		if !errors.Is(err, ErrNoDirectory) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Open(Config{Path: filepath.Join(t.TempDir(), "no")}); err == nil {
		t.Error("a directory that isn't there is opened")
	}
}

// TestFilesOfOperators: operators put files there themselves. What is wrong with
// one doesn't keep the agent from the others.
func TestFilesOfOperators(t *testing.T) {
	path := t.TempDir()
	for name, text := range map[string]string{
		"a.json":     `{"type":"` + known + `","name":"a"}`,
		"b.json":     `{"type":"` + known + `","name":"a"}`, // a second a
		"c.json":     `{"type":"` + known,
		"d.json":     `{"type":"` + known + `"}`,
		"e.json":     `{"type":"` + known + `","name":"e","id":{"value":"x"}}`,
		"f.json":     `{"type":"org.example","name":"f"}`,
		"g.json":     strings.Repeat(" ", maxSize+1),
		".z.json.x~": ``,
	} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(path, ".staging"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, problems := open(t, path)
	if len(problems) != 7 {
		t.Errorf("problems: %v", problems)
	}
	if d.entries[key{known, "a"}].path != filepath.Join(path, "a.json") || len(d.entries) != 2 {
		t.Errorf("entries: %v", d.entries)
	}
	// What can't be started can be removed all the same.
	if err := d.Remove("org.example", "f"); err != nil || slices.Contains(files(t, path), "f.json") {
		t.Errorf("removing: %v; %v", err, files(t, path))
	}
	if err := d.Update(info(known, "a", "rack")); err != nil || !slices.Contains(files(t, path), "a.json") {
		t.Errorf("updating: %v; %v", err, files(t, path))
	}
}
