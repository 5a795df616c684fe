package message

import "slices"

// Edges are the messages that m stands on, ascending and unique: its parents
// and, for a witness, its refs and the witness before. The past cone of m
// follows all of them. The caller must not change the slice.
func (m *Message) Edges() []ID {
	if m.edges != nil {
		return m.edges
	}
	return m.Parents
}

// join sets the edges, for which a witness is no nil.
func (m *Message) join(w *Witness) {
	if w == nil {
		return
	}
	edges := make([]ID, 0, len(m.Parents)+len(w.Refs)+1)
	edges = append(edges, m.Parents...)
	for _, ref := range w.Refs {
		edges = append(edges, ref.ID)
	}
	if !w.Previous.IsZero() {
		edges = append(edges, w.Previous)
	}
	slices.SortFunc(edges, ID.Compare)
	m.edges = slices.Compact(edges)
}
