package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// cursor is a place in the network-wide order of final messages, the same on
// every node: the anchor that included a message and the message's index there,
// written J:I. The zero cursor is before all.
type cursor struct {
	anchor, index uint64
}

// cursorOf is the place in a reply.
func cursorOf(p interface {
	GetAnchor() uint64
	GetIndex() uint32
}) cursor {
	return cursor{p.GetAnchor(), uint64(p.GetIndex())}
}

// proto is the cursor in a request; absent for the beginning.
func (c cursor) proto() *tangledv1.Cursor {
	if c == (cursor{}) {
		return nil
	}
	return &tangledv1.Cursor{Anchor: c.anchor, Index: uint32(c.index)}
}

func (c cursor) String() string {
	return strconv.FormatUint(c.anchor, 10) + ":" + strconv.FormatUint(c.index, 10)
}

// parseCursor reads what String writes. Empty is the zero cursor.
func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	left, right, _ := strings.Cut(s, ":")
	anchor, err := strconv.ParseUint(left, 10, 64)
	index, indexErr := strconv.ParseUint(right, 10, 64)
	if err != nil || indexErr != nil || index > math.MaxUint32 {
		return cursor{}, fmt.Errorf("cursor %q: want ANCHOR:INDEX, such as 12:0", s)
	}
	return cursor{anchor, index}, nil
}
