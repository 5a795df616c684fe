package layers

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's folder, seen from this one.
const root = "../.."

func TestFloors(t *testing.T) {
	imports, _, err := readImports(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := imports["internal/layers"]; !ok {
		t.Fatalf("%d packages read, and this one is not among them", len(imports))
	}
	for _, breach := range tangledRules.breaches(imports) {
		t.Error(breach)
	}
}

// TestBubbles: no test enters a bubble but through the package that lets the race
// detector live in it.
func TestBubbles(t *testing.T) {
	_, tested, err := readImports(root)
	if err != nil {
		t.Fatal(err)
	}
	through := 0
	for pkg, imports := range tested {
		if slices.Contains(imports, "testing/synctest") {
			t.Errorf("the tests of %s import testing/synctest: use internal/bubbletest", pkg)
		}
		if slices.Contains(imports, tangledRules.module+"/internal/bubbletest") {
			through++
		}
	}
	if through == 0 {
		t.Errorf("no tests of %d packages use internal/bubbletest", len(tested))
	}
}

// TestModuleIsNamed: the table's module is the one in go.mod, or no import
// would be taken for one of ours.
func TestModuleIsNamed(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	if want := "module " + tangledRules.module; first != want {
		t.Errorf("go.mod begins with %q, want %q", first, want)
	}
}

// readImports finds the packages below dir and what their production files, and
// their test files, import on this platform. It reads them in this process and not through
// "go list" because the go command caches a test's result by the files the
// test itself opened: what a child process read would go unnoticed, and a new
// breach in another package would pass as "(cached)".
func readImports(dir string) (imports, tested map[string][]string, err error) {
	imports, tested = make(map[string][]string), make(map[string][]string)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != dir && isIgnored(path) {
			return fs.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if errors.As(err, new(*build.NoGoError)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read package in %s: %w", path, err)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		imports[filepath.ToSlash(rel)] = pkg.Imports
		tested[filepath.ToSlash(rel)] = slices.Concat(pkg.TestImports, pkg.XTestImports)
		return nil
	})
	return imports, tested, err
}

func TestReadImports(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a/a.go":              "package a\nimport \"m/b\"\n",
		"a/a_test.go":         "package a\nimport \"testing\"\n",
		"a/x_test.go":         "package a_test\nimport \"m/a\"\n",
		"a/folder/only.txt":   "no package",
		"a/below/below.go":    "package below\nimport (\n\t\"fmt\"\n\t_ \"m/a\"\n)\n",
		"only/only_test.go":   "package only\n",
		"nested/go.mod":       "module nested\n",
		"nested/nested.go":    "package nested\n",
		"a/testdata/x/x.go":   "package x\n",
		".hidden/h.go":        "package h\n",
		"_hidden/h.go":        "package h\n",
		"vendor/x.org/x/x.go": "package x\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	got, tested, err := readImports(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"a": {"m/b"}, "a/below": {"fmt", "m/a"}, "only": nil}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("imports %v, want %v", got, want)
	}
	wantTested := map[string][]string{"a": {"testing", "m/a"}, "a/below": nil, "only": nil}
	if !maps.EqualFunc(tested, wantTested, slices.Equal) {
		t.Errorf("imports of tests %v, want %v", tested, wantTested)
	}
}

// isIgnored reports whether the go command does not look for packages of this
// module in a folder.
func isIgnored(dir string) bool {
	name := filepath.Base(dir)
	if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
