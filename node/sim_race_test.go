//go:build race

package node

// defaultSeeds are few where each takes ten times as long.
const defaultSeeds = 4
