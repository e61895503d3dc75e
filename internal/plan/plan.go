// Package plan keeps what prepare has decided for one job until the job is over. run and
// cleanup read the plan, and never the policy or the job's variables again, so editing the
// policy does not change a running job.
//
// The plan is in the directory that the runner makes for each attempt at a job (TMPDIR, mode
// 0700), outside every mount.
package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"podman-executor/internal/atomicfile"
	"podman-executor/internal/remote"
	"podman-executor/internal/step"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// version is the version of the file's format. prepare, run and cleanup of one job are from one
// installation, unless it was upgraded in between.
const version = 1

// fileName is the plan's name in the runner's directory.
const fileName = "podman-executor-plan.json"

// Plan is what run and cleanup need to know.
type Plan struct {
	Version int `json:"version"`
	// JobID and ProjectID are for the administrator's log.
	JobID     int64 `json:"job_id"`
	ProjectID int64 `json:"project_id"`
	// Podman is the podman that has the job's containers.
	Podman Podman `json:"podman"`
	// RunnerContainer and UserContainer are names. RunnerContainer is empty if the runner's own
	// steps run on the host.
	RunnerContainer string `json:"runner_container,omitempty"`
	UserContainer   string `json:"user_container"`
	// Services are the job's services. Network is the job's private network, with the services
	// and the user container; empty if it has none.
	Services []Service `json:"services,omitempty"`
	Network  string    `json:"network,omitempty"`
	// ShowServices copies the services' logs into the job log
	// (CI_DEBUG_SERVICES).
	ShowServices bool `json:"show_services,omitempty"`
	// HostDir is the directory in which steps on the host run; empty if there are none.
	HostDir string `json:"host_dir,omitempty"`
	// HostEnv is the environment of steps on the host; HostOpen makes what they write
	// writable for everybody.
	HostEnv  []string `json:"host_env,omitempty"`
	HostOpen bool     `json:"host_open,omitempty"`
	// Sources is where the job's sources are.
	Sources step.Sources `json:"sources"`
	// AuthDir held the registry credentials for the pull, and marks the job until its
	// containers are gone. cleanup makes sure that it is removed.
	AuthDir string `json:"auth_dir"`
	// Memory has the memory limit of each container of the job's steps that has one.
	Memory map[string]Memory `json:"memory,omitempty"`
	// PinDir has the pinned sources of the job's volumes; empty if there are none.
	PinDir string `json:"pin_dir,omitempty"`
	// SecretsDir is the directory of the podman secrets of the job's services. It exists only
	// if a service has one.
	SecretsDir string `json:"secrets_dir,omitempty"`
	// StepsDirs are the directories through which containers that stay for the whole job get
	// their steps. Containers without one are started for each step.
	StepsDirs map[string]string `json:"steps_dirs,omitempty"`
	// GiveProject means that the user of the image gets the project's files before the first of the
	// author's scripts.
	GiveProject bool `json:"give_project,omitempty"`
	// DefaultImage means that the policy names the image of UserContainer, and not the job.
	DefaultImage bool `json:"default_image,omitempty"`
	// UnusedEntryPoint is the image's ENTRYPOINT if neither job nor policy want it to run; empty
	// if the image has none.
	UnusedEntryPoint []string `json:"unused_entry_point,omitempty"`
	// Launch is how the author's steps are launched elsewhere; nil if they run in
	// UserContainer.
	Launch *Launch `json:"launch,omitempty"`
	// Keep means that the containers stay after the job.
	Keep bool `json:"keep,omitempty"`
	// Grace is how long a script may take to end after SIGTERM.
	Grace time.Duration `json:"grace"`
	Log   Log           `json:"log"`
}

// Launch is what a launcher needs to run one of the author's steps.
type Launch struct {
	// Program is the launcher, Words its arguments up to podman's command line.
	Program string   `json:"program"`
	Words   []string `json:"words,omitempty"`
	// Batch means that the launcher is sbatch, which gets a job script; Slurm means that it is
	// one of Slurm's commands.
	Batch bool `json:"batch,omitempty"`
	Slurm bool `json:"slurm,omitempty"`
	// Dir is the job's directory, which both machines see.
	Dir string `json:"dir"`
	// Container is run for each step.
	Container podman.Create `json:"container"`
	// AuthFile has the credentials for the image, and is copied to Dir for a step.
	AuthFile string `json:"auth_file,omitempty"`
	// Variable is the variable with which the job's author has chosen Options.
	Variable string   `json:"variable,omitempty"`
	Options  []string `json:"options,omitempty"`
}

// Service is one service of the job.
type Service struct {
	// Container is the container's name, Alias the first of its names on the
	// network.
	Container string `json:"container"`
	Alias     string `json:"alias"`
}

// Memory is a memory limit: how much, such as "512m", and how a job gets more.
type Memory struct {
	Limit string `json:"limit"`
	More  string `json:"more"`
}

// Podman is a podman program with its environment.
type Podman struct {
	Program string `json:"program"`
	URL     string `json:"url,omitempty"`
	// Identity and KnownHosts are files for a URL of ssh://.
	Identity   string   `json:"identity,omitempty"`
	KnownHosts string   `json:"known_hosts,omitempty"`
	Env        []string `json:"env"`
	// Timeouts bound its commands.
	Timeouts podman.Timeouts `json:"timeouts"`
}

// Host returns the service that has the job's containers. Its URL is empty if podman runs on
// this machine without a service.
func (p Podman) Host() remote.Endpoint {
	return remote.Endpoint{URL: p.URL, Identity: p.Identity, KnownHosts: p.KnownHosts}
}

// Client returns that podman, which calls observe after each command. With an ssh:// URL it
// must be connected first, see site.Connect.
func (p Podman) Client(observe func(podman.Command)) *podman.Podman {
	return &podman.Podman{Program: p.Program, URL: p.URL, Env: p.Env, Timeouts: p.Timeouts, Observe: observe}
}

// Containers returns the names of all of the job's containers.
func (p Plan) Containers() []string {
	names := []string{p.UserContainer}
	if p.RunnerContainer != "" {
		names = append(names, p.RunnerContainer)
	}
	for _, s := range p.Services {
		names = append(names, s.Container)
	}
	return names
}

// Log says where the administrator's log goes.
type Log struct {
	File   string `json:"file,omitempty"`
	Level  string `json:"level,omitempty"`
	Format string `json:"format,omitempty"`
}

// ErrNone is the error of a directory without a plan: prepare never got as far.
var ErrNone = errors.New("there is no plan")

// Write writes the plan of the job that has that directory, atomically and readable only by the
// runner's user.
func Write(dir string, p Plan) error {
	p.Version = version
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, fileName), text); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	return nil
}

// readTrusted reads a file that nobody else can have written, since the plan says which
// programs to run.
func readTrusted(name string) ([]byte, error) {
	f, err := trust.Open(name, trust.Self())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Read reads the plan of the job that has that directory.
func Read(dir string) (Plan, error) {
	text, err := readTrusted(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return Plan{}, errors.New("reading the plan: it is damaged")
	}
	if p.Version != version {
		return Plan{}, fmt.Errorf("reading the plan: it has version %d, this program knows %d: was podman-executor upgraded while the job ran?", p.Version, version)
	}
	return p, nil
}
