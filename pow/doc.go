// Package pow searches the nonce that carries a message's proof of work: the
// least one for which BLAKE2b-256(hash || nonce) begins with enough zero bits.
//
// The input is 40 bytes whatever the message's size, so that one nonce costs
// one BLAKE2b compression. A kernel searches a range of nonces. The portable
// one is plain Go and tries them one by one; on amd64 there is one with four
// nonces side by side for AVX2 and one with sixteen for AVX-512. The rounds of
// all three are written by tools/powgen. All kernels find the same nonce, the
// least of the range; New takes the widest that the machine can run.
// GODEBUG=cpu.avx512f=off, and cpu.avx2=off with it, hide what the machine can do.
//
// A Miner is shared by everyone who mines in a process. It bounds how many
// goroutines search at the same time, and a long search gives its turn to the
// others every few milliseconds.
//
// # Errors
//
// Mine returns the context's error when that ends first, and an error for bits
// above MaxBits, which is the caller's mistake. Nothing else can fail.
package pow
