//go:build soak

package main

import "testing"

// TestSoakKill is TestKill for long.
func TestSoakKill(t *testing.T) { killRounds(t, 30, 20*patience) }
