// Package gitlab is a GitLab of one's own for tests: a coordinator on loopback
// that hands jobs to a real gitlab-runner, takes its trace and its artifacts,
// serves git repositories, with Git LFS, over HTTP and runs whole .gitlab-ci.yml files.
//
// It is strict where GitLab is strict: tokens are compared, trace offsets and
// the checksum of the final trace are verified, and a call that no GitLab of
// this shape would get is refused and kept in [Server.Unexpected], which a test
// should find empty. References such as "network/gitlab.go:832" are to the
// sources of gitlab-runner 19.4.
//
//	server, err := gitlab.Start(gitlab.Options{})
//	run := server.Submit(gitlab.NewJob("hello", "echo hello"))
//	// start gitlab-runner with server.URL() and gitlab.DefaultRunnerToken
//	err = run.Wait(ctx)
//	fmt.Println(run.State(), run.ExitCode(), run.Log())
package gitlab
