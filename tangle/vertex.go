package tangle

import (
	"slices"
	"time"

	"tangled/message"
)

const (
	// inlineEdges are held in the vertex itself: as many as an ordinary message
	// has parents. Those of a witness beyond are in vertices.more.
	inlineEdges = message.MaxParents
	chunkSize   = 4096
)

// Flags of a vertex.
const (
	approved = 1 << iota // it has a solid child
	final                // an anchor fixed it
	reached              // an anchor has it in its past cone
	partial              // some edges were not in memory when it came
	many                 // it has more edges than fit inline
)

// vertex is a solid message without its payload. Every edge of a vertex is
// solid: it is in edges, or was not in memory when the vertex came.
//
// It has no pointers: the collector does not look at a quarter of a million of
// these, and a walk that goes by numbers stays within the cache's reach.
type vertex struct {
	id         message.ID
	edges      [inlineEdges]uint64 // seqs
	approvedAt time.Duration       // of the first solid child, since Tangle.start
	count      uint8               // edges in use
	flags      uint8
	kind       message.Kind
}

// vertices holds the newest solid messages by seq, their place in the order of
// becoming solid, in chunks that never move.
type vertices struct {
	bySeq  map[message.ID]uint64
	chunks []*[chunkSize]vertex
	base   uint64 // seq of the first place of the first chunk
	oldest uint64 // seq of the oldest vertex held
	next   uint64 // seq of the vertex to come
	more   map[uint64][]uint64
}

func newVertices() vertices {
	return vertices{bySeq: make(map[message.ID]uint64), more: make(map[uint64][]uint64)}
}

func (s *vertices) len() int { return int(s.next - s.oldest) }

// holds tells whether the vertex with a seq is in memory.
func (s *vertices) holds(seq uint64) bool { return seq-s.oldest < s.next-s.oldest }

// at is the vertex with a seq that is in memory.
func (s *vertices) at(seq uint64) *vertex {
	place := seq - s.base
	return &s.chunks[place/chunkSize][place%chunkSize]
}

// find returns the vertex of id and its seq, or nil.
func (s *vertices) find(id message.ID) (*vertex, uint64) {
	seq, ok := s.bySeq[id]
	if !ok {
		return nil, 0
	}
	return s.at(seq), seq
}

// add appends a vertex of m without edges.
func (s *vertices) add(m *message.Message) (*vertex, uint64) {
	seq := s.next
	s.next++
	if (seq-s.base)/chunkSize == uint64(len(s.chunks)) {
		s.chunks = append(s.chunks, new([chunkSize]vertex))
	}
	v := s.at(seq)
	*v = vertex{id: m.ID(), kind: m.Kind}
	s.bySeq[v.id] = seq
	return v, seq
}

// join adds an edge from v to the vertex with seq to.
func (s *vertices) join(v *vertex, seq, to uint64) {
	if v.count < inlineEdges {
		v.edges[v.count] = to
		v.count++
		return
	}
	v.flags |= many
	s.more[seq] = append(s.more[seq], to)
}

// rest are the edges of v that do not fit inline.
func (s *vertices) rest(v *vertex, seq uint64) []uint64 {
	if v.flags&many == 0 {
		return nil
	}
	return s.more[seq]
}

// dropOldest forgets the vertex that became solid first, and returns it.
func (s *vertices) dropOldest() vertex {
	seq := s.oldest
	v := *s.at(seq)
	delete(s.bySeq, v.id)
	delete(s.more, seq)
	s.oldest++
	if s.oldest-s.base == chunkSize {
		s.chunks = slices.Delete(s.chunks, 0, 1)
		s.base += chunkSize
	}
	return v
}
