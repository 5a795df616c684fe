//go:build !race

package bubbletest

func limitProcessors() (restore func()) { return func() {} }
