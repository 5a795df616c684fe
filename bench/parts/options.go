package parts

import (
	"fmt"
	"path/filepath"
)

// Options say how large a measurement is and where it keeps its data.
type Options struct {
	// Dir is a folder that is there and empty. What is in it at the end is the
	// caller's to keep or to remove.
	Dir string
	// Messages is how many readings there are to begin with, at least 100.
	Messages int
	// Progress, if not nil, is told how far a step has come, from one goroutine at a
	// time. A total of zero is not known yet.
	Progress func(step string, done, total uint64)
}

// LeastMessages is the least Options.Messages: below, no figure means anything.
const LeastMessages = 100

func (o *Options) ensureDefaults() {
	if o.Progress == nil {
		o.Progress = func(string, uint64, uint64) {}
	}
}

func (o *Options) validate() error {
	if o.Dir == "" {
		return fmt.Errorf("bench: no folder for the data")
	}
	if o.Messages < LeastMessages {
		return fmt.Errorf("bench: %d messages, want at least %d", o.Messages, LeastMessages)
	}
	return nil
}

// begin makes o ready for use.
func (o *Options) begin() error {
	o.ensureDefaults()
	return o.validate()
}

func (o *Options) folder(name string) string { return filepath.Join(o.Dir, name) }
