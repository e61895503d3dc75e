package podman

import (
	"encoding/json"
	"errors"
)

// Mode is how a container starts, and where its input and output go.
type Mode int

const (
	// Interactive is `podman create` of a container that [Podman.Start] attaches to, once for
	// each script. podman keeps no log.
	Interactive Mode = iota
	// Service is `podman create` of a container that runs by itself: without standard
	// input, with a log that podman keeps.
	Service
	// Detached is `podman run` of a container without standard input and output.
	Detached
	// Attached is `podman run` with podman's own standard input and output. podman waits until
	// the container ends, and removes it.
	Attached
)

// maxLog bounds the log of a service on disk. The log is read for the last lines of a service
// that does not start, and for each step's lines with CI_DEBUG_SERVICES. GitLab shows 100 MB of
// a job's log. conmon starts a new file when this one is full (4.3.1 and 5.4.2, conmon 2.1.6
// and 2.1.12: `podman logs` has the lines since then).
const maxLog = "50m"

// command returns podman's command, with the options that belong to it.
func (m Mode) command() options {
	switch m {
	case Detached:
		return options{"run", "--detach"}
	case Attached:
		return options{"run", "--rm", "--sig-proxy=false", "--detach-keys", detachKeys}
	}
	return options{"create"}
}

// streams returns the options for standard input and output.
func (m Mode) streams() options {
	switch m {
	case Service:
		return options{"--log-driver", "k8s-file", "--log-opt", "max-size=" + maxLog}
	case Detached:
		return options{"--log-driver", "none"}
	}
	return options{"--interactive", "--log-driver", "none"}
}

// MarshalJSON writes whether the mode is Attached. Only a container that is launched on another
// machine is written to a file: it is either Attached or still the zero value.
func (m Mode) MarshalJSON() ([]byte, error) {
	if m != Interactive && m != Attached {
		return nil, errors.New("only an attached container can be written to a file")
	}
	return json.Marshal(m == Attached)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Mode) UnmarshalJSON(text []byte) error {
	var attached bool
	if err := json.Unmarshal(text, &attached); err != nil {
		return err
	}
	*m = Interactive
	if attached {
		*m = Attached
	}
	return nil
}
