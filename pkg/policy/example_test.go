package policy_test

import (
	"errors"
	"fmt"
	"strings"

	"podman-executor/pkg/policy"
)

const examplePolicy = `[general]
run_mechanism = "podman"

[general.podman]
runner_image = "registry.example.com/ci/runner:1"
image_allow_list = ['docker\.io/library/.*']
volume_allow_list = ['/data(/.*)?']
`

func ExampleParse() {
	text := `[general]
run_mechanism = "podman"
data_dir = "data"

[general.podman]
image_alow_list = ["docker.io/.*"]
`
	_, err := policy.Parse("policy.toml", strings.NewReader(text))
	fmt.Println(err)
	// Output:
	// policy.toml:3: general.data_dir: want an absolute path, got "data"
	// policy.toml:5: general.podman.runner_image: missing: the image for gitlab-runner's own steps; it must contain bash and git
	// policy.toml:6: general.podman.image_alow_list: unknown key (did you mean "image_allow_list"?)
}

func ExamplePolicy_Decide() {
	p, err := policy.Parse("policy.toml", strings.NewReader(examplePolicy))
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := p.Decide(policy.Request{Image: "debian:12"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("image:", grant.UserImage)
	fmt.Println("allowed by:", grant.ImageRule)
	fmt.Println("pull policy:", grant.UserPull)
	// Output:
	// image: docker.io/library/debian:12
	// allowed by: docker\.io/library/.*
	// pull policy: "always"
}

// A job that asks for what the policy does not allow gets a [policy.Denial], which says
// what the job's author can do.
func ExamplePolicy_Decide_denied() {
	p, err := policy.Parse("policy.toml", strings.NewReader(examplePolicy))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = p.Decide(policy.Request{Image: "registry.example.com/other:1"})
	var denial *policy.Denial
	if errors.As(err, &denial) {
		fmt.Println(denial)
		fmt.Println("hint:", denial.Hint())
	}
	// Output:
	// policy denies image "registry.example.com/other:1": no entry of image_allow_list matches
	// hint: policy.toml:6: general.podman.image_allow_list lists what is allowed; ask the administrator of this runner for more
}
