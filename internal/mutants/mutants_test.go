package mutants

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is the folder of the module, from here.
const module = "../.."

// TestMutants: each is caught by the test that it names.
func TestMutants(t *testing.T) {
	depend(t)
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			m.run(t)
		})
	}
}

// TestRequired: the rules that must have a mutant have one.
func TestRequired(t *testing.T) {
	for _, prefix := range []string{
		"quorum less one", "certificate of f+1", "commit on one certificate", "no indirect rule",
		"two refs of one seat allowed", "order by arrival", "local clock in the order", "no crash rule",
	} {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return strings.HasPrefix(m.name, prefix) }) {
			t.Errorf("no mutant: %s", prefix)
		}
	}
}

// TestApply: the change that each mutant is can be made. Whoever rewrites a line that
// one is about hears of it from this test, long before the mutants are run.
func TestApply(t *testing.T) {
	for _, m := range mutants {
		if _, problem := m.overlay(t.TempDir()); problem != "" {
			t.Error(problem)
		}
	}
}

// TestUnfit: a mutant that does not apply, does not build or harms nothing is no
// proof of anything.
func TestUnfit(t *testing.T) {
	good := mutant{file: "consensus/anchor.go", from: "if capped {", to: "if !capped {", pkg: "consensus", test: "TestLedgerTime"}
	for want, change := range map[string]func(*mutant){
		"":               func(*mutant) {},
		"0 times":        func(m *mutant) { m.from = "if caped {" },
		"2 times":        func(m *mutant) { m.from = "g.lastIndex" },
		"does not build": func(m *mutant) { m.to = "if nothing {" },
		"passes":         func(m *mutant) { m.to = "if capped == true {" },
		"did not run":    func(m *mutant) { m.test = "TestNothing" },
		"no such file":   func(m *mutant) { m.file = "consensus/none.go" },
	} {
		t.Run(strings.ReplaceAll(want, " ", "_"), func(t *testing.T) {
			t.Parallel()
			m := good
			change(&m)
			err := m.verdict(t)
			if (err == "") != (want == "") || !strings.Contains(err, want) {
				t.Errorf("%q, want %q", err, want)
			}
		})
	}
}

// depend looks at all files of the module, so that go test takes no verdict from
// its cache that was about others.
func depend(t *testing.T) {
	err := filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m mutant) run(t *testing.T) {
	if err := m.verdict(t); err != "" {
		t.Error(err)
		return
	}
	t.Logf("%s: caught by %s of %s", m.name, m.test, m.pkg)
}

// verdict runs the test that is to catch the mutant, and says what is wrong with
// that.
func (m mutant) verdict(t *testing.T) string {
	overlay, problem := m.overlay(t.TempDir())
	if problem != "" {
		return problem
	}
	var names []string
	for name := range strings.SplitSeq(m.test, "/") {
		names = append(names, "^"+regexp.QuoteMeta(name)+"$")
	}
	args := []string{"test", "-overlay", overlay, "-vet=off", "-count=1", "-v", "-timeout=5m", "-run", strings.Join(names, "/"), "./" + m.pkg}
	if len(m.args) > 0 {
		args = append(append(args, "-args"), m.args...)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = module
	out, failed := cmd.CombinedOutput()
	text := string(out)
	tail := "\n" + text[max(0, len(text)-4000):]
	switch {
	case strings.Contains(text, "[build failed]"):
		return m.name + ": does not build" + tail
	case !strings.Contains(text, "=== RUN   "+m.test+"\n"):
		return m.name + ": " + m.test + " did not run" + tail
	case failed == nil:
		return m.name + ": " + m.test + " passes" + tail
	case !strings.Contains(text, "--- FAIL: "+m.test+" ("):
		return m.name + ": something fails, and not " + m.test + tail
	}
	return ""
}

// overlay writes the changed file and the overlay that puts it in its place.
func (m mutant) overlay(dir string) (path, problem string) {
	original, err := filepath.Abs(filepath.Join(module, m.file))
	if err != nil {
		return "", err.Error()
	}
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err.Error()
	}
	if n := strings.Count(string(source), m.from); n != 1 {
		return "", fmt.Sprintf("%s: in %s there is %d times, want once: %s", m.name, m.file, n, m.from)
	}
	changed := filepath.Join(dir, "mutant.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err.Error()
	}
	path = filepath.Join(dir, "overlay.json")
	for name, content := range map[string][]byte{changed: []byte(strings.Replace(string(source), m.from, m.to, 1)), path: overlay} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", err.Error()
		}
	}
	return path, ""
}
