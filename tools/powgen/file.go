package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// compile returns the instructions of every kernel, with registers and stack
// frames assigned.
func compile() (*ir.File, error) {
	c := build.NewContext()
	c.ConstraintExpr("amd64")
	t := newTables(c)
	searchAVX2(c, t)
	searchAVX512(c, t)
	f, err := c.Result()
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return f, nil
}

// generate returns the text of every file, by name.
func generate() (map[string][]byte, error) {
	f, err := compile()
	if err != nil {
		return nil, err
	}
	config := printer.Config{Name: "powgen", Pkg: "pow"}
	assembly, err := printer.NewGoAsm(config).Print(f)
	if err != nil {
		return nil, fmt.Errorf("print assembly: %w", err)
	}
	stubs, err := printer.NewStubs(config).Print(f)
	if err != nil {
		return nil, fmt.Errorf("print declarations: %w", err)
	}
	portable, err := word()
	if err != nil {
		return nil, fmt.Errorf("print the portable hash: %w", err)
	}
	return map[string][]byte{"search_amd64.s": assembly, "search_amd64.go": stubs, "word.go": portable}, nil
}
