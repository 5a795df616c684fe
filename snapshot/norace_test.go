//go:build !race

package snapshot_test

// racing tells that the race detector watches.
const racing = false
