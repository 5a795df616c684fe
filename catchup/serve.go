package catchup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tangled/proof"
)

// anchors appends a page of a run.
func (src *Source) anchors(ctx context.Context, b []byte, q request, pageSize int) ([]byte, error) {
	through := src.Complete(q.anchor)
	signed, set, err := src.signatures(q.anchor)
	if err != nil {
		return nil, err
	}
	if through < q.anchor || q.until > through && (signed == 0 || signed > through) {
		// Nothing that is here ends the run, so nobody could believe it.
		if through < src.LastAnchor() && q.anchor <= src.LastAnchor() {
			return nil, ErrNotHere
		}
		return nil, errNotYet
	}
	w := pageWriter{src: src, b: append(b, endMore, 0, 0, 0, 0), limit: pageSize}
	w.begin = len(w.b)
	for index := q.index; q.anchor <= min(q.until, through); q.anchor, index = q.anchor+1, 0 {
		full, err := w.add(ctx, q.anchor, index)
		if err != nil {
			return nil, err
		}
		if full {
			break
		}
		switch q.anchor {
		case signed:
			w.mark(endSigned, set)
			if signed, set, err = src.signatures(q.anchor + 1); err != nil {
				return nil, err
			}
		case q.until:
			w.mark(endUntil, nil)
		}
	}
	return w.finish(), nil
}

// pageWriter fills a page of anchors. It remembers the last place where the run
// may end.
type pageWriter struct {
	src    *Source
	b      []byte
	begin  int // of the content, behind the page's head
	limit  int // bytes of content
	end    byte
	marked int // where the content ends, if end is not endMore
	set    []proof.Signature
}

// add appends an anchor from an index of its list on, the commitment before it if
// that is 0, and tells whether the page was full before the list's end.
func (w *pageWriter) add(ctx context.Context, anchor uint64, index uint32) (full bool, err error) {
	c, err := w.src.commitment(anchor)
	if err != nil {
		return false, err
	}
	if index > 0 && uint64(index) >= c.Count {
		return false, fmt.Errorf("index %d of anchor %d, which includes %d: %w", index, anchor, c.Count, ErrNotHere)
	}
	if index == 0 {
		// With its first entry: a page that ended between them would go on at the
		// same index as one that ended before both.
		if w.room() < proof.CommitmentSize+int(min(c.Count, 1))*entrySize {
			return true, nil
		}
		w.b = append(w.b, c.Encode()...)
	}
	wanted := c.Count - uint64(index)
	w.b = slices.Grow(w.b, int(min(wanted*entrySize, uint64(w.room()))))
	for entry, err := range w.src.Included(ctx, anchor, index) {
		if err != nil {
			return false, fmt.Errorf("list of anchor %d: %w", anchor, err)
		}
		if w.room() < entrySize {
			return true, nil
		}
		w.b = append(append(w.b, entry.ID[:]...), entry.Outcome)
		wanted--
	}
	if wanted != 0 {
		return false, fmt.Errorf("list of anchor %d has not %d entries", anchor, c.Count)
	}
	return false, nil
}

func (w *pageWriter) room() int { return w.limit - (len(w.b) - w.begin) }

// mark tells that the run may end here.
func (w *pageWriter) mark(end byte, set []proof.Signature) {
	w.end, w.set, w.marked = end, set, len(w.b)
}

// finish is the page, cut at the last mark if there is one.
func (w *pageWriter) finish() []byte {
	if w.end != endMore {
		w.b = w.b[:w.marked]
	}
	head := w.b[w.begin-5 : w.begin]
	head[0] = w.end
	binary.BigEndian.PutUint32(head[1:], uint32(len(w.b)-w.begin))
	return appendSignatures(w.b, w.set)
}

// bodies appends messages in their order: at least one, if it is here.
func (src *Source) bodies(ctx context.Context, b []byte, q request, pageSize int) ([]byte, error) {
	w := bodiesWriter{src: src, limit: len(b) + 4 + pageSize}
	head := len(b)
	w.b = append(b, 0, 0, 0, 0)
	last := min(q.until, src.LastAnchor())
	for index := q.index; q.anchor <= last; q.anchor, index = q.anchor+1, 0 {
		more, err := w.add(ctx, q.anchor, index)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	if w.count == 0 {
		return nil, ErrNotHere
	}
	binary.BigEndian.PutUint32(w.b[head:], w.count)
	return w.b, nil
}

// bodiesWriter fills a page of bodies.
type bodiesWriter struct {
	src   *Source
	b     []byte
	limit int // of b
	count uint32
}

// add appends the messages of an anchor from an index on, and tells whether it
// came to the end.
func (w *bodiesWriter) add(ctx context.Context, anchor uint64, index uint32) (more bool, err error) {
	c, err := w.src.commitment(anchor)
	if errors.Is(err, ErrNotHere) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// Counted, because a list cut short here would put the next anchor's messages
	// in the wrong place, and that would look like a lie.
	wanted := c.Count - min(c.Count, uint64(index))
	for entry, err := range w.src.Included(ctx, anchor, index) {
		if err != nil {
			return false, fmt.Errorf("list of anchor %d: %w", anchor, err)
		}
		body, err := w.src.Message(entry.ID)
		if errors.Is(err, ErrNotHere) {
			return false, nil // what came before it is of use
		}
		if err != nil {
			return false, fmt.Errorf("message %v of anchor %d: %w", entry.ID, anchor, err)
		}
		if w.count == maxBodies || w.count > 0 && len(w.b)+4+len(body) > w.limit {
			return false, nil
		}
		if cap(w.b)-len(w.b) < 4+len(body) {
			w.b = slices.Grow(w.b, 4+len(body)+len(w.b)) // twice as much, not a quarter more
		}
		w.b = binary.BigEndian.AppendUint32(w.b, uint32(len(body)))
		w.b = append(w.b, body...)
		w.count++
		wanted--
	}
	if wanted != 0 {
		return false, fmt.Errorf("list of anchor %d has not %d entries", anchor, c.Count)
	}
	return true, ctx.Err()
}
