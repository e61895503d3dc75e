package housekeeping

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "12h": 12 * time.Hour, "0": 0, "0d": 0, "30d": 720 * time.Hour, "10000d": 240000 * time.Hour} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1h", "-1d", "1.5d", "30", "10001d", "1w", "d30", "1h30d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]int{"80": 80, "80%": 80, "1": 1, "99": 99} {
		if got, err := ParsePercent(text); got != want || err != nil {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "0", "100", "-5", "80%%", "0.8", "80 %"} {
		if got, err := ParsePercent(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestFigures(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": -time.Hour, "90s": 90 * time.Second, "2m": 2 * time.Minute, "119m": 119 * time.Minute, "47h": 47 * time.Hour, "2d": 48 * time.Hour} {
		if got := age(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{-1: "", 0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
