// Command powgen writes the assembly of package pow, its Go declarations and the
// hash of the portable kernel into the folder that it is given: see the go:generate
// line there. Its output is committed; the same sources give the same bytes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: powgen FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "powgen:", err)
		os.Exit(1)
	}
}

// write generates the files into folder.
func write(folder string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
