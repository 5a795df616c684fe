package main

import (
	"bufio"
	"bytes"
	"log/slog"
	"os"
	"sync"
)

// faults are the records at error level that the nodes of a demo logged: what is
// wrong with a node itself, and never what another can bring about. As an
// io.Writer it takes one record at a time. It is safe for concurrent use.
type faults struct {
	mu    sync.Mutex
	count int
	first string
}

func (f *faults) Write(record []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.count == 1 {
		f.first = string(bytes.TrimSpace(record))
	}
	return len(record), nil
}

// logger logs there what is at error level.
func (f *faults) logger() *slog.Logger { return newTextLogger(f, slog.LevelError) }

// soFar is how many there are, and the first one.
func (f *faults) soFar() (count int, first string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count, f.first
}

// faultsIn reads them from the logs of processes.
func faultsIn(logs []string) (*faults, error) {
	f := new(faults)
	for _, path := range logs {
		if err := f.read(path); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *faults) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, int(mebibyte))
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(" level=ERROR ")) {
			f.Write(lines.Bytes()) // never fails
		}
	}
	return lines.Err()
}
