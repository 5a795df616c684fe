//go:build !amd64

package pow

func simdKernels() []kernel { return nil }
