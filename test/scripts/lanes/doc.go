// Package lanes tests the script `run` beside it, by which CI runs suites side by side.
package lanes
