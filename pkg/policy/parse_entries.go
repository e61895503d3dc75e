package policy

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ulimits are the limits that podman knows (docker/go-units ulimit.go).
var ulimits = []string{
	"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
	"rtprio", "rttime", "sigpending", "stack",
}

// readEntry takes "SOFT:HARD", or one number for both.
func (u *Ulimits) readEntry(name string, value any) error {
	if !slices.Contains(ulimits, name) {
		return errors.New("unknown limit: want one of " + strings.Join(ulimits, ", "))
	}
	text, ok := scalar(value)
	if !ok {
		return errors.New(`want "SOFT:HARD", got ` + describe(value))
	}
	before, after, both := strings.Cut(text, ":")
	if !both {
		after = before
	}
	soft, softErr := strconv.ParseInt(before, 10, 64)
	hard, hardErr := strconv.ParseInt(after, 10, 64)
	if softErr != nil || hardErr != nil || soft < Unlimited || hard < Unlimited {
		return fmt.Errorf("want \"SOFT:HARD\" or one number, -1 for no limit, got %q", truncate(text, 40))
	}
	if limitOf(soft) > limitOf(hard) {
		return fmt.Errorf("the soft limit %d is above the hard limit %d", soft, hard)
	}
	*u = append(*u, Ulimit{Name: name, Soft: soft, Hard: hard})
	return nil
}

// limitOf returns a number for comparisons: no limit is the largest.
func limitOf(n int64) int64 {
	if n == Unlimited {
		return math.MaxInt64
	}
	return n
}

// readEntry takes options of mount(8). A path above one of the driver's mounts is allowed:
// podman makes mounts in the order of their paths.
func (t *TmpfsMounts) readEntry(name string, value any) error {
	options, ok := value.(string)
	switch {
	case !ok:
		return errors.New("want a string of options, got " + describe(value))
	case !path.IsAbs(name) || path.Clean(name) != name || name == "/":
		return fmt.Errorf("want a clean absolute path below /, got %q", truncate(name, 80))
	case strings.ContainsFunc(name, notForMounts):
		return fmt.Errorf("podman cannot mount a path with a colon or a control character: %q", truncate(name, 80))
	case strings.ContainsFunc(options, notForMounts) || strings.Contains(options, " "):
		return fmt.Errorf("want options separated by commas, got %q", truncate(options, 80))
	case within(name, neverDestinations):
		return errors.New("reserved for podman's mounts")
	}
	*t = append(*t, Tmpfs{Path: name, Options: options})
	return nil
}

func notForMounts(r rune) bool { return r == ':' || unicode.IsControl(r) }

var sysctlForm = regexp.MustCompile(`\A[a-z0-9_]+([.-][A-Za-z0-9_]+)+\z`)

// readEntry takes a kernel parameter.
func (s *Sysctls) readEntry(name string, value any) error {
	text, ok := scalar(value)
	switch {
	case !sysctlForm.MatchString(name):
		return errors.New(`want a name such as "net.ipv4.ip_forward"`)
	case !ok:
		return errors.New("want a string, got " + describe(value))
	case text == "" || strings.ContainsFunc(text, notInOption):
		return fmt.Errorf("want a value without commas, got %q", truncate(text, 80))
	}
	*s = append(*s, Sysctl{Name: name, Value: text})
	return nil
}

// notInOption has the characters that would split an option of podman into several, and
// control characters.
func notInOption(r rune) bool { return r == ',' || r == '"' || unicode.IsControl(r) }

// read takes a list. A string, as for docker's `--gpus`, is an error.
func (g *GPUs) read(value any) []string {
	if _, ok := value.(string); ok {
		return []string{`want a list of names of CDI devices, such as ["nvidia.com/gpu=all"], got a string`}
	}
	return eachString(value, appendTo((*[]string)(g)))
}

// scalar returns a string or a whole number as text.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}
