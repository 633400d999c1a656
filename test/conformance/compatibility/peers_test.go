package compatibility

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	peersPage  = root + "/docs/behaviours.md"
	peersTable = "testdata/peers.tsv"
)

// peer is a case of Mesos's own suite: a behaviour, and the test that holds
// masterd to it, or why there is none.
type peer struct{ area, name, proof, note string }

func readPeers(t *testing.T) []peer {
	t.Helper()
	text, err := os.ReadFile(peersTable)
	if err != nil {
		t.Fatal(err)
	}
	var out []peer
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) != 4 {
			t.Fatalf("%s:%d has %d cells, want 4", peersTable, i+1, len(cells))
		}
		if i > 0 {
			out = append(out, peer{cells[0], cells[1], cells[2], cells[3]})
		}
	}
	return out
}

const peersIntro = `# Behaviours, case by case

Mesos's own tests are the best list of what a master and an agent do. Below are the names of theirs, each with the
tests that hold ` + "`masterd`" + ` and ` + "`agentd`" + ` to the same behaviour, or the reason why there is none. A name after a slash is a transcript in the package's ` + "`testdata`" + `.
[compatibility.md](compatibility.md) has the calls, events, messages and flags.

<!-- written by go test ./test/conformance/compatibility -rewrite, from testdata/peers.tsv -->
`

// TestPeers: every case has a test that exists, or a reason, and the page says
// so.
func TestPeers(t *testing.T) {
	var out strings.Builder
	out.WriteString(peersIntro)
	area := ""
	for _, p := range readPeers(t) {
		if p.area != area {
			area = p.area
			fmt.Fprintf(&out, "\n## %s\n\n| case | proof |\n|---|---|\n", area)
		}
		if (p.proof == "") == (p.note == "") {
			t.Errorf("%s needs a proof, or a reason for having none", p.name)
		}
		var proofs []string
		for proof := range strings.FieldsSeq(p.proof) {
			proofs = append(proofs, linkCase(t, proof))
		}
		if p.note != "" {
			proofs = append(proofs, "not covered: "+p.note)
		}
		fmt.Fprintf(&out, "| `%s` | %s |\n", p.name, strings.Join(proofs, ", "))
	}
	if *rewrite {
		if err := os.WriteFile(peersPage, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(peersPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), out.String()); diff != "" {
		t.Errorf("the page is not what the table says; run with -rewrite (-page +table):\n%s", diff)
	}
}

// linkCase links a test, or with "package.Test/transcript" the transcript that
// it plays.
func linkCase(t *testing.T, proof string) string {
	t.Helper()
	test, transcript, ok := strings.Cut(proof, ".TestTranscripts/")
	if !ok {
		return link(t, proof)
	}
	file := filepath.Join(test, "testdata", transcript+".txt")
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		t.Errorf("there is no transcript %s: %v", proof, err)
	}
	return fmt.Sprintf("[%s/%s](../%s)", filepath.Base(test), transcript, file)
}
