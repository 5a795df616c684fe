package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// generate returns the text of every file, by name.
func generate() (map[string][]byte, error) {
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
	config := printer.Config{Name: "powgen", Pkg: "pow"}
	assembly, err := printer.NewGoAsm(config).Print(f)
	if err != nil {
		return nil, fmt.Errorf("print assembly: %w", err)
	}
	stubs, err := printer.NewStubs(config).Print(f)
	if err != nil {
		return nil, fmt.Errorf("print declarations: %w", err)
	}
	return map[string][]byte{"search_amd64.s": assembly, "search_amd64.go": stubs}, nil
}

// signature is that of every search function.
const signature = "func(words *uint64, start, n, limit uint64) (i uint64)"

// declare begins a search function that tries so many nonces side by side.
func declare(c *build.Context, name string, lanes int) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Pragma("noescape")
	c.Doc(
		fmt.Sprintf("%s tries the n nonces from start on in groups of %d, and returns", name, lanes),
		"the offset of the first whose digest's first word, in big-endian order, is at",
		"most limit: 2^k-1 for any k. It is n or more if there is none; the last group",
		"may reach behind the range. words are the 20 of a block.")
}
