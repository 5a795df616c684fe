package main

const (
	// rounds is how many BLAKE2b has (RFC 7693, section 2.1).
	rounds = 12
	// h0 is the first word of the chaining value: the parameter block of an
	// unkeyed digest of 32 bytes over the first IV word (sections 2.5 and 2.6).
	h0 = 0x6a09e667f3bcc908 ^ 0x01010020
	// messageWords is how many words of the message are not always zero: four of
	// the hash, then the nonce.
	messageWords = 5
	nonceWord    = messageWords - 1
)

// sigma is BLAKE2b's message schedule (RFC 7693, section 2.7); the last two of
// the twelve rounds repeat the first two.
var sigma = [10][16]int{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

// quarter lists the state words of the eight mixings of a round: columns, then
// diagonals.
var quarter = [8][4]int{
	{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
	{0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14},
}

// mixing is one application of G (RFC 7693, section 3.1), eight updates of four
// state words in this order:
//
//	0  a += b + m[x]    4  a += b + m[y]
//	1  d = (d^a)>>>32   5  d = (d^a)>>>16
//	2  c += d           6  c += d
//	3  b = (b^c)>>>24   7  b = (b^c)>>>63
type mixing struct {
	a, b, c, d int
	x, y       int
	// updates is how many of them the digest's first word depends on: all, but
	// at the end.
	updates int
}

// steps lists the mixings between newBlock's state and the digest's first word,
// which is made of the state's words 0 and 8. Those of one step, the columns or
// the diagonals of a round, do not touch each other's words.
func steps() [][]mixing {
	needed := [16]bool{0: true, 8: true}
	list := make([][]mixing, 2*rounds)
	for i := len(list) - 1; i >= 0; i-- {
		var before [16]bool
		for q := i % 2 * 4; q < i%2*4+4; q++ {
			w, s := quarter[q], sigma[i/2%len(sigma)]
			m := mixing{a: w[0], b: w[1], c: w[2], d: w[3], x: s[2*q], y: s[2*q+1]}
			// In the first step newBlock has mixed what the nonce does not meet.
			if i == 0 && m.x != nonceWord && m.y != nonceWord {
				continue
			}
			// The last updates are those of a, d, c and b.
			for last, word := range [...]int{m.a, m.d, m.c, m.b} {
				if needed[word] {
					m.updates = 4 + last + 1
				}
			}
			if m.updates == 0 {
				continue
			}
			list[i] = append(list[i], m)
			for _, word := range w {
				before[word] = true
			}
		}
		needed = before
	}
	return list
}
