package ingest

import (
	"container/list"
	"sync"
)

// sessions knows which connection a client identifier has and the memory of
// it. An identifier has one connection at most, and that of a former one has
// ended altogether before the next is let in: mochi hands subscriptions and
// unacknowledged messages from one to the other without locking them.
type sessions struct {
	max    int             // identifiers without a connection
	forget func(id string) // drops what mochi keeps of id

	mu      sync.Mutex
	entries map[string]*session
	idle    list.List // of *session without a connection, the longest idle first
}

type session struct {
	id     string
	memory *memory
	conn   *conn         // nil where idle
	place  *list.Element // in idle, nil where connected
}

// join makes c the connection of cl.id. It returns the connection that holds
// the identifier instead where there is one: end it, wait, and ask again.
func (s *sessions) join(c *conn, cl *client) (holder *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[cl.id]
	switch {
	case e == nil:
		e = &session{id: cl.id, memory: newMemory()}
		s.entries[cl.id] = e
	case e.conn != nil:
		return e.conn
	default:
		s.idle.Remove(e.place)
		e.place = nil
	}
	e.conn = c
	cl.memory = e.memory
	c.client.Store(cl)
	return nil
}

// leave makes id idle and forgets the longest idle beyond the limit.
func (s *sessions) leave(c *conn, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil || e.conn != c {
		return
	}
	e.conn = nil
	e.place = s.idle.PushBack(e)
	for s.idle.Len() > s.max {
		oldest := s.idle.Remove(s.idle.Front()).(*session)
		delete(s.entries, oldest.id)
		s.forget(oldest.id)
	}
}
