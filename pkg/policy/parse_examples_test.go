package policy

import (
	"path/filepath"
	"testing"
)

// Every policy of examples/ must load.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/policies/*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("examples/policies has %d files (%v), want at least 4", len(files), err)
	}
	for _, file := range append(files, "../../examples/demo/policy.toml") {
		if _, err := Load(file); err != nil {
			t.Errorf("%v", err)
		}
	}
}
