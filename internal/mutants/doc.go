// Package mutants breaks the rules that the network's safety rests on, one at a
// time, and demands that a test notices. It has no code of its own.
//
// A mutant is a change of one place of one file, applied through the overlay of
// go test so that nothing in the module is touched, and the name of a test that
// has to fail. A mutant fails, and with it this package's test, if
//
//   - its text is not in the file exactly once: the code went on, and the mutant
//     has to follow;
//   - the changed module does not build: such a mutant proves nothing;
//   - the named test passes, or another one fails in its place.
//
// # Errors
//
// Each is told by the name of the mutant, with the output of the run.
package mutants
