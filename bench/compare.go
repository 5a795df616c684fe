package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Change is a figure in two results. One that a result does not have is zero there.
type Change struct {
	Name           string // the keys on the way to it, with dots in between
	Old, New       float64
	HasOld, HasNew bool
}

// Ratio is new over old; false where there is none.
func (c Change) Ratio() (float64, bool) {
	return c.New / c.Old, c.HasOld && c.HasNew && c.Old != 0
}

// Compare sets the numbers of two JSON results side by side, in the order of
// their names. The error tells which of
// the two is no JSON object.
func Compare(before, after []byte) ([]Change, error) {
	old, err := figures(before)
	if err != nil {
		return nil, fmt.Errorf("old result: %w", err)
	}
	now, err := figures(after)
	if err != nil {
		return nil, fmt.Errorf("new result: %w", err)
	}
	all := maps.Clone(old)
	maps.Copy(all, now)
	changes := make([]Change, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := Change{Name: name}
		c.Old, c.HasOld = old[name]
		c.New, c.HasNew = now[name]
		changes = append(changes, c)
	}
	return changes, nil
}

// figures are the numbers of a JSON object by name.
func figures(b []byte) (map[string]float64, error) {
	var object map[string]any
	if err := json.Unmarshal(b, &object); err != nil {
		return nil, err
	}
	found := make(map[string]float64)
	addFigures(found, "", object)
	return found, nil
}

func addFigures(to map[string]float64, name string, v any) {
	below := func(key string) string {
		if name == "" {
			return key
		}
		return name + "." + key
	}
	switch v := v.(type) {
	case float64:
		to[name] = v
	case map[string]any:
		for key, inner := range v {
			addFigures(to, below(key), inner)
		}
	case []any:
		for i, inner := range v {
			addFigures(to, below(strconv.Itoa(i)), inner)
		}
	}
}
