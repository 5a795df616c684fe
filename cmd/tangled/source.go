package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// envPrefix begins every variable of ours.
const envPrefix = "TANGLED_"

// The variables that are for the client commands, not settings of a node.
const (
	envAPI    = "TANGLED_API"
	envConfig = "TANGLED_CONFIG"
)

// parseFile reads the text of a tangled.toml. Each assignment's origin is
// path:line, and so is each error's.
func parseFile(text []byte, path string) ([]assignment, error) {
	tree := make(map[string]any)
	if err := toml.Unmarshal(text, &tree); err != nil {
		origin := path
		if at := new(toml.DecodeError); errors.As(err, &at) {
			row, _ := at.Position()
			origin = fmt.Sprintf("%s:%d", path, row)
		}
		return nil, &configError{Origin: origin, Err: errors.New(strings.TrimPrefix(err.Error(), "toml: "))}
	}
	lines := keyLines(text)
	var all []assignment
	var lineOf []int
	flatten("", 1, tree, func(key string, table int, value any) {
		line := lines.of(tablePlace(key, table))
		all = append(all, assignment{
			key: key, table: table, value: value, origin: fmt.Sprintf("%s:%d", path, line), dir: filepath.Dir(path),
		})
		lineOf = append(lineOf, line)
	})
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	// By line, so that of several mistakes the first in the file is told.
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(lineOf[i], lineOf[j]), cmp.Compare(all[i].key, all[j].key))
	})
	sorted := make([]assignment, len(all))
	for i, j := range order {
		sorted[i] = all[j]
	}
	return sorted, nil
}

// maxDepth is how many steps of a dotted key are looked at. No setting has more
// than two; a key of ten thousands would cost their square.
const maxDepth = 8

// flatten visits the values of a tree under their dotted keys. A table is
// visited itself when it is empty and no section, or too deep. The tables of an
// array that is known are numbered from 1; whatever else stands in none has number
// 0.
func flatten(prefix string, depth int, tree map[string]any, visit func(key string, table int, value any)) {
	for name, value := range tree {
		key := name
		if prefix != "" {
			key = prefix + "." + name
		}
		if table, ok := value.(map[string]any); ok && depth < maxDepth && (len(table) > 0 || isSection(key)) {
			flatten(key, depth+1, table, visit)
			continue
		}
		if tables := tablesOf(value); len(tables) > 0 && isTableArray(key) {
			for i, table := range tables {
				if len(table) == 0 {
					visit(key, i+1, table)
				}
				flatten(key, depth+1, table, func(key string, _ int, value any) { visit(key, i+1, value) })
			}
			continue
		}
		visit(key, 0, value)
	}
}

func isSection(key string) bool {
	return slices.ContainsFunc(settings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// lineIndex is where each dotted key of a document stands first, from 1. Of an
// array of tables each table has an entry too: retention[2].keep.
type lineIndex map[string]int

// of is the line of a key, or of the table around it.
func (l lineIndex) of(key string) int {
	for {
		if line, ok := l[key]; ok {
			return line
		}
		end := strings.LastIndexAny(key, ".[")
		if end < 0 {
			return 1
		}
		key = key[:end]
	}
}

// keyLines finds the lines of all keys of a document that has already been
// parsed without error: decoding into Go values forgets them.
func keyLines(text []byte) lineIndex {
	var p unstable.Parser
	p.Reset(text)
	lines := make(lineIndex)
	section := ""
	tables := make(map[string]int) // of each array
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			section = lines.add(&p, "", e)
		case unstable.ArrayTable:
			name := lines.add(&p, "", e)
			tables[name]++
			section = tablePlace(name, tables[name])
			lines[section] = lineOf(&p, e)
		case unstable.KeyValue:
			lines.addPair(&p, section, e)
		}
	}
	return lines
}

func (l lineIndex) addPair(p *unstable.Parser, prefix string, e *unstable.Node) {
	key := l.add(p, prefix, e)
	if value := e.Value(); value.Kind == unstable.InlineTable && strings.Count(key, ".") < maxDepth {
		for it := value.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				l.addPair(p, key, it.Node())
			}
		}
	}
}

// add enters each step of e's dotted key and returns the whole of it.
func (l lineIndex) add(p *unstable.Parser, prefix string, e *unstable.Node) string {
	for it := e.Key(); it.Next() && strings.Count(prefix, ".") < maxDepth; {
		if prefix != "" {
			prefix += "."
		}
		prefix += string(it.Node().Data)
		if _, ok := l[prefix]; !ok {
			l[prefix] = p.Shape(it.Node().Raw).Start.Line
		}
	}
	return prefix
}

// lineOf is where the key of e begins.
func lineOf(p *unstable.Parser, e *unstable.Node) int {
	it := e.Key()
	it.Next()
	return p.Shape(it.Node().Raw).Start.Line
}

// parseEnviron picks the settings out of an environment such as os.Environ().
// A variable that begins like ours and is none is refused, since it is a
// setting somebody believes to be in force.
func parseEnviron(environ []string) ([]assignment, error) {
	keys := make(map[string]string)
	for _, s := range settings() {
		if !s.table {
			keys[envName(s.key)] = s.key
		}
	}
	var all []assignment
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || name == envAPI || name == envConfig {
			continue
		}
		origin := "environment " + name
		key, ok := keys[name]
		if !ok {
			return nil, &configError{Origin: origin, Err: errors.New("no setting has this variable")}
		}
		all = append(all, assignment{key: key, value: value, bare: true, origin: origin})
	}
	slices.SortFunc(all, func(a, b assignment) int { return cmp.Compare(a.key, b.key) })
	return all, nil
}

// envName is the variable of a setting.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// parseSets reads the values of --set.
func parseSets(sets []string) ([]assignment, error) {
	var all []assignment
	for _, s := range sets {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, &configError{Origin: "--set " + s, Err: errors.New("want key=value, such as log.level=debug")}
		}
		all = append(all, assignment{key: key, value: value, bare: true, origin: "--set"})
	}
	return all, nil
}
