package node

import (
	"slices"
	"time"

	"tangled/message"
)

const (
	// holdAhead is how far a message's clock may run ahead of ours and still
	// be taken; up to maxAhead it is held until then.
	holdAhead = 5 * time.Second
	maxAhead  = 60 * time.Second

	holdLimit       = 4096
	holdSenderLimit = 512
)

type heldMessage struct {
	m      *message.Message
	sender string
}

// hold keeps messages whose clock runs ahead until ours has come near. It is
// bounded, in all and per sender: a message beyond is dropped and fetched
// again once something refers to it.
type hold struct {
	held     map[message.ID]heldMessage
	bySender map[string]int
}

func (h *hold) add(m *message.Message, sender string) bool {
	if h.held == nil {
		h.held, h.bySender = make(map[message.ID]heldMessage), make(map[string]int)
	}
	if _, ok := h.held[m.ID()]; ok {
		return true
	}
	if len(h.held) >= holdLimit || h.bySender[sender] >= holdSenderLimit {
		return false
	}
	h.held[m.ID()] = heldMessage{m, sender}
	h.bySender[sender]++
	return true
}

func (h *hold) has(id message.ID) bool {
	_, ok := h.held[id]
	return ok
}

// due takes out what may now be attached, ascending by ID: parents first.
func (h *hold) due(now time.Time) []heldMessage {
	var due []heldMessage
	for id, held := range h.held {
		if id.Time().Sub(now) > holdAhead {
			continue
		}
		due = append(due, held)
		delete(h.held, id)
		if h.bySender[held.sender]--; h.bySender[held.sender] == 0 {
			delete(h.bySender, held.sender)
		}
	}
	slices.SortFunc(due, func(a, b heldMessage) int { return a.m.ID().Compare(b.m.ID()) })
	return due
}
