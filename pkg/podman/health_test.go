package podman

import (
	"strconv"
	"testing"
)

func TestHealthy(t *testing.T) {
	tests := []struct {
		test []string
		call string
	}{
		{nil, ""},
		{[]string{"NONE"}, ""},
		{[]string{"CMD"}, ""},
		{[]string{"CMD", "pg_isready", "-U", "a b"}, "exec -- n pg_isready -U a b"},
		{[]string{"CMD-SHELL", "redis-cli ping || exit 1"}, "exec -- n sh -c redis-cli ping || exit 1"},
	}
	for _, tt := range tests {
		for code, want := range map[int]bool{0: true, 1: tt.call == "", 125: tt.call == ""} {
			p, calls := answers(t, map[string]string{"exec.exit": strconv.Itoa(code)})
			if got := p.Healthy(t.Context(), "n", HealthCheck{Test: tt.test}); got != want || calls() != tt.call {
				t.Errorf("%q that ends with %d: %v, by\n%s", tt.test, code, got, calls())
			}
		}
	}
}
