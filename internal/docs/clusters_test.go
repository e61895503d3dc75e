package main

import (
	"os"
	"strings"
	"testing"
)

// The policy for Slurm is the same on the page as in the examples, where a test runs it
// (TestSlurmExample).
func TestClustersPolicy(t *testing.T) {
	page, err := os.ReadFile("../../docs/clusters.md")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := os.ReadFile("../../examples/policies/slurm.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```toml\n"+string(policy)+"```\n") {
		t.Error("docs/clusters.md does not have examples/policies/slurm.toml as it is")
	}
}
