package podman

import (
	"slices"
	"testing"
	"time"
)

func TestLogs(t *testing.T) {
	p, _ := answers(t, map[string]string{"logs": "one\r\n\ntwo  \n", "logs.exit": "0"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err != nil || !slices.Equal(got, []string{"one", "", "two  "}) {
		t.Errorf("got %q, %v", got, err)
	}
	p, _ = answers(t, map[string]string{"logs.stderr": "said on stderr"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err != nil || !slices.Equal(got, []string{"said on stderr"}) {
		t.Errorf("got %q, %v", got, err)
	}
	p, _ = answers(t, map[string]string{"logs.stderr": "Error: no container\n", "logs.exit": "125"})
	if got, err := p.Logs(t.Context(), "n", time.Time{}, 5); err == nil || err.Error() != "podman logs: exit status 125" || !slices.Equal(got, []string{"Error: no container"}) {
		t.Errorf("got %q, %v", got, err)
	}
}
