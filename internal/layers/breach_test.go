package layers

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// planted is a small module that keeps its rules.
var plantedRules = rules{
	module: "m",
	floors: map[string]int{
		"cmd/m": 3, "top": 2, "mid": 1, "mid/fake": 0, "beside": 1,
		"a": 0, "b": 0, "c": 0, "util": 0, "mid/faketest": 0,
	},
	limit:     2,
	lists:     map[string][]string{"top": {"a", "b", "c", "mid"}},
	importers: map[string][]string{"mid/fake": {"cmd/m"}},
	pure:      []string{"a", "mid"},
	impure:    []string{"os", "net"},
	names:     []string{"util"},
}

func plantedImports() map[string][]string {
	return map[string][]string{
		"cmd/m":    {"m/top", "m/mid/fake", "os", "example.org/x"},
		"top":      {"m/a", "m/b", "m/c", "m/mid", "net"},
		"mid":      {"m/a", "fmt"},
		"mid/fake": nil,
		"a":        {"errors"},
		"b":        {"os"},
		"c":        nil,
	}
}

func TestBreachesAreSeen(t *testing.T) {
	for _, test := range []struct {
		name    string
		pkg     string
		imports []string
		want    string // no breach if empty
	}{
		{name: "as it should be", pkg: "a", imports: []string{"errors"}},
		{name: "not every package exists", pkg: "beside", imports: nil},
		{name: "down", pkg: "beside", imports: []string{"m/a"}},
		{name: "sideways", pkg: "beside", imports: []string{"m/mid"}, want: "beside (floor 1) imports mid (floor 1)"},
		{name: "sideways on the lowest floor", pkg: "b", imports: []string{"m/a"}, want: "b (floor 0) imports a (floor 0)"},
		{name: "up", pkg: "b", imports: []string{"m/top"}, want: "b (floor 0) imports top (floor 2)"},
		{name: "up to the parent folder", pkg: "mid/fake", imports: []string{"m/mid"}, want: "mid/fake (floor 0) imports mid (floor 1)"},
		{name: "unknown package", pkg: "stray", imports: nil, want: "stray: has no floor"},
		{name: "unknown package in a known folder", pkg: "mid/stray", imports: nil, want: "mid/stray: has no floor"},
		{name: "as many as the limit", pkg: "mid", imports: []string{"m/a", "m/b", "example.org/x"}},
		{name: "more than the limit", pkg: "mid", imports: []string{"m/a", "m/b", "m/c"}, want: "mid imports 3 packages of ours, at most 2"},
		{name: "not in the list", pkg: "top", imports: []string{"m/a", "m/b", "m/beside", "m/c", "m/mid"}, want: "top imports beside: not in its list"},
		{name: "list out of date", pkg: "top", imports: []string{"m/a", "m/b", "m/c"}, want: "top does not import mid"},
		{name: "an importer not named", pkg: "beside", imports: []string{"m/mid/fake"}, want: "beside imports mid/fake: only for [cmd/m]"},
		{name: "impure", pkg: "mid", imports: []string{"os"}, want: "mid imports os: the package is pure"},
		{name: "testing", pkg: "b", imports: []string{"testing"}, want: "b imports testing: for tests only"},
		{name: "testing's folder", pkg: "b", imports: []string{"testing/synctest"}, want: "b imports testing/synctest: for tests only"},
		{name: "a package for tests", pkg: "b", imports: []string{"net/http/httptest"}, want: "b imports net/http/httptest: for tests only"},
		{name: "a package for tests imports another", pkg: "mid/faketest", imports: []string{"testing"}},
		{name: "a package of ours for tests", pkg: "mid", imports: []string{"m/mid/faketest"}, want: "mid imports m/mid/faketest: for tests only"},
		{name: "a name that says nothing", pkg: "util", imports: nil, want: "util: the name says nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			imports := plantedImports()
			imports[test.pkg] = test.imports
			got := plantedRules.breaches(imports)
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("breaches %q, want none", got)
			case test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], test.want)):
				t.Errorf("breaches %q, want one that begins with %q", got, test.want)
			}
		})
	}
}

// TestRulesAreSound: a slip in the table itself must not switch a rule off.
func TestRulesAreSound(t *testing.T) {
	r := tangledRules
	for _, named := range [][]string{slices.Collect(maps.Keys(r.lists)), slices.Collect(maps.Keys(r.importers)), r.pure} {
		for _, pkg := range named {
			if _, ok := r.floors[pkg]; !ok {
				t.Errorf("a rule names %s, which has no floor", pkg)
			}
		}
	}
	for pkg, list := range r.lists {
		for _, imp := range list {
			if below, ok := r.floors[imp]; !ok || below >= r.floors[pkg] {
				t.Errorf("the list of %s names %s, which is not below it", pkg, imp)
			}
		}
	}
}
