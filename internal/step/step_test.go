package step

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestWhereOf(t *testing.T) {
	for _, name := range []string{
		"prepare_script", "get_sources", "clear_worktree", "boot_verify_probes", "restore_cache", "download_artifacts",
		"archive_cache", "archive_cache_on_failure", "upload_artifacts_on_success", "upload_artifacts_on_failure", "cleanup_file_variables",
	} {
		if WhereOf(name) != Runner {
			t.Errorf("%s is not the runner's", name)
		}
	}
	// What is not known is the user's: a name that a job's author can choose must
	// never lead to the runner container, or to the host.
	for _, name := range []string{"build_script", "step_script", "after_script", "step_release", "step_get_sources", "Get_sources", "get_sources ", "", "of_tomorrow"} {
		if WhereOf(name) != User {
			t.Errorf("%q is the runner's", name)
		}
	}
}

func TestInput(t *testing.T) {
	const proof = "echo >|/run/podman-executor/started\n"
	tests := []struct{ name, script, want string }{
		{"bash", "#!/usr/bin/env bash\necho\n", "61 sh\n#!/usr/bin/env bash\n" + proof + "echo\n"},
		{"sh", "#!/bin/sh\n", "46 sh\n#!/bin/sh\n" + proof},
		{"pwsh", "#!/usr/bin/env pwsh\nexit\n", "25 pwsh\n#!/usr/bin/env pwsh\nexit\n"},
		{"no shebang", "echo\nsh\n", "8 none\necho\nsh\n"},
		{"no newline", "#!/bin/sh", "9 none\n#!/bin/sh"},
		{"empty", "", "0 none\n"},
	}
	for _, tt := range tests {
		got, err := io.ReadAll(Input([]byte(tt.script), CleanNothing))
		if string(got) != tt.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestCommand(t *testing.T) {
	words := []string{"a b", "--c"}
	tests := []struct {
		name  string
		where Where
		entry EntryPoint
		want  []string
	}{
		{"user", User, EntryPoint{Shell: true}, []string{"shell", "0"}},
		{"runner", Runner, EntryPoint{Shell: true}, []string{"shell", "5", "0000", "/b", "/b/p", "/builds", "/cache"}},
		{"words and shell", User, EntryPoint{Words: words, Shell: true}, []string{"shell", "0", "a b", "--c"}},
		{"login shell", User, EntryPoint{Words: words, Shell: true, Login: true}, []string{"login", "0", "a b", "--c"}},
		{"words and file", Runner, EntryPoint{Words: words}, []string{"file", "5", "0000", "/b", "/b/p", "/builds", "/cache", "a b", "--c"}},
	}
	for _, tt := range tests {
		got := Command(tt.where, tt.entry, Sources{Root: "/b", Project: "/b/p"}, "/builds", "/cache")
		if got[0] != "-c" || got[1] != hide+stub(0) || got[2] != "podman-executor" || !slices.Equal(got[3:], tt.want) {
			t.Errorf("%s: got %q", tt.name, got[2:])
		}
	}
}

// TestTmpfs: the stub, the proof and the mount speak of one directory.
func TestTmpfs(t *testing.T) {
	if !strings.HasPrefix(Tmpfs, Dir+":") || !strings.Contains(stub(0), ">"+Dir+"/started") || !strings.HasPrefix(Private, Dir+"/") {
		t.Errorf("the directory is %s, the mount %s", Dir, Tmpfs)
	}
}
