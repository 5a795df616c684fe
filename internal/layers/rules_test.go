package layers

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// rules say which package may import which.
type rules struct {
	module    string              // the module's path
	floors    map[string]int      // every package has a floor
	limit     int                 // imports of ours, for a package without a list
	lists     map[string][]string // package -> exactly what it imports of ours
	importers map[string][]string // package -> the only ones that may import it
	pure      []string            // packages that may not import what is impure
	impure    []string            // of the standard library
	names     []string            // no package may be called one of these
}

// breaches compares imports, package -> what its production files import, with
// the rules. Packages of ours are given relative to the module, others by
// their import path. A package in the table that does not exist is no breach.
func (r rules) breaches(imports map[string][]string) []string {
	var found []string
	breach := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		if slices.Contains(r.names, path.Base(pkg)) {
			breach("%s: the name says nothing about the package", pkg)
		}
		floor, ok := r.floors[pkg]
		if !ok {
			breach("%s: has no floor in the table", pkg)
			continue
		}
		var ours []string
		for _, imp := range imports[pkg] {
			if testsOnly(imp) && !testsOnly(pkg) {
				breach("%s imports %s: for tests only", pkg, imp)
			}
			if slices.Contains(r.pure, pkg) && slices.Contains(r.impure, imp) {
				breach("%s imports %s: the package is pure", pkg, imp)
			}
			if imp, ok := r.local(imp); ok {
				ours = append(ours, imp)
			}
		}
		for _, imp := range ours {
			// An import without a floor is reported where it is declared.
			if below, ok := r.floors[imp]; ok && below >= floor {
				breach("%s (floor %d) imports %s (floor %d): imports go down", pkg, floor, imp, below)
			}
			if who, ok := r.importers[imp]; ok && !slices.Contains(who, pkg) {
				breach("%s imports %s: only for %v", pkg, imp, who)
			}
		}
		found = append(found, r.countBreaches(pkg, ours)...)
	}
	return found
}

// countBreaches holds a package to its list, or to the limit.
func (r rules) countBreaches(pkg string, ours []string) []string {
	list, ok := r.lists[pkg]
	if !ok {
		if len(ours) > r.limit {
			return []string{fmt.Sprintf("%s imports %d packages of ours, at most %d", pkg, len(ours), r.limit)}
		}
		return nil
	}
	var found []string
	for _, imp := range ours {
		if !slices.Contains(list, imp) {
			found = append(found, fmt.Sprintf("%s imports %s: not in its list", pkg, imp))
		}
	}
	for _, imp := range list {
		if !slices.Contains(ours, imp) {
			found = append(found, fmt.Sprintf("%s does not import %s: its list is out of date", pkg, imp))
		}
	}
	return found
}

// local cuts the module off the import path of a package of ours.
func (r rules) local(imp string) (string, bool) {
	return strings.CutPrefix(imp, r.module+"/")
}

// testsOnly reports whether a package of the standard library, or one that
// follows its naming, is there for tests.
func testsOnly(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return first == "testing" || strings.HasSuffix(path.Base(imp), "test")
}
