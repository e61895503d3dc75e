package fakepodman

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Call is one line of the fake's log.
type Call struct {
	Verb string   `json:"verb"`
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// AuthMode is the mode of the file of --authfile and of its directory.
	AuthMode string `json:"auth_mode,omitempty"`
}

// AllCalls is the second log, below HOME: scripts remove the first one, but every call is
// checked at the end.
const AllCalls = "children/podman"

// Signalled is the file, in the fake's directory, that says that a program has got its SIGTERM.
const Signalled = "signalled"

// ReadLog returns the calls so far; none if there is no log. An incomplete last line is
// ignored.
func ReadLog(name string) ([]Call, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var calls []Call
	lines := bufio.NewReader(bytes.NewReader(text))
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return calls, nil
		}
		var c Call
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("reading the fake's log: %w", err)
		}
		calls = append(calls, c)
	}
}

// VerbOf returns the words of the command, "image-pull" of
// `podman --url … image pull …`.
func VerbOf(args []string) string {
	if len(args) > 2 && args[0] == "--url" {
		args = args[2:]
	}
	if len(args) > 1 && slices.Contains([]string{"image", "container", "volume", "network", "secret"}, args[0]) {
		return args[0] + "-" + args[1]
	}
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// RoleIn returns the role of the container that a command line creates.
func RoleIn(args []string) string {
	if verb := VerbOf(args); verb != "create" && verb != "run" {
		return ""
	}
	for _, arg := range args {
		if role, ok := strings.CutPrefix(arg, "io.podman-executor.role="); ok {
			return role
		}
	}
	return ""
}

// NamesIn returns the names after the options of a command line.
func NamesIn(args []string) []string { return args[slices.Index(args, "--")+1:] }

// IsID matches the ID of an image.
var IsID = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// ImageID returns the ID of the image with that name, or with that ID.
func ImageID(name string) string {
	if IsID.MatchString(name) {
		return name
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
}

// ImageDigest returns the digest of the image of that name.
func ImageDigest(name string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(ImageID(name))))
}
