package fault

// imageRows are about what an image lacks, or what the job asks of it. The OCI runtimes say it in
// their own words, crun (`executable file …`) and runc (`unable to start container process: …`),
// and podman repeats them.
var imageRows = []Row{
	{
		Name: "no-shell", Whose: Authors, Verbs: starts,
		Says:  "(?:crun: executable file `|runc.*: exec: \")(?:/bin/)?sh[`\"]:? (?:executable file )?(?:not found|stat )",
		Cause: "the image has no `sh`", Cure: "use an image with a POSIX shell",
		Fixtures: []string{"no-shell"}, Versions: both,
	},
	{
		Name: "no-program", Whose: Authors, Verbs: starts,
		Says:  "(?:crun: executable file `|runc.*: exec: \")([^`\"]+)[`\"]:? (?:executable file )?(?:not found|stat )",
		Cause: "the image has no program `${1}`", Cure: "check `entrypoint:` and `command:` in .gitlab-ci.yml, and the ENTRYPOINT of the image",
		Fixtures: []string{"no-program", "no-program-path"}, Versions: both,
	},
	{
		Name: "not-executable", Whose: Authors, Verbs: starts,
		Says:  "crun: open executable: permission denied|exists but it is not executable|runc.*: exec: .*permission denied",
		Cause: "the image's user may not execute the entry point", Cure: "check `entrypoint:` and `command:` in .gitlab-ci.yml, and the mode of that file in the image (`chmod +x`)",
		Fixtures: []string{"not-executable"}, Versions: both,
	},
	{
		Name: "no-user", Whose: Authors, Verbs: starts,
		Says:  "unable to find user ([^:]+): no matching entries in passwd file",
		Cause: "the image has no user `${1}` in its /etc/passwd", Cure: "fix `docker: user:` in .gitlab-ci.yml, or USER where the image is built; a number needs no entry",
		Fixtures: []string{"no-user", "no-user-start", "no-user-image"}, Versions: both,
	},
	{
		Name: "no-group", Whose: Authors, Verbs: starts,
		Says:  "unable to find group ([^:]+): no matching entries in group file",
		Cause: "the image has no group `${1}` in its /etc/group", Cure: "fix `docker: user:` in .gitlab-ci.yml, or USER where the image is built; a number needs no entry",
		Fixtures: []string{"no-group"}, Versions: both,
	},
	{
		Name: "no-workdir", Whose: Authors, Verbs: starts,
		Says:  `workdir "([^"]+)" does not exist on container`,
		Cause: "the image has no directory ${1}, which is its WORKDIR", Cure: "create it in the image's Containerfile (RUN mkdir)",
		Fixtures: []string{"no-workdir"}, Versions: both,
	},
}

// both are the versions of podman in which most rows were seen.
var both = []string{"4.3.1", "5.4.2"}
