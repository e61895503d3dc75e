package housekeeping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/driver"
	"podman-executor/internal/storage"
	"podman-executor/pkg/policy"
)

// Options are what the housekeeper is asked for.
type Options struct {
	// Orphans removes what jobs that are over have left behind.
	Orphans bool
	// Limits are how long builds and images may be unused, and how large caches may be.
	Limits storage.Limits
	// StorageBelow is how full the file system of podman's storage may be, in percent; 0: no
	// limit.
	StorageBelow int
	// AllImages also removes images that prepare did not pull.
	AllImages bool
	// OpenRepositories are the repositories whose images every project may use again; "all"
	// stands for all of them.
	OpenRepositories []string
	// DryRun removes nothing, and prints what would be removed.
	DryRun bool
}

// removes reports whether anything is to be removed from a podman.
func (o Options) removes() bool {
	return o.Orphans || o.Limits != (storage.Limits{}) || o.StorageBelow > 0
}

// check returns a fault if the options ask for nothing, or were given for a job.
func (o Options) check(call *driver.Call) error {
	switch {
	case call.Getenv(api.JobResponseFileVariable) != "":
		return &driver.Fault{
			Err:  errors.New("these options cannot be used in a job's cleanup"),
			Hint: "remove them from cleanup_args in [runners.custom] of config.toml, and run the program from a timer",
		}
	case len(call.Args) > 0:
		return &driver.Fault{Err: fmt.Errorf("unexpected argument %q", call.Args[0]), Hint: "see --help"}
	case !o.removes() && len(o.OpenRepositories) == 0:
		return &driver.Fault{Err: errors.New("nothing to do"), Hint: "use at least one of --orphans, --builds-older-than, --cache-larger-than, --images-unused-for, --storage-below and --open-repository; see --help"}
	}
	return nil
}

// mostDays keeps a number of days within what time.Duration can hold.
const mostDays = 10000

// ParseDuration reads "12h", "90m" and, beyond what Go takes, "30d".
func ParseDuration(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(number)
		if err == nil && days >= 0 && days <= mostDays {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, errors.New("want a duration such as 12h or 30d")
}

// ParsePercent reads "80" and "80%".
func ParsePercent(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || n < 1 || n > 99 {
		return 0, errors.New("want a percentage from 1 to 99, such as 80")
	}
	return n, nil
}

// allRepositories stands for all restricted repositories.
const allRepositories = "all"

// ParseRepository reads the name of a repository, as prepare keeps it, or "all".
func ParseRepository(text string) (string, error) {
	if text == allRepositories {
		return text, nil
	}
	image, err := policy.ParseImage(text)
	if err != nil {
		return "", errors.New("want a repository such as registry.example.com/team/app, or " + allRepositories)
	}
	return image.Repository(), nil
}
