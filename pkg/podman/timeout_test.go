package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// brief is a bound that every fake which hangs passes.
const brief = 50 * time.Millisecond

// TestTimeout: a command that takes too long is told to end, and the error says
// which it was, and the bound.
func TestTimeout(t *testing.T) {
	tests := []struct {
		timeouts Timeouts
		args     []string
		want     string
		pull     bool
	}{
		{Timeouts{Command: brief}, []string{"volume", "create", "s3cret"}, "podman volume create: stopped because it took longer than 50ms", false},
		{Timeouts{Pull: brief, Command: time.Hour}, []string{"image", "pull", "s3cret"}, "podman image pull: stopped because it took longer than 50ms", true},
	}
	for _, tt := range tests {
		p, _ := fake(t, "waits")
		p.Timeouts = tt.timeouts
		var seen []Command
		p.Observe = func(c Command) { seen = append(seen, c) }
		_, err := p.Output(t.Context(), tt.args...)
		var late *TimeoutError
		if !errors.As(err, &late) || err.Error() != tt.want || late.IsPull() != tt.pull {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if len(seen) != 1 || seen[0].Err != err {
			t.Errorf("observed %+v", seen)
		}
	}
}

// TestTimeoutOfTheCaller: if the caller gives a command less time than its bound, the error
// does not mention the bound.
func TestTimeoutOfTheCaller(t *testing.T) {
	p, _ := fake(t, "waits")
	p.Timeouts = Timeouts{Command: time.Hour}
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	_, err := p.Output(ctx, "ps")
	var late *TimeoutError
	if err == nil || errors.As(err, &late) {
		t.Errorf("got %v", err)
	}
}

// TestTimeoutStubborn: what does not end at SIGTERM is killed, with what it started.
func TestTimeoutStubborn(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, "stubborn")
	p.Timeouts = Timeouts{Command: time.Second}
	_, err := p.Output(t.Context(), "ps")
	var late *TimeoutError
	if !errors.As(err, &late) {
		t.Errorf("got %v", err)
	}
	var child int
	if _, err := fmt.Sscan(strings.TrimPrefix(calls(t, dir), "ps "), &child); err != nil {
		t.Fatal(err)
	}
	for alive(child) {
		time.Sleep(time.Millisecond)
	}
}

// alive reports whether a process is there, and no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}
