package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	podmanconfig "github.com/containers/common/pkg/config"

	"podman-executor/internal/images"
	"podman-executor/internal/preflight"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// examined is an image of the policy, and what it must contain.
type examined struct {
	key, name string
	options   []string
	// needs are programs without which no step runs in it; wants are programs that it may get
	// from elsewhere.
	needs, wants []string
}

// shellNeeds are what every image needs: see internal/step.
var shellNeeds = []string{"sh", "head", "wc"}

// checkImages starts a container of each image that the policy names.
func (e *examination) checkImages(ctx context.Context) {
	pm := e.policy.General.Podman
	var list []examined
	if !pm.StepScriptOnly {
		runner := examined{key: "runner_image", name: pm.RunnerImage, options: pm.RunnerOptions, needs: slices.Concat(shellNeeds, []string{"bash", "git"})}
		switch pm.RunnerBinary {
		case policy.NoRunnerBinary:
			runner.needs = append(runner.needs, "gitlab-runner")
		case "":
			runner.wants = []string{"gitlab-runner"}
		}
		list = append(list, runner)
	}
	if pm.DefaultImage != "" {
		list = append(list, examined{key: "default_image", name: pm.DefaultImage, options: pm.CustomOptions, needs: shellNeeds})
	}
	for _, image := range list {
		e.add(e.examine(ctx, image))
	}
}

// examine finds or pulls an image as prepare would, and checks a container of it.
func (e *examination) examine(ctx context.Context, x examined) preflight.Result {
	key := "general.podman." + x.key
	where := e.policy.Where(key)
	failed := func(err error, hint string) preflight.Result {
		return preflight.Result{Check: x.key, Level: preflight.Error, Detail: err.Error(), Hint: hintOf(err, where, hint)}
	}
	name, err := policy.ParseImage(x.name)
	if err != nil {
		return failed(err, "fix "+where)
	}
	image, err := e.podman.Local(ctx, name.String(), podman.Platform{})
	if errors.Is(err, podman.ErrNoImage) && images.IsLocalhost(name.String()) {
		return failed(images.ErrLocalhost, fmt.Sprintf("build or load the image of %s on this host, as gitlab-runner's user", where))
	}
	if errors.Is(err, podman.ErrNoImage) && !slices.Equal(e.policy.General.Podman.ImagePullPolicy, policy.PullPolicies{podmanconfig.PullPolicyNever}) {
		image, err = e.podman.Pull(ctx, podman.Pull{Name: name.String(), AuthFile: e.policy.General.Podman.RegistryAuthFile})
	}
	if id, ok := podman.PullLacksID(err); ok {
		return failed(err, preflight.ReadSubIDs(preflight.CurrentUser(), false).Enlarge(max(id, preflight.LastID)))
	}
	if err != nil {
		return failed(err, fmt.Sprintf("check %s, and run `%s pull %s` as gitlab-runner's user", where, e.podman.Program, name))
	}
	script := `for p in "$@"; do command -v "$p" >/dev/null || echo "$p"; done`
	out, err := e.podman.Probe(ctx, podman.Probe{Options: x.options, Image: image.ID, Script: script, Words: slices.Concat(x.needs, x.wants)})
	if err != nil {
		return failed(fmt.Errorf("starting a container of %s: %w", name, err), "run `"+e.podman.Program+" run --rm "+name.String()+" true` as gitlab-runner's user, and check the options of "+where)
	}
	missing := strings.Fields(out)
	if e.bash == "" && slices.Contains(x.needs, "bash") && !slices.Contains(missing, "bash") {
		e.bash = image.ID
	}
	return x.judge(name.String(), where, missing)
}

// judge returns the result for an image that lacks programs.
func (x examined) judge(name, where string, missing []string) preflight.Result {
	r := preflight.Result{Check: x.key, Detail: name + " starts"}
	needed := slices.DeleteFunc(slices.Clone(missing), func(p string) bool { return !slices.Contains(x.needs, p) })
	switch {
	case len(needed) > 0:
		r.Level, r.Detail = preflight.Error, fmt.Sprintf("%s has no %s", name, strings.Join(needed, ", "))
		r.Hint = "install it in the image of " + where
	case len(missing) > 0:
		r.Level, r.Detail = preflight.Warning, fmt.Sprintf("%s starts, but has no %s", name, strings.Join(missing, ", "))
		r.Hint = "nothing to do if this host's gitlab-runner is statically linked, as GitLab's packages are: jobs get that one; otherwise install it in the image of " + where
	}
	return r
}
