package preflight

import (
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"4.3.1": "4.3.1", "v5.8.4": "5.8.4", "5.0": "5.0.0", "4.9.4-rhel": "4.9.4", "6.0.0-dev": "6.0.0",
		"crun version 1.8.1\ncommit: 1.2.3": "1.8.1", "runc version 1.1.12": "1.1.12", "netavark 1.4.0": "1.4.0",
		"5.4.2+ds1-2": "5.4.2",
	} {
		if v, ok := ParseVersion(text); !ok || v.String() != want {
			t.Errorf("%q: %v %v, want %s", text, v, ok, want)
		}
	}
	for _, text := range []string{"", "five", "5", "a1.2", "123456.1", "\n4.3.1"} {
		if v, ok := ParseVersion(text); ok {
			t.Errorf("%q: %v, want no version", text, v)
		}
	}
}

// TestPrograms holds each row of the table against the last version that has the
// hole and the first that has not.
func TestPrograms(t *testing.T) {
	tests := []struct {
		program, says string
		level         Level
		detail, not   string
	}{
		{"podman", "4.2.9", Error, "podman 4.2.9 is too old: the driver needs 4.3.0 or newer", ""},
		{"podman", "3.4.4", Error, "too old", ""},
		{"podman", "4.3.0", Warning, "4.3.0, as released, has CVE-2026-57231", "CVE-2026-55686"},
		{"podman", "5.2.4", Warning, "CVE-2024-9676", ""},
		{"podman", "5.2.5", Warning, "CVE-2026-57231", "CVE-2024-9676"},
		{"podman", "5.8.3", Warning, "CVE-2026-57231", ""},
		{"podman", "5.8.4", OK, "5.8.4", "CVE"},
		{"podman", "6.1.1", OK, "6.1.1", ""},
		{"podman", "10.0.0", OK, "10.0.0", ""},
		{"podman", "unknown", Warning, "unknown version", ""},
		{"runc", "runc version 1.1.11", Warning, "CVE-2024-21626", ""},
		{"runc", "runc version 1.1.12", Warning, "CVE-2025-31133", "CVE-2024-21626"},
		{"runc", "runc version 1.2.7", Warning, "CVE-2025-52881", ""},
		{"runc", "runc version 1.2.8", OK, "1.2.8", "CVE"},
		{"runc", "runc version 1.3.2", Warning, "CVE-2025-52565", ""},
		{"runc", "runc version 1.3.3", OK, "1.3.3", ""},
		{"crun", "crun version 1.8.1", OK, "1.8.1", ""},
		{"aardvark-dns", "aardvark-dns 1.15.0", OK, "1.15.0", ""},
		{"aardvark-dns", "aardvark-dns 1.16.0", Warning, "CVE-2026-35406", ""},
		{"aardvark-dns", "aardvark-dns 1.17.1", OK, "1.17.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.program+" "+tt.says, func(t *testing.T) {
			r := Program(tt.program, tt.says)
			want(t, r, tt.level, tt.detail, "")
			if tt.not != "" && strings.Contains(r.Detail, tt.not) {
				t.Errorf("%q has %s", r.Detail, tt.not)
			}
		})
	}
}

// TestHoles: what the table says can be true.
func TestHoles(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range holes {
		if seen[h.cve] || !strings.HasPrefix(h.cve, "CVE-") || h.what == "" || !h.first.Before(h.fixed) {
			t.Errorf("%+v", h)
		}
		seen[h.cve] = true
	}
}
