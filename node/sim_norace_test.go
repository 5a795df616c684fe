//go:build !race

package node

const defaultSeeds = 100
