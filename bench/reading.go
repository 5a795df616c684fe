package bench

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"time"
)

// reading is what is known of one that a source published.
type reading struct {
	due   time.Duration // since the load began
	acked micros        // after due
	final micros        // after due, on the slowest node so far
	nodes uint32        // a bit for each node on which it is final
}

// micros is a time in microseconds, at least 1, so that 0 is none; at most 71
// minutes. A run has millions of them.
type micros uint32

func toMicros(d time.Duration) micros {
	return micros(min(max(d.Microseconds(), 1), 1<<32-1))
}

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

// content is a reading as its source and its number say, padded to a size:
//
//	{"source":17,"seq":1234,"value":21.7,"pad":"9f3c..."}
type content struct {
	Source uint32 `json:"source"`
	Seq    uint32 `json:"seq"`
}

// padding is what readings are padded with. Hexadecimal digits that do not repeat
// compress by a half, about as real readings do.
type padding string

func newPadding() padding {
	r := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 4*maxSize)
	for i := range text {
		text[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return padding(text)
}

// encode appends the reading to b, size bytes of it.
func (p padding) encode(b []byte, c content, size int) []byte {
	from := len(b)
	b = append(b, `{"source":`...)
	b = strconv.AppendUint(b, uint64(c.Source), 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, uint64(c.Seq), 10)
	b = append(b, `,"value":`...)
	b = strconv.AppendFloat(b, 15+float64(c.Seq%200)/10, 'f', 1, 64)
	b = append(b, `,"pad":"`...)
	if room := size - (len(b) - from) - len(`"}`); room > 0 {
		at := int(c.Seq*2654435761+c.Source*40503) & (2*maxSize - 1)
		b = append(b, p[at:at+room]...)
	}
	return append(b, `"}`...)
}

// decodeContent reads what encode wrote.
func decodeContent(b []byte) (content, bool) {
	var c content
	return c, json.Unmarshal(b, &c) == nil
}
