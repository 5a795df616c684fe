// Package layers holds the module to its floors: which package may import
// which. It has no code of its own, only the test that reads the imports of
// every package and compares them with the table in floors_test.go.
//
// A package stands on one floor and imports packages of lower floors only,
// never one beside it or above it. That is why any package can be understood,
// and tested, with nothing but what stands below it. Whoever adds a package
// gives it a floor in the table; whoever needs an import the table forbids has
// either the wrong package or a reason to move it, and the change of the table
// shows it to the reviewer.
//
// # Errors
//
// The test names each breach with the package, the import and the rule.
package layers
